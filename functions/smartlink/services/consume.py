"""Consume: a dispatch's messages are claimed, run, and settled as they finish.

    claim all ─▶ run one after the other ─▶ settle what has finished, while the next ones run

A message is started only if it can end in time; the rest is handed back. One that runs past
its time-out ends the process, after what has finished is settled: a thread that loops cannot
be freed otherwise.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartlink.consumer import Consumer
from smartlink.domain import lifecycle
from smartlink.domain.message import Claim, State, Stored
from smartlink.domain.outcome import Finished, HandBack, Retry
from smartlink.domain.settlement import Retention, Settlement, settle
from smartlink.observability import ERROR, INFO, WARNING, event
from smartlink.ports import (
    Clock,
    Contents,
    EndProcess,
    ErpSecrets,
    Messages,
    NewId,
    Ran,
    Runner,
    Unavailable,
)
from smartlink.services.claim import claim_all
from smartlink.services.contents import release
from smartlink.services.dispatch import Dispatch
from smartlink.services.execute import Execution
from smartlink.services.repeats import say
from smartlink.services.settle import Pending, settle_all

_SETTLE_TRIES = 5


class WrongCommandError(ValueError):
    """The dispatch belongs to another command: the push subscription is wired wrongly."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """What bounds a call of `consume`."""

    message: timedelta  # the command's own
    call: timedelta  # the function's
    lease: timedelta  # beyond the function's
    settle: timedelta  # what the last messages need to be settled in

    def start_by(self, started: datetime) -> datetime:
        """The last instant at which a message of a call may start: it ends, and is settled,
        before the call does, and so long before the end of its lease."""
        return started + min(self.call - self.settle, self.lease) - self.message


@dataclass(slots=True)
class _Call:
    """One call's messages on their way."""

    dispatch: Dispatch
    claim: Claim
    open: dict[str, Stored] = field(default_factory=dict)  # claimed, not finished
    unsettled: list[Pending] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Consume:
    """The use case of `consume`, for one command."""

    command: str
    consumer: Consumer
    messages: Messages
    contents: Contents
    erp: ErpSecrets
    runner: Runner
    timeouts: Timeouts
    retention: Retention
    clock: Clock
    new_id: NewId
    end_process: EndProcess

    def __call__(self, dispatch: Dispatch) -> Counter[str]:
        """Answers how many messages ended how. Raises Unavailable when the database failed:
        the dispatch may be delivered again, and if it is not the sweep finds its messages."""
        if dispatch.command != self.command:
            message = f"this function consumes {self.command}, not {dispatch.command[:200]!r}"
            raise WrongCommandError(message)
        started = self.clock()
        call = self._claim(dispatch, started)
        execution = Execution(
            self.consumer,
            dispatch.tenant,
            dispatch.policy.attempts,
            self.timeouts.start_by(started),
            self.contents,
            self.erp,
            self.clock,
        )
        claimed = list(call.open.values())
        for finished in self.runner.run(claimed, execution, self.timeouts.message):
            if finished[-1].overdue:
                self._end(call, finished)
                break
            self._settle(call, finished)
        self._settle_rest(call)
        self._report(call, started)
        return call.counts

    def _claim(self, dispatch: Dispatch, started: datetime) -> _Call:
        claim = Claim(self.new_id(), len(dispatch.messages), started)
        claimed = claim_all(
            self.messages,
            dispatch.tenant,
            dispatch.messages,
            claim,
            lambda message: lifecycle.claimed(message, claim, self.timeouts.lease),
        )
        call = _Call(dispatch, claim, {stored.message.document: stored for stored in claimed})
        dropped = len(dispatch.messages) - len(claimed)
        if dropped:
            text = f"{dropped} messages of the dispatch are another's, or have ended"
            event("dispatch_dropped", text, INFO, dropped=dropped)
            call.counts["dropped"] = dropped
        return call

    def _settle(self, call: _Call, finished: Sequence[Ran]) -> None:
        for ran in finished:
            del call.open[ran.stored.message.document]
            call.unsettled.append(
                Pending(
                    settle(ran.stored, ran.finished, call.dispatch.policy, self.retention),
                    call.claim.id,
                    ran.stored,
                )
            )
        settled = settle_all(self.messages, call.dispatch.tenant, call.unsettled)
        call.unsettled = settled.unknown
        for settlement in settled.written:
            self._written(call, settlement)
        for settlement in settled.lost:
            call.counts["lost"] += 1
            text = "Its lease had run out and another has it: this outcome is void"
            event("settle_lost", text, ERROR, document=settlement.document)
        for refused, text in settled.refused:
            self._fail(call, refused, text)

    def _fail(self, call: _Call, refused: Pending, text: str) -> None:
        """It was executed, but what came of it is too large for a commit: a failed attempt."""
        if refused.stored is None:
            return
        failed = Finished(Retry(text), self.clock())
        settlement = settle(refused.stored, failed, call.dispatch.policy, self.retention)
        call.unsettled.append(Pending(settlement, call.claim.id, refused.stored))

    def _settle_rest(self, call: _Call) -> None:
        """What the database has not answered for yet, while its lease lasts."""
        for _ in range(_SETTLE_TRIES):
            if not call.unsettled:
                return
            self._settle(call, ())
        if call.unsettled:
            text = f"{len(call.unsettled)} outcomes could not be settled: they run again"
            event("settle_failed", text, ERROR, messages=len(call.unsettled))
            message = f"{len(call.unsettled)} outcomes could not be settled"
            raise Unavailable(message)

    def _end(self, call: _Call, finished: Sequence[Ran]) -> None:
        """The last of these runs past its time-out. What was not started is handed back."""
        now = self.clock()
        limit = self.timeouts.message.total_seconds()
        overdue = finished[-1].stored
        late = Ran(overdue, Finished(Retry(f"It ran past its time-out of {limit:.0f} s"), now))
        known = {ran.stored.message.document for ran in finished}
        rest = [
            Ran(stored, Finished(HandBack(), now))
            for document, stored in call.open.items()
            if document not in known
        ]
        text = f"Past its time-out of {limit:.0f} s: the process ends"
        say(overdue.message, "message_overdue", text, ERROR, attempt=overdue.message.attempt)
        try:
            self._settle(call, [*finished[:-1], late, *rest])
            self._settle_rest(call)
            self._report(call, call.claim.started)
        finally:
            self.end_process()

    def _written(self, call: _Call, settlement: Settlement) -> None:
        live = settlement.live
        if settlement.history is not None:
            message = settlement.history.message
            call.counts["done"] += 1
            seconds = (settlement.history.ended - message.received).total_seconds()
            say(
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
        say(live, action, text, severity, attempt=live.attempt, reason=live.dead_reason)

    def _report(self, call: _Call, started: datetime) -> None:
        seconds = (self.clock() - started).total_seconds()
        text = f"Consumed {len(call.dispatch.messages)} messages"
        event("consume_done", text, INFO, seconds=round(seconds, 3), **call.counts)
