"""The sweep dispatches due Downstream messages again, or declares them dead.

Retries, crashed executions and lost dispatches are all due, so one query finds them.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from smartlink.domain import lifecycle
from smartlink.domain.message import DeadReason, Message, State, Stored
from smartlink.domain.order import NoKeyError
from smartlink.observability import INFO, WARNING, event, message_event
from smartlink.ports import Clock, Contents, LogSink, Messages, PortError
from smartlink.services.dispatch import Dispatcher
from smartlink.services.order import TURN, ahead, keys_of, wake
from smartlink.services.polling.intakes import Intakes
from smartlink.services.polling.known_commands import KnownCommands
from smartlink.services.polling.tenant_poll import TenantPoll
from smartlink.services.repeats import Repeats
from smartlink.services.settle import bury


class Sweep:
    """Sweeps a tenant's due Downstream messages."""

    def __init__(
        self,
        messages: Messages,
        logs: LogSink,
        contents: Contents,
        dispatcher: Dispatcher,
        intakes: Intakes,
        grace: timedelta,
        clock: Clock,
        commands: KnownCommands,
    ) -> None:
        self._messages = messages
        self._dispatcher = dispatcher
        self._catalog = intakes.catalog
        self._grace = grace
        self._clock = clock
        self._commands = commands
        self._intakes = intakes
        self._repeats = Repeats(messages, logs, contents)

    def __call__(self, poll: TenantPoll, due: Sequence[Stored]) -> None:
        """Moves each message by compare-and-swap on its version, so only one of two sweeps moves
        it."""
        now = self._clock()
        due = self._ours(poll, due)
        if not due:
            return
        unrun = [stored for stored in due if stored.message.attempt == 0]
        overtaken, undecided = self._repeats.overtaken(poll.name, unrun, now)
        ended = overtaken | self._repeats.before(poll.name, unrun)
        moves: list[Stored] = []
        dead: list[Stored] = []
        gone: list[Stored] = []
        left: list[Stored] = []
        for stored in due:
            message = stored.message
            if message.document in ended:
                self._repeats.drop(poll, stored, ended[message.document], now)
                gone.append(stored)
            elif message.document not in undecided:  # those stay due, and the next tick decides
                left.append(stored)
        left, keyless = self._placed(poll, left)
        dead += keyless
        for stored in self._in_turn(poll, left, now):
            moved = self._move(stored.message, poll, now)
            if moved.state is State.DEAD and self._passes(moved):
                gone.append(stored)
                moved = lifecycle.passed(moved)
            (dead if moved.state is State.DEAD else moves).append(Stored(moved, stored.version))
        bury(self._messages, poll, dead, now)
        if keys_of(gone):
            wake(self._messages, poll.name, keys_of(gone), now)
        self._dispatch(poll, moves)

    def _passes(self, message: Message) -> bool:
        command = self._catalog.commands.get(message.type)
        return command is not None and command.when_dead == "pass"

    def _placed(self, poll: TenantPoll, due: Sequence[Stored]) -> tuple[list[Stored], list[Stored]]:
        """Gives a place to those without one whose command is ordered; returns all that are left,
        and those that have no key and are dead now."""
        if not poll.state.ordered:
            return list(due), []
        left: list[Stored] = []
        keyless: list[Stored] = []
        for stored in due:
            message = stored.message
            if message.order is not None or message.type not in self._catalog.ordered:
                left.append(stored)
                continue
            try:
                placed = self._intakes.place(poll, stored)
            except NoKeyError as error:
                dead = lifecycle.dead(message, DeadReason.MALFORMED, str(error))
                keyless.append(Stored(dead, stored.version))
            except PortError as error:
                message_event(message, "turn_not_given", f"It stays due: {error}", WARNING)
            else:
                left += [placed] if placed is not None else []
        return left, keyless

    def _in_turn(self, poll: TenantPoll, due: Sequence[Stored], now: datetime) -> list[Stored]:
        """Lets those wait whose turn has not come, and returns the others."""
        ordered = _by_number(due)
        firsts: dict[str, str] = {}
        for key, number, _ in ordered:
            firsts.setdefault(key, number)
        behind = ahead(self._messages, poll.name, firsts) if firsts else set()
        waiting = [
            stored for key, number, stored in ordered if key in behind or number != firsts[key]
        ]
        if not waiting:
            return list(due)
        documents = {it.message.document for it in waiting}
        poll.lined |= documents
        poll.count("waitForTheirTurn", len(waiting))
        queued = [Stored(lifecycle.queued(it.message, now + TURN), it.version) for it in waiting]
        self._messages.swap(poll.name, queued)
        # Whoever ended the one before in this instant found them not waiting yet.
        wake(self._messages, poll.name, keys_of(waiting), now)
        return [it for it in due if it.message.document not in documents]

    def _ours(self, poll: TenantPoll, due: Sequence[Stored]) -> list[Stored]:
        """Leaves out messages of commands that only a newer deployment knows: it sweeps them
        itself."""
        theirs = self._commands.elsewhere({stored.message.type for stored in due})
        ours = [stored for stored in due if stored.message.type not in theirs]
        if theirs:
            poll.count("leftToOthers", len(due) - len(ours))
            text = f"Due of commands that another deployment knows: {', '.join(sorted(theirs))}"
            event("due_left", text, WARNING, messages=len(due) - len(ours))
        return ours

    def _move(self, message: Message, poll: TenantPoll, now: datetime) -> Message:
        if message.type not in self._catalog.commands:
            error = f"The command {message.type!r} is no longer in the catalogue"
            return lifecycle.dead(message, DeadReason.UNKNOWN_COMMAND, error)
        policy = self._catalog.commands[message.type].limited(poll.policy)
        swept = lifecycle.swept(message, now, policy, self._grace)
        if swept.cause != "retry":
            severity = INFO if swept.cause == "lost-dispatch" else WARNING
            text = f"Swept: {swept.cause}"
            message_event(message, "message_swept", text, severity, cause=swept.cause)
        poll.count(f"swept_{swept.cause}")
        return swept.message

    def _dispatch(self, poll: TenantPoll, moves: Sequence[Stored]) -> None:
        """Moves and dispatches the messages within the tick's quota; the others stay due."""
        allowed = self._dispatcher.take_quota(poll, moves)
        moving = [stored for dispatch in allowed for stored in dispatch.messages]
        if not moving:
            return
        versions = self._messages.swap(poll.name, moving)
        won = {
            stored.message.document: Stored(stored.message, version)
            for stored, version in zip(moving, versions, strict=True)
            if version is not None
        }
        ready = []
        for dispatch in allowed:
            its = [
                won[item.message.document]
                for item in dispatch.messages
                if item.message.document in won
            ]
            if its:
                ready.append(replace(dispatch, messages=tuple(its)))
        self._dispatcher.publish(poll, ready)


def _by_number(due: Sequence[Stored]) -> list[tuple[str, str, Stored]]:
    """Returns the key, the number and the message of those that are ordered, in their order."""
    ordered = [
        (stored.message.order.key, stored.message.order.number, stored)
        for stored in due
        if stored.message.order is not None
    ]
    return sorted(ordered, key=lambda it: it[1])
