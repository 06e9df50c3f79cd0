"""Delivers one message to a consumer, by the same code as the deployed function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from smartlink.consumer import BatchConsumer, Consumer
from smartlink.domain import lifecycle
from smartlink.domain.identity import Direction, document_id
from smartlink.domain.message import Claim, Message
from smartlink.domain.payload import correlation_id
from smartlink.domain.retry import RetryPolicy
from smartlink.services.contents import keep
from smartlink.testing.delivered import Delivered
from smartlink.testing.payloads import Content, as_text
from smartlink.testing.place import LEASE, NOON, Erp, Place, secrets


class Around(TypedDict, total=False):
    """What surrounds the payload. Each item is optional."""

    tenant: str  # default: acme
    message_id: str
    attempt: int  # 1 the first time
    attempts: int  # the limit of attempts in force; default 5
    now: datetime  # with its time zone; default: a fixed noon
    received: datetime  # when the relay stored it, the same at each attempt; default: now
    audience: str | None
    correlation_id: str | None  # default: the payload's own, if it has one
    personal: bool  # the command's `personal` in the catalogue
    hold: bool  # the command's `unknownOutcome` in the catalogue is `hold`
    erp: Erp  # the secret smartlink-erp-<tenant>: {"databaseUrl": …}; default: there is none
    secrets: Mapping[str, Erp]
    """What the catalogue's entry declares in `secrets`, by name: {"bank": {"key": …}}. A payload of
    None stands for a secret that nobody has made. With `place`, that place's hold."""
    timeout: float  # seconds: the command's timeoutSeconds; default 10
    batch: Sequence[Content]
    """Further payloads that a batch consumer gets in the same call; what became of them is in
    `batch` of the answer. Their ids are the message's with "-2", "-3", … behind."""
    place: Place  # the place of an earlier message, with its erp, hold, attempts and tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """`Around` with its defaults, checked. Raises ValueError, which names the fix."""

    tenant: str = "acme"
    message_id: str = "message-1"
    attempt: int = 1
    attempts: int = 5
    now: datetime = NOON
    received: datetime | None = None
    audience: str | None = None
    correlation_id: str | None = None
    personal: bool = False
    hold: bool = False
    erp: Erp = field(default=None, repr=False)
    secrets: Mapping[str, Erp] = field(default_factory=dict, repr=False)
    timeout: float = 10.0
    batch: Sequence[Content] = field(default=(), repr=False)
    place: Place | None = None

    def __post_init__(self) -> None:
        for name, instant in (("now", self.now), ("received", self.received)):
            if instant is not None and instant.tzinfo is None:
                message = f"{name} has no time zone: write datetime(…, tzinfo=UTC)"
                raise ValueError(message)
        if not 1 <= self.attempt <= self.attempts:
            message = f"attempt is {self.attempt}: it is 1 to {self.attempts} (attempts)"
            raise ValueError(message)

    def at(self) -> Place:
        """Returns the place where the message is delivered."""
        if self.place is not None:
            return replace(self.place, clock=lambda: self.now, timeout=self._timeout)
        return Place(
            tenant=self.tenant,
            erp=secrets(self.tenant, self.erp, self.secrets),
            secrets=tuple(self.secrets),
            clock=lambda: self.now,
            policy=RetryPolicy(attempts=self.attempts, hold_unknown=self.hold),
            timeout=self._timeout,
        )

    @property
    def _timeout(self) -> timedelta:
        return timedelta(seconds=self.timeout)

    def message(self, place: Place, command: str, text: str) -> Message:
        """Makes the claimed message, as the consumer gets it."""
        document = document_id(Direction.DOWNSTREAM, self.message_id)
        received = lifecycle.received(
            message_id=self.message_id,
            command=command,
            content=keep(place.contents, place.tenant, document, text),
            now=self.received or self.now,
            due=self.now,
            audience=self.audience,
            correlation_id=self.correlation_id or correlation_id(text),
            personal=self.personal,
        )
        before = replace(received, attempt=self.attempt - 1)
        return lifecycle.claimed(before, Claim("claim-1", 1, self.now), LEASE)


def deliver(consumer: Consumer, payload: Content, **around: Unpack[Around]) -> Delivered:
    """Runs the consumer on one message: `deliver(greet, {"name": "Ana"}, attempt=2)`.

    The payload is a text or bytes as the broker delivers them, or a model, a mapping or a list,
    which becomes JSON. `totvs(…)` and `cloud_event(…)` put an envelope around it. The answer tells
    what the consumer did. Only a wrong call raises (TypeError, ValueError).
    """
    check(consumer)
    arrival = Arrival(**around)
    place = arrival.at()
    message = arrival.message(place, consumer.command, as_text(payload))
    if not arrival.batch:
        return place.delivered(message, place.run(consumer, message))
    if not isinstance(consumer, BatchConsumer):
        text = f"batch=: the consumer of {consumer.command} takes one message, see batch_consumer"
        raise TypeError(text)
    if len(arrival.batch) >= consumer.at_most:
        text = f"batch=: {1 + len(arrival.batch)} messages are more than at_most={consumer.at_most}"
        raise ValueError(text)
    others = [
        replace(arrival, message_id=f"{arrival.message_id}-{number}").message(
            place, consumer.command, as_text(other)
        )
        for number, other in enumerate(arrival.batch, start=2)
    ]
    messages = [message, *others]
    first, *rest = (
        place.delivered(it, finished)
        for it, finished in zip(messages, place.run_batch(consumer, messages), strict=True)
    )
    return replace(first, batch=tuple(rest))


def check(consumer: object) -> None:
    """Raises TypeError if it is not a consumer."""
    if not isinstance(consumer, Consumer):
        kind = type(consumer).__name__
        message = f'{kind} is no consumer: give the function stamped with @consumer("…") itself'
        raise TypeError(message)
