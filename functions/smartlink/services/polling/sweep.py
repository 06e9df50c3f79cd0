"""The sweep dispatches due Downstream messages again, or declares them dead.

Retries, crashed executions and lost dispatches are all due, so one query finds them.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from smartlink.domain import lifecycle
from smartlink.domain.catalog import Catalog
from smartlink.domain.message import DeadReason, Message, State, Stored
from smartlink.observability import INFO, WARNING, event, message_event
from smartlink.ports import Clock, Contents, LogSink, Messages
from smartlink.services.dispatch import Dispatcher
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
        catalog: Catalog,
        grace: timedelta,
        clock: Clock,
        commands: KnownCommands,
    ) -> None:
        self._messages = messages
        self._dispatcher = dispatcher
        self._catalog = catalog
        self._grace = grace
        self._clock = clock
        self._commands = commands
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
        for stored in due:
            message = stored.message
            if message.document in ended:
                self._repeats.drop(poll, stored, ended[message.document], now)
                continue
            if message.document in undecided:
                continue  # the message stays due, and the next tick decides
            moved = self._move(message, poll, now)
            (dead if moved.state is State.DEAD else moves).append(Stored(moved, stored.version))
        bury(self._messages, poll, dead, now)
        self._dispatch(poll, moves)

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
