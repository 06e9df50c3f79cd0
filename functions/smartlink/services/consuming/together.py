"""Runs a batch consumer on several messages at once.

    said of an item               its outcome, as if it had run alone
    nothing said, or it raised    the message runs again at once, alone; no attempt is spent
    too late to start             handed back

If the run raises, nothing that it said counts: its transaction may have been rolled back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from smartlink.consumer import BatchConsumer, BatchContext, Item, called
from smartlink.domain.message import Message, Stored
from smartlink.domain.outcome import Finished, HandBack, Outcome
from smartlink.observability import bound, surprise
from smartlink.ports import Ran
from smartlink.services.consuming.execute import Execution, Prepared, Told


@dataclass(slots=True)
class _Member:
    stored: Stored
    told: Told
    item: Item[object] | None = None
    finished: Finished | None = None  # it cannot run, or has run


@dataclass(slots=True)
class Together:
    """A run of one batch. It is a `Run`: the runner watches its time as that of one message."""

    execution: Execution
    consumer: BatchConsumer
    batch: Sequence[Stored]
    ran: list[Ran] = field(default_factory=list)
    alone: list[Stored] = field(default_factory=list)  # what is to run again

    def __call__(self, stored: Stored) -> Finished:  # noqa: ARG002  (the batch's first, as a Run gets)
        """Runs the batch. What it came to is in `ran` and `alone`; the answer says nothing."""
        clock = self.execution.clock
        if clock() > self.execution.start_by:
            self.ran = [Ran(it, Finished(HandBack(), clock())) for it in self.batch]
            return Finished(HandBack(), clock())
        members = [self._prepared(it) for it in self.batch]
        counts = self._run([it.item for it in members if it.item is not None])
        for member in members:
            self._conclude(member, counts=counts)
        return Finished(HandBack(), clock())

    def _prepared(self, stored: Stored) -> _Member:
        member = _Member(stored, self.execution.told())

        def outcome() -> Outcome:
            prepared = self.execution.prepared(stored.message, member.told)
            if not isinstance(prepared, Prepared):
                return prepared
            member.item = Item(prepared.argument, prepared.context)
            return HandBack()

        finished = self.execution.finished(stored.message, member.told, outcome)
        member.finished = finished if member.item is None else None
        return member

    def _run(self, items: list[Item[object]]) -> bool:
        """Calls the consumer; tells whether what it said counts."""
        if not items:
            return True
        context = BatchContext.of(items[0].context, self.execution.time_left())
        with bound(tenant=self.execution.tenant, batch=len(items)):
            try:
                called(self.consumer.many, items, context)
            except BaseException as error:  # noqa: BLE001  (SystemExit too is the batch's failure)
                surprise("batch_failed", "The batch raised: each message runs alone", error)
                return False
        return True

    def _conclude(self, member: _Member, *, counts: bool) -> None:
        finished = member.finished
        said = member.item.said if member.item is not None and counts else None
        if said is not None:
            message = member.stored.message
            finished = self.execution.finished(
                message, member.told, lambda: self._outcome(message, member)
            )
        if finished is None:
            self.alone.append(member.stored)
        else:
            self.ran.append(Ran(member.stored, finished))

    def _outcome(self, message: Message, member: _Member) -> Outcome:
        assert member.item is not None  # noqa: S101  (for the type checker)
        assert member.item.said is not None  # noqa: S101
        return self.execution.concluded(message, member.item.said)
