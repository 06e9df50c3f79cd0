"""Consume claims the messages of a dispatch, runs them, and settles each when it has finished.

    claim all ─▶ run one after the other ─▶ settle what has finished, while the next ones run
                                                   └─▶ again, while the call lasts

A message starts only if it can end in time; the others are handed back. If a message runs past
its time-out, Consume settles the finished messages and then ends the process, because Python
cannot stop the message's thread.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NoReturn

from smartlink.consumer import BatchConsumer, Consumer
from smartlink.domain import lifecycle
from smartlink.domain.catalog import Catalog, Command
from smartlink.domain.copies import Copies
from smartlink.domain.identity import Direction
from smartlink.domain.message import (
    MAY_HAVE_RUN,
    Claim,
    DeadReason,
    Decided,
    LogType,
    State,
    Stored,
)
from smartlink.domain.outcome import Done, Finished, HandBack, Unknown, contents_of
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
from smartlink.services.consuming.calls import MakeSession
from smartlink.services.consuming.execute import Execution, Steps
from smartlink.services.consuming.follow import Follow
from smartlink.services.consuming.next_steps import NextSteps
from smartlink.services.consuming.once import Once
from smartlink.services.consuming.own_secrets import OwnSecrets
from smartlink.services.consuming.titulares import Titulares
from smartlink.services.consuming.together import Together
from smartlink.services.contents import release, withdraw, withdraw_all
from smartlink.services.dispatch import Dispatch
from smartlink.services.order import key_of, keys_of, rounds
from smartlink.services.patience import persist
from smartlink.services.push import PushError
from smartlink.services.settle import Pending, settle_all
from smartlink.settings import LEASE_MARGIN, MIN_SECONDS_TO_SETTLE

_TOGETHER = "It ran with others past their time-out: each runs alone"


class WrongCommandError(PushError):
    """The dispatch is of another command, so its push subscription calls the wrong function."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The time limits of one call of `consume`."""

    message: timedelta  # of one message: the command's time-out
    call: timedelta  # of the call: the function's time-out
    lease: timedelta  # of a claim: longer than the function's time-out
    settle: timedelta  # kept free at the end of the call, to settle the last messages

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
        """Returns the last instant at which a message of the call may start.

        A message that starts by then ends and is settled before the call and its lease end.
        """
        return min(self.settle_by(started), started + self.lease) - self.message

    def settle_by(self, started: datetime) -> datetime:
        """Returns the instant until which the call may settle messages."""
        return started + self.call - self.settle


@dataclass(slots=True)
class _Call:
    """The messages that share one claim, and how far each has come."""

    dispatch: Dispatch
    claim: Claim
    counts: Counter[str]
    settle_by: datetime
    open: dict[str, Stored]  # claimed, but not finished
    unsettled: list[Pending] = field(default_factory=list)
    over: set[str] = field(default_factory=set)  # documents that hold nobody back any more
    held: set[str] = field(default_factory=set)  # documents that live on, by their settlement


@dataclass(frozen=True, slots=True)
class Consume:
    """The use case of `consume`, for one command."""

    command: str
    consumer: Consumer
    messages: Messages
    contents: Contents
    erp: ErpSecrets
    effects: Effects
    entry: Command  # the command's entry in the catalogue
    runner: Runner
    timeouts: Timeouts
    retention: Retention
    clock: Clock
    new_id: NewId
    wait: Wait
    end_process: EndProcess
    titulares: Titulares
    copies: Copies
    follow: Follow
    secrets: OwnSecrets
    http: MakeSession
    next_steps: NextSteps

    def __call__(self, dispatch: Dispatch) -> Counter[str]:
        """Consumes the dispatch and returns how many messages ended in which way.

        Raises WrongCommandError if the dispatch is for another command. Raises Unavailable if the
        database failed: Pub/Sub may deliver the dispatch again; if not, the sweep finds its
        messages.
        """
        if dispatch.command != self.command:
            message = f"this function consumes {self.command}, not {dispatch.command[:200]!r}"
            raise WrongCommandError(message)
        started = self.clock()
        start_by = self.timeouts.start_by(started)
        counts: Counter[str] = Counter()
        behind: set[str] = set()  # keys of which a message has not ended
        held: set[str] = set()  # those of them whose message waits or is dead: nothing can follow
        for part in self._claimed_together(dispatch):
            mine = tuple(it for it in part.messages if key_of(it) not in behind)
            if not mine:
                continue
            if counts and self.clock() > start_by:
                break  # neither claimed nor run: the sweep finds the rest
            call = self._consume(replace(part, messages=mine), started, counts)
            behind.update(keys_of([it for it in mine if it.message.document not in call.over]))
            held.update(keys_of([it for it in mine if it.message.document in call.held]))
        self.follow(dispatch, [key for key in keys_of(dispatch.messages) if key not in held])
        self._report(dispatch, counts, started)
        return counts

    def _claimed_together(self, dispatch: Dispatch) -> Iterator[Dispatch]:
        """Yields the parts of the dispatch; the messages of a part are claimed together.

        No part has two messages of a key, so the first that fails leaves those behind it
        unclaimed. A command with `hold` claims one message at a time: after a crash, the only
        claimed message is the one that was running.
        """
        dispatch = replace(dispatch, policy=self.entry.limited(dispatch.policy))
        for together in rounds(dispatch.messages):
            if not dispatch.policy.hold_unknown:
                yield replace(dispatch, messages=tuple(together))
                continue
            for stored in together:
                yield replace(dispatch, messages=(stored,))

    def _consume(self, dispatch: Dispatch, started: datetime, counts: Counter[str]) -> _Call:
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
            self.timeouts.message,
            AnsweredFirst(self.messages, self.contents),
            self.titulares,
            self.copies,
            self.secrets,
            self.http,
            Steps(self.entry.max_steps, self.next_steps.grace),
        )
        claimed = list(call.open.values())
        if isinstance(self.consumer, BatchConsumer):
            self._run_batches(call, execution, self.consumer, claimed)
        else:
            self._run(call, execution, claimed)
        self._settle_rest(call)
        return call

    def _run(self, call: _Call, execution: Execution, claimed: Sequence[Stored]) -> None:
        for finished in self.runner.run(claimed, execution, self.timeouts.message):
            if finished[-1].overdue:
                self._end(call, finished)
            self._settle(call, finished)

    def _run_batches(
        self,
        call: _Call,
        execution: Execution,
        consumer: BatchConsumer,
        claimed: Sequence[Stored],
    ) -> None:
        """Runs as many together as the consumer takes, and then those alone that this did not
        end."""
        for first in range(0, len(claimed), consumer.at_most):
            batch = claimed[first : first + consumer.at_most]
            if len(batch) == 1:
                self._run(call, execution, batch)
                continue
            together = Together(execution, consumer, batch)
            [[ran]] = self.runner.run(batch[:1], together, self.timeouts.message)
            if ran.overdue:
                self._end_batch(call, batch)
            self._settle(call, together.ran)
            self._run(call, replace(execution, alone=True), together.alone)

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
        if self.entry.personal:  # a poll with an older catalogue may not have marked it
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
            settlement = self._passing(self._settlement_of(call, ran))
            call.unsettled.append(Pending(settlement, call.claim.id, ran.stored))
        settled = settle_all(self.messages, call.dispatch.tenant, call.unsettled)
        call.unsettled = settled.unknown
        for settlement in settled.written:
            self._note(call, settlement)
        self._dispatch_next_steps(call, settled.written)
        for settlement in settled.lost:
            self._withdraw(call, settlement)
            self._record_late_run(call, settlement)
        for refused, text in settled.refused:
            self._withdraw(call, refused.settlement)
            self._end_as_dead(call, refused, text)

    def _dispatch_next_steps(self, call: _Call, written: Sequence[Settlement]) -> None:
        made = [it for settlement in written for it in settlement.created]
        steps = [it for it in made if it.direction is Direction.DOWNSTREAM]
        for step in steps:
            if step.state is State.DEAD:
                call.counts["dead"] += 1
                text = f"Dead: {step.dead_reason}"
                message_event(step, "message_dead", text, ERROR, reason=step.dead_reason)
        living = [it.document for it in steps if it.state is not State.DEAD]
        if living:
            call.counts["continued"] += len(living)
            self.next_steps(call.dispatch, living)

    def _withdraw(self, call: _Call, unwritten: Settlement) -> None:
        """Removes from the bucket the contents of the replies that this settlement did not
        create."""
        tenant, now = call.dispatch.tenant, self.clock()
        withdraw_all(self.contents, self.messages, tenant, unwritten.created, now)

    def _record_late_run(self, call: _Call, settlement: Settlement) -> None:
        """Records that the message was run, although its settlement came after its lease had ended.

        Whoever reads what another run or the sweep decided must learn of this run too.
        """
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
        """Returns the message if the sweep declared it dead because this run did not end in
        time."""
        try:
            live = self.messages.read(call.dispatch.tenant, [document]).get(document)
        except PortError:
            return None  # the message's log line tells that it was run
        if live is None or live.message.state is not State.DEAD:
            return None
        claim, reason = live.message.claim, live.message.dead_reason
        own = claim is not None and claim.id == call.claim.id
        return live if own and reason not in MAY_HAVE_RUN else None

    def _passing(self, settlement: Settlement) -> Settlement:
        """Takes a dead message out of its order if those behind it are to go on."""
        if self.entry.when_dead != "pass":
            return settlement
        live = settlement.live
        if live is not None and live.state is State.DEAD:
            live = lifecycle.passed(live)
        made = [lifecycle.passed(it) if it.state is State.DEAD else it for it in settlement.created]
        return replace(settlement, live=live, created=tuple(made))

    def _settlement_of(self, call: _Call, ran: Ran) -> Settlement:
        try:
            return settle(ran.stored, ran.finished, call.dispatch.policy, self.retention)
        except Exception as error:  # noqa: BLE001  (whatever an author slipped in harms no neighbour)
            document = ran.stored.message.document
            surprise("settle_surprised", "An outcome cannot be settled", error, document=document)
            text = f"Its outcome cannot be settled: {describe(error)}"
            if isinstance(ran.finished.outcome, Done):
                withdraw(self.contents, contents_of(ran.finished.outcome))
            return unwritten(ran.stored, text, self.clock(), self._expires())

    def _end_as_dead(self, call: _Call, refused: Pending, text: str) -> None:
        """Declares dead a message whose outcome the database refused, so that it never runs again.

        If the database refuses that settlement too, the next one has no log lines.
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
        call.unsettled.append(Pending(self._passing(buried), call.claim.id, stored))

    def _expires(self) -> datetime:
        """Returns when the log line about a dead message expires."""
        return self.clock() + timedelta(days=self.retention.days)

    def _settle_rest(self, call: _Call) -> None:
        """Settles what the database has not confirmed, until the call's time is up.

        Raises Unavailable if an outcome is still not written: its message has run, and runs again.
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

    def _end_batch(self, call: _Call, batch: Sequence[Stored]) -> NoReturn:
        """Hands the batch back, each message to run alone, and ends the process.

        As after a crash that several messages shared: nobody knows which of them took too long.
        """
        now = self.clock()
        again = [Ran(stored, Finished(HandBack(_TOGETHER, alone=True), now)) for stored in batch]
        text = f"A batch of {len(batch)} is past its time-out: the process ends"
        event("batch_overdue", text, ERROR, messages=len(batch))
        self._end_with(call, again)

    def _end(self, call: _Call, finished: Sequence[Ran]) -> NoReturn:
        """Settles what has finished, hands back what has not started, and ends the process.

        The last of `finished` is the message that runs past its time-out.
        """
        now = self.clock()
        limit = self.timeouts.message.total_seconds()
        overdue = finished[-1].stored
        late = Ran(overdue, Finished(Unknown(f"It ran past its time-out of {limit:.0f} s"), now))
        text = f"Past its time-out of {limit:.0f} s: the process ends"
        message_event(
            overdue.message, "message_overdue", text, ERROR, attempt=overdue.message.attempt
        )
        self._end_with(call, [*finished[:-1], late])

    def _end_with(self, call: _Call, finished: Sequence[Ran]) -> NoReturn:
        """Settles these, hands back what has not started, and ends the process."""
        now = self.clock()
        known = {ran.stored.message.document for ran in finished}
        rest = [
            Ran(stored, Finished(HandBack(), now))
            for document, stored in call.open.items()
            if document not in known
        ]
        try:
            self._settle(call, [*finished, *rest])
            self._settle_rest(call)
            self._report(call.dispatch, call.counts, call.claim.started)
        finally:
            self.end_process()

    def _note(self, call: _Call, settlement: Settlement) -> None:
        (call.over if _over(settlement) else call.held).add(settlement.document)
        try:
            self._written(call, settlement)
        except Exception as error:  # noqa: BLE001  (this message is settled; the others are not yet)
            document = settlement.document
            surprise("settle_surprised", "What follows a settlement", error, document=document)

    def _written(self, call: _Call, settlement: Settlement) -> None:
        live = settlement.live
        if settlement.history is not None:
            message = settlement.history.message
            call.counts["done"] += 1
            replies = sum(it.direction is Direction.UPSTREAM for it in settlement.created)
            seconds = (settlement.history.ended - message.received).total_seconds()
            message_event(
                message,
                "message_done",
                f"Executed; {replies} replies",
                INFO,
                attempt=message.attempt,
                replies=replies,
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


def _over(settlement: Settlement) -> bool:
    """Tells whether the message holds nobody of its key back any more: it has ended, and is not
    continued, or it was passed."""
    if settlement.live is not None:
        return settlement.live.order is None
    steps = (it for it in settlement.created if it.direction is Direction.DOWNSTREAM)
    return settlement.history is not None and all(it.order is None for it in steps)
