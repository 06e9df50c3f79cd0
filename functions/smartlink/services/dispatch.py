"""Dispatch: a batch of messages of one tenant and command travels as one Pub/Sub message.

A batch carries the messages, the version at which to claim each, and the retry policy in force.
So the consumer reads neither the messages nor the configuration.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from smartlink.domain.catalog import Catalog
from smartlink.domain.identity import Direction, encode
from smartlink.domain.message import Attempt, Content, Message, Result, Step, Stored, Version
from smartlink.domain.order import Order
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.traceparent import valid_traceparent
from smartlink.observability import ERROR, event
from smartlink.ports import Envelope, PortError, Publisher
from smartlink.services.order import key_of, keys_of
from smartlink.services.push import PushError
from smartlink.settings import LIMITS

if TYPE_CHECKING:  # for the annotations alone: a consumer polls nothing
    from smartlink.services.polling.tenant_poll import TenantPoll


class DispatchError(PushError):
    """The Pub/Sub message is not a dispatch of this relay."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Messages of one tenant and command that a consumer claims and runs together."""

    tenant: str
    command: str
    policy: RetryPolicy
    messages: tuple[Stored, ...]
    since: datetime | None = None
    """When the tenant's name passed to its present customer; None if it has had no other
    customer."""


def batches(stored: Iterable[Stored], most: int) -> Iterator[list[Stored]]:
    """Splits one command's messages into batches; a message whose batch crashed is alone in its
    own.

    No key is in two batches: Pub/Sub may deliver the second one first. What is left out follows
    when the first ones have ended.
    """
    known: set[str] = set()
    for batch in _cut(stored, most):
        fresh = [it for it in batch if key_of(it) not in known]
        known.update(keys_of(batch))
        if fresh:
            yield fresh


def _cut(stored: Iterable[Stored], most: int) -> Iterator[list[Stored]]:
    batch: list[Stored] = []
    size = 0
    for item in stored:
        if item.message.alone:
            if batch and key_of(item) is not None:  # what came before it of its key goes first
                yield batch
                batch, size = [], 0
            yield [item]
            continue
        its_size = _size(item.message)
        if batch and (len(batch) >= most or size + its_size > LIMITS.dispatch):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += its_size
    if batch:
        yield batch


def _size(message: Message) -> int:
    """Estimates a message's bytes in a batch, without the escapes that JSON adds."""
    inline = message.content.size if message.content.text is not None else 0
    names = len(message.id) + 1_024
    attempts = sum(256 + len(it.error or "") for it in message.attempts)
    return inline + names + attempts + sum(map(len, message.titular))


class Dispatcher:
    """Makes batches within a poll's quota and publishes them to the topics of their commands."""

    def __init__(self, publisher: Publisher, catalog: Catalog, most: int) -> None:
        self._publisher = publisher
        self._catalog = catalog
        self._most = most

    def take_quota(self, poll: "TenantPoll", stored: Iterable[Stored]) -> list[Dispatch]:
        """Returns as many batches as the tenant may dispatch in this tick; the sweep finds the
        others."""
        by_command: dict[str, list[Stored]] = {}
        for item in stored:
            by_command.setdefault(item.message.type, []).append(item)
        since = poll.state.pin.since if poll.state.pin else None
        return [
            Dispatch(poll.name, command, poll.policy, tuple(batch), since)
            for command, its in by_command.items()
            for batch in batches(its, self._most)
            if poll.take(command)
        ]

    def publish(self, poll: "TenantPoll", dispatches: Sequence[Dispatch]) -> None:
        """Publishes the dispatches. A failure is logged, and the sweep dispatches these messages
        again."""
        by_command: dict[str, list[Dispatch]] = {}
        for dispatch in dispatches:
            by_command.setdefault(dispatch.command, []).append(dispatch)
        for command, its in by_command.items():
            topic = self._catalog.commands[command].topic
            try:
                self._publisher.publish(topic, [encode_dispatch(dispatch) for dispatch in its])
            except PortError as error:
                text = f"Not dispatched to {topic}, the sweep will try again: {error}"
                event("dispatch_failed", text, ERROR, command=command)
            else:
                poll.count("dispatched", sum(len(dispatch.messages) for dispatch in its))


def encode_dispatch(dispatch: Dispatch) -> Envelope:
    """Writes a dispatch as a Pub/Sub message. Half of a surrogate pair survives the round trip."""
    policy = dispatch.policy
    document = {
        "tenant": dispatch.tenant,
        "command": dispatch.command,
        "policy": {
            "attempts": policy.attempts,
            "factor": str(policy.factor),
            "interval": str(policy.interval),
            "generation": policy.generation,
        },
        "messages": [_encode_message(stored) for stored in dispatch.messages],
    }
    if dispatch.since is not None:
        document["since"] = dispatch.since.isoformat()
    attributes = {"tenant": dispatch.tenant, "messages": str(len(dispatch.messages))}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Envelope(encode(text), attributes)


def decode_dispatch(data: bytes) -> Dispatch:
    """Reads the dispatch from a Pub/Sub message's data. Raises DispatchError."""
    try:
        document = json.loads(data)
        command = _text(document["command"])
        return Dispatch(
            _text(document["tenant"]),
            command,
            _decode_policy(document["policy"]),
            tuple(_decode_message(item, command) for item in document["messages"]),
            _instant(document["since"]) if "since" in document else None,
        )
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        message = f"the Pub/Sub message is no dispatch ({type(error).__name__}): who published it?"
        raise DispatchError(message) from None


def _decode_policy(policy: dict[str, Any]) -> RetryPolicy:
    """Reads the retry policy and checks that it is usable, so that no settlement fails on it
    later."""
    decoded = RetryPolicy(
        int(policy["attempts"]),
        Decimal(policy["factor"]),
        Decimal(policy["interval"]),
        _text(policy["generation"]),
    )
    usable = decoded.attempts > 0 and decoded.factor > 0 and decoded.interval > 0
    if not usable or decoded.horizon < timedelta():  # too long a horizon raises OverflowError
        message = "a retry policy that cannot be used"
        raise ValueError(message)
    return decoded


def _encode_message(stored: Stored) -> dict[str, Any]:
    message = stored.message
    content = message.content
    encoded: dict[str, Any] = {
        "document": message.document,
        "version": stored.version,
        "id": message.id,
        "sha256": content.sha256,
        "size": content.size,
        "received": message.received.isoformat(),
        "attempt": message.attempt,
        "text": content.text,
        "object": content.object,
        "audience": message.audience,
        "correlation": message.correlation_id,
        "request": message.request_id,
        "trace": message.trace,
        "personal": message.personal,
        "alone": message.alone,
        "redriven": message.redriven and message.redriven.isoformat(),
        "undone": message.undone,
        "error": message.error,
        "attempts": [
            [item.number, item.started.isoformat(), item.ended.isoformat(), item.result, item.error]
            for item in message.attempts
        ],
        "titular": list(message.titular),
        "order": message.order and [message.order.key, message.order.number, message.order.by],
        "step": [message.step.number, message.step.first] if message.step else None,
    }
    return {name: value for name, value in encoded.items() if value or type(value) is int}


def _decode_message(item: dict[str, Any], command: str) -> Stored:
    message = Message(
        document=_text(item["document"]),
        direction=Direction.DOWNSTREAM,
        id=_text(item.get("id", "")),
        type=command,
        content=Content(
            sha256=_text(item["sha256"]),
            size=int(item["size"]),
            text=_optional(item.get("text", None if "object" in item else "")),
            object=_optional(item.get("object")),
        ),
        received=_instant(item["received"]),
        due=None,
        audience=_optional(item.get("audience")),
        correlation_id=_optional(item.get("correlation")),
        request_id=_optional(item.get("request")),
        trace=valid_traceparent(item.get("trace")),
        personal=bool(item.get("personal")),
        attempt=int(item["attempt"]),
        attempts=tuple(
            Attempt(
                number,
                _instant(started),
                _instant(ended),
                Result(result),
                error,
            )
            for number, started, ended, result, error in item.get("attempts", ())
        ),
        alone=bool(item.get("alone")),
        redriven=_instant(item["redriven"]) if "redriven" in item else None,
        undone=bool(item.get("undone")),
        error=_optional(item.get("error")),
        titular=tuple(_text(it) for it in item.get("titular", ())),
        order=Order(*map(_text, item["order"])) if "order" in item else None,
        step=_step(*item["step"]) if "step" in item else None,
    )
    return Stored(message, Version(_text(item["version"])))


def _step(number: object, first: object) -> Step:
    return Step(int(str(number)), _text(first))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    message = "a text is missing"
    raise TypeError(message)


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _instant(value: object) -> datetime:
    instant = datetime.fromisoformat(_text(value))
    if instant.tzinfo is None:
        message = "an instant has no time zone"
        raise ValueError(message)
    return instant
