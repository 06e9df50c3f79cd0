"""Consume: a dispatch's messages are claimed, run, and settled as they finish.

    claim all ─▶ run one after the other ─▶ settle what has finished, while the next ones run
                                                   └─▶ again, while the call lasts

A message is started only if it can end in time; the rest is handed back. One that runs past
its time-out ends the process, after what has finished is settled: a thread that loops cannot
be freed otherwise.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NoReturn

from smartlink.consumer import Consumer
from smartlink.domain import lifecycle
from smartlink.domain.catalog import Catalog, Command
from smartlink.domain.copies import Copies
from smartlink.domain.message import (
    MAY_HAVE_RUN,
    Claim,
    DeadReason,
    Decided,
    LogType,
    State,
    Stored,
)
from smartlink.domain.outcome import Done, Finished, HandBack, Unknown
from smartlink.domain.settlement import Retention, Settlement, annotate, settle, unwritten
from smartlink.observability import ERROR, INFO, WARNING, describe, event, message_event, surprise
from smartlink.ports import (
    Clock,
    Contents,
    Effects,
    EndProcess,
    ErpSecrets,
    Messages,
    NewId,
    PortError,
    Ran,
    Runner,
    Unavailable,
    Wait,
)
from smartlink.services.claim import claim_all
from smartlink.services.consuming.answered_first import AnsweredFirst
from smartlink.services.consuming.execute import Execution
from smartlink.services.consuming.once import Once
from smartlink.services.consuming.titulares import Titulares
from smartlink.services.contents import release, withdraw, withdraw_all
from smartlink.services.dispatch import Dispatch
from smartlink.services.patience import persist
from smartlink.services.push import PushError
from smartlink.services.settle import Pending, settle_all
from smartlink.settings import LEASE_MARGIN, MIN_SECONDS_TO_SETTLE


class WrongCommandError(PushError):
    """The dispatch belongs to another command: the push subscription is wired wrongly."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """What bounds a call of `consume`."""

    message: timedelta  # the command's own
    call: timedelta  # the function's
    lease: timedelta  # beyond the function's
    settle: timedelta  # what the last messages need to be settled in

    @classmethod
    def of(cls, catalog: Catalog, command: str) -> "Timeouts":
        """The limits of a command of the catalogue."""
        call = timedelta(seconds=catalog.functions.consume.timeout)
        return cls(
            message=timedelta(seconds=catalog.commands[command].timeout),
            call=call,
            lease=call + LEASE_MARGIN,
            settle=timedelta(seconds=MIN_SECONDS_TO_SETTLE),
        )

    def start_by(self, started: datetime) -> datetime:
        """The last instant at which a message of a call may start: it ends, and is settled,
        before the call does, and so long before the end of its lease."""
        return min(self.settle_by(started), started + self.lease) - self.message

    def settle_by(self, started: datetime) -> datetime:
        """Until when a call may go on settling: it ends before its time-out, and that before the
        end of its lease."""
        return started + self.call - self.settle


@dataclass(slots=True)
class _Call:
    """Messages that share a claim, on their way."""

    dispatch: Dispatch
    claim: Claim
    counts: Counter[str]
    settle_by: datetime
    open: dict[str, Stored]  # claimed, not finished
    unsettled: list[Pending] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Consume:
    """The use case of `consume`, for one command."""

    command: str
    consumer: Consumer
    messages: Messages
    contents: Contents
    erp: ErpSecrets
    effects: Effects
    entry: Command  # the command's, in the catalogue
    runner: Runner
    timeouts: Timeouts
    retention: Retention
    clock: Clock
    new_id: NewId
    wait: Wait
    end_process: EndProcess
    titulares: Titulares
    copies: Copies

    def __call__(self, dispatch: Dispatch) -> Counter[str]:
        """Answers how many messages ended how. Raises Unavailable when the database failed:
        the dispatch may be delivered again, and if it is not the sweep finds its messages."""
        if dispatch.command != self.command:
            message = f"this function consumes {self.command}, not {dispatch.command[:200]!r}"
            raise WrongCommandError(message)
        started = self.clock()
        start_by = self.timeouts.start_by(started)
        counts: Counter[str] = Counter()
        for part in self._claimed_together(dispatch):
            if counts and self.clock() > start_by:
                break  # neither claimed nor run: the sweep finds the rest
            self._consume(part, started, counts)
        self._report(dispatch, counts, started)
        return counts

    def _claimed_together(self, dispatch: Dispatch) -> Iterator[Dispatch]:
        """All at once, or, where a crash must tell exactly what it cut off, one at a time."""
        dispatch = replace(dispatch, policy=self.entry.limited(dispatch.policy))
        if not dispatch.policy.hold_unknown:
            yield dispatch
            return
        for stored in dispatch.messages:
            yield replace(dispatch, messages=(stored,))

    def _consume(self, dispatch: Dispatch, started: datetime, counts: Counter[str]) -> None:
        call = self._claim(dispatch, counts, self.timeouts.settle_by(started))
        execution = Execution(
            self.consumer,
            dispatch.tenant,
            dispatch.policy,
            self.timeouts.start_by(started),
            self.contents,
            self.erp,
            Once(
                self.effects,
                self.retention,
                self.timeouts.lease,
                self.clock,
                self.new_id,
                self.wait,
                dispatch.since,
            ),
            self.clock,
            AnsweredFirst(self.messages, self.contents),
            self.titulares,
            self.copies,
        )
        claimed = list(call.open.values())
        for finished in self.runner.run(claimed, execution, self.timeouts.message):
            if finished[-1].overdue:
                self._end(call, finished)
            self._settle(call, finished)
        self._settle_rest(call)

    def _claim(self, dispatch: Dispatch, counts: Counter[str], settle_by: datetime) -> _Call:
        policy = dispatch.policy
        decided = Decided(policy.at_most, policy.hold_unknown)
        claim = Claim(self.new_id(), len(dispatch.messages), self.clock(), decided)
        claimed = claim_all(
            self.messages,
            dispatch.tenant,
            dispatch.messages,
            claim,
            lambda message: lifecycle.claimed(message, claim, self.timeouts.lease),
        )
        if self.entry.personal:  # also one that a poll with an older catalogue received
            claimed = [
                Stored(replace(stored.message, personal=True), stored.version) for stored in claimed
            ]
        claimed_by_document = {stored.message.document: stored for stored in claimed}
        call = _Call(dispatch, claim, counts, settle_by, claimed_by_document)
        dropped = len(dispatch.messages) - len(claimed)
        if dropped:
            text = f"{dropped} messages of the dispatch are another's, or have ended"
            event("dispatch_dropped", text, INFO, dropped=dropped)
            counts["dropped"] += dropped
        return call

    def _settle(self, call: _Call, finished: Sequence[Ran]) -> None:
        for ran in finished:
            del call.open[ran.stored.message.document]
            call.unsettled.append(Pending(self._came_to(call, ran), call.claim.id, ran.stored))
        settled = settle_all(self.messages, call.dispatch.tenant, call.unsettled)
        call.unsettled = settled.unknown
        for settlement in settled.written:
            self._note(call, settlement)
        for settlement in settled.lost:
            self._withdraw(call, settlement)
            self._lose(call, settlement)
        for refused, text in settled.refused:
            self._withdraw(call, refused.settlement)
            self._bury(call, refused, text)

    def _withdraw(self, call: _Call, unwritten: Settlement) -> None:
        """Its replies' contents: what was put for them must not stay."""
        tenant, now = call.dispatch.tenant, self.clock()
        withdraw_all(self.contents, self.messages, tenant, unwritten.created, now)

    def _lose(self, call: _Call, settlement: Settlement) -> None:
        """Another transition came first: who reads of that one must learn of this run too."""
        call.counts["lost"] += 1
        text = "Its lease had run out and another has it: this outcome is void"
        event("settle_lost", text, ERROR, document=settlement.document)
        if settlement.history is None:
            return
        ran, document = settlement.history.message, settlement.document
        text = f"It was executed in attempt {ran.attempt}, but its lease had run out: void"
        line = annotate(ran, LogType.WARNING, text, self.clock(), self._expires())
        late = Settlement(document=document, fence=None, logs=(line,))
        live = self._declared_dead(call, document)
        if live is not None:
            reason = DeadReason.UNWRITTEN_OUTCOME
            may_have_run = lifecycle.dead(live.message, reason, f"{text}. {live.message.error}")
            late = replace(late, fence=live.version, live=may_have_run)
        call.unsettled.append(Pending(late, call.claim.id))

    def _declared_dead(self, call: _Call, document: str) -> Stored | None:
        """The message, if the sweep has declared it dead as one that did not end."""
        try:
            live = self.messages.read(call.dispatch.tenant, [document]).get(document)
        except PortError:
            return None  # the line of its log tells it
        if live is None or live.message.state is not State.DEAD:
            return None
        claim, reason = live.message.claim, live.message.dead_reason
        own = claim is not None and claim.id == call.claim.id
        return live if own and reason not in MAY_HAVE_RUN else None

    def _came_to(self, call: _Call, ran: Ran) -> Settlement:
        try:
            return settle(ran.stored, ran.finished, call.dispatch.policy, self.retention)
        except Exception as error:  # noqa: BLE001  (whatever an author slipped in harms no neighbour)
            document = ran.stored.message.document
            surprise("settle_surprised", "An outcome cannot be settled", error, document=document)
            text = f"Its outcome cannot be settled: {describe(error)}"
            if isinstance(ran.finished.outcome, Done):
                withdraw(self.contents, [it.content for it in ran.finished.outcome.answers])
            return unwritten(ran.stored, text, self.clock(), self._expires())

    def _bury(self, call: _Call, refused: Pending, text: str) -> None:
        """Its outcome can never be written, and must not be made to happen again: dead.

        Where even that was refused, with its log lines, the document's state alone is tried.
        """
        settlement, stored = refused.settlement, refused.stored
        if stored is None:
            return
        live, lines = settlement.live, settlement.logs
        expires: datetime | None = self._expires()
        if settlement.history is not None:
            text = f"It was executed. {text}"
        elif live is not None and live.dead_reason is DeadReason.UNWRITTEN_OUTCOME:
            text, lines, expires = live.error or text, (), None
        elif live is not None and live.error:
            text = f"{text} (it had come to: {live.error})"
        buried = unwritten(stored, text, self.clock(), expires, lines)
        call.unsettled.append(Pending(buried, call.claim.id, stored))

    def _expires(self) -> datetime:
        """Of a burial's log line, whatever the policy is that it came with."""
        return self.clock() + timedelta(days=self.retention.days)

    def _settle_rest(self, call: _Call) -> None:
        """What the database has not answered for yet, as long as the call may last.

        It ran, and runs again if this does not end well.
        """

        def settled() -> bool:
            if call.unsettled:
                self._settle(call, ())
            return not call.unsettled

        if not persist(settled, call.settle_by, self.clock, self.wait):
            text = f"{len(call.unsettled)} outcomes could not be settled: they run again"
            event("settle_failed", text, ERROR, messages=len(call.unsettled))
            message = f"{len(call.unsettled)} outcomes could not be settled"
            raise Unavailable(message)

    def _end(self, call: _Call, finished: Sequence[Ran]) -> NoReturn:
        """The last of these runs past its time-out. What was not started is handed back."""
        now = self.clock()
        limit = self.timeouts.message.total_seconds()
        overdue = finished[-1].stored
        late = Ran(overdue, Finished(Unknown(f"It ran past its time-out of {limit:.0f} s"), now))
        known = {ran.stored.message.document for ran in finished}
        rest = [
            Ran(stored, Finished(HandBack(), now))
            for document, stored in call.open.items()
            if document not in known
        ]
        text = f"Past its time-out of {limit:.0f} s: the process ends"
        message_event(
            overdue.message, "message_overdue", text, ERROR, attempt=overdue.message.attempt
        )
        try:
            self._settle(call, [*finished[:-1], late, *rest])
            self._settle_rest(call)
            self._report(call.dispatch, call.counts, call.claim.started)
        finally:
            self.end_process()

    def _note(self, call: _Call, settlement: Settlement) -> None:
        try:
            self._written(call, settlement)
        except Exception as error:  # noqa: BLE001  (it is settled; the others are not yet)
            document = settlement.document
            surprise("settle_surprised", "What follows a settlement", error, document=document)

    def _written(self, call: _Call, settlement: Settlement) -> None:
        live = settlement.live
        if settlement.history is not None:
            message = settlement.history.message
            call.counts["done"] += 1
            seconds = (settlement.history.ended - message.received).total_seconds()
            message_event(
                message,
                "message_done",
                f"Executed; {len(settlement.created)} replies",
                INFO,
                attempt=message.attempt,
                replies=len(settlement.created),
                seconds=round(seconds, 3),
            )
            release(self.contents, message, settlement.history.ended)
            return
        if live is None:
            return
        if live.state is State.DEAD:
            call.counts["dead"] += 1
            text, severity, action = f"Dead: {live.dead_reason}", ERROR, "message_dead"
        elif live.state is State.WAITING:
            call.counts["retried"] += 1
            text, severity, action = f"Waits until {live.due}", WARNING, "message_retried"
        else:
            call.counts["handed_back"] += 1
            text, severity, action = "Not started: handed back", INFO, "message_handed_back"
        message_event(live, action, text, severity, attempt=live.attempt, reason=live.dead_reason)

    def _report(self, dispatch: Dispatch, counts: Counter[str], started: datetime) -> None:
        seconds = (self.clock() - started).total_seconds()
        text = f"Consumed {len(dispatch.messages)} messages"
        event("consume_done", text, INFO, seconds=round(seconds, 3), **counts)
