"""The place where messages are delivered: a deployment's stores in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from smartlink.adapters.http.at_need import session_at_need
from smartlink.adapters.in_memory import InMemoryContents, InMemoryEffects, InMemorySecrets
from smartlink.consumer import BatchConsumer, Consumer
from smartlink.domain.message import Message, Stored, Version
from smartlink.domain.outcome import Done, Finished, Reject, Unknown
from smartlink.domain.payload import write_json
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention
from smartlink.ports import Clock, Contents, Effects, ErpSecrets
from smartlink.services.consuming.execute import Execution
from smartlink.services.consuming.once import Once
from smartlink.services.consuming.own_secrets import OwnSecrets
from smartlink.services.consuming.titulares import Titulares
from smartlink.services.consuming.together import Together
from smartlink.services.contents import load
from smartlink.testing.delivered import Delivered, Sent

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
LEASE = timedelta(minutes=10)
_RETENTION = Retention(days=90, redrive=timedelta(days=30))
Erp = str | bytes | Mapping[str, object] | None
"""The payload of an ERP's secret. A mapping becomes JSON, and None means that there is no
secret."""


@dataclass(slots=True, kw_only=True)
class Place:
    """A tenant with its stores, which keep what `Context.once` remembers between messages."""

    tenant: str = "acme"
    erp: ErpSecrets = field(default_factory=InMemorySecrets)
    clock: Clock = lambda: NOON
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: timedelta = timedelta(seconds=10)  # of one message
    contents: Contents = field(default_factory=InMemoryContents)
    effects: Effects = field(default_factory=InMemoryEffects)
    secrets: Collection[str] = ()  # the names that the command declares; `erp` holds them

    def execution(self, consumer: Consumer) -> Execution:
        """Makes the execution as a deployed function makes it."""
        once = Once(
            effects=self.effects,
            retention=_RETENTION,
            lease=LEASE,
            clock=self.clock,
            new_id=lambda: uuid4().hex,
            wait=lambda _: None,
        )
        return Execution(
            consumer=consumer,
            tenant=self.tenant,
            policy=self.policy,
            start_by=self.clock() + LEASE,
            contents=self.contents,
            erp=self.erp,
            once=once,
            clock=self.clock,
            timeout=self.timeout,
            titulares=Titulares(self.erp, self.clock),
            secrets=OwnSecrets(
                consumer.command, self.secrets, self.erp, self.clock, refresh=timedelta()
            ),
            http=session_at_need,
        )

    def run(self, consumer: Consumer, message: Message) -> Finished:
        """Runs the consumer on a message, at the attempt that the message holds."""
        return self.execution(consumer)(Stored(message, Version("0")))

    def run_batch(self, consumer: BatchConsumer, messages: Sequence[Message]) -> list[Finished]:
        """Runs the messages together, and then those alone that this did not end."""
        execution = self.execution(consumer)
        stored = [Stored(it, Version("0")) for it in messages]
        together = Together(execution, consumer, stored)
        together(stored[0])
        ended = {it.stored.message.document: it.finished for it in together.ran}
        ended |= {it.message.document: execution(it) for it in together.alone}
        return [ended[it.document] for it in messages]

    def delivered(self, message: Message, finished: Finished) -> Delivered:
        """Returns how the run of a message went, with the replies as the broker would get them."""
        outcome = finished.outcome
        answers = outcome.answers if isinstance(outcome, Done) else ()
        following = outcome.following if isinstance(outcome, Done) else None
        replies = tuple(
            Sent(
                it.type,
                load(self.contents, it.content),
                it.audience,
                it.correlation_id or message.correlation_id or message.id,
            )
            for it in answers
        )
        debug = outcome.debug if isinstance(outcome, (Unknown, Reject)) else None
        step = None if following is None else load(self.contents, following.content)
        return Delivered(outcome, replies, finished.lines, debug, step)


def secrets(tenant: str, erp: Erp, own: Mapping[str, Erp]) -> InMemorySecrets:
    """Makes a store that holds only the secrets of this tenant: its ERP's, and the consumer's
    own."""
    made = InMemorySecrets({}, {} if erp is None else {tenant: _payload(erp)})
    for name, payload in own.items():
        if payload is not None:
            made.put_own(tenant, name, _payload(payload))
    return made


def _payload(given: str | bytes | Mapping[str, object]) -> bytes:
    text = write_json(dict(given)) if isinstance(given, Mapping) else given
    return text.encode() if isinstance(text, str) else text
