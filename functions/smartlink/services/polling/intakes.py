"""The intake: of a tenant's ordered commands one session receives, in one process at a time.

    take the intake ─▶ get ─▶ store each page in one commit with the intake ─▶ ack

Two sessions that receive at once could not tell which message came first. A process that lost the
intake meanwhile stores nothing, so no message is stored before one that is stored already. A tenant
to whom no ordered message ever came has no intake, and pays nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock

from smartlink.domain import lifecycle
from smartlink.domain.catalog import Catalog
from smartlink.domain.message import Message, State, Stored, Unreadable, Version
from smartlink.domain.order import Intake, NoKeyError, Order, key_of
from smartlink.observability import INFO, WARNING, event
from smartlink.ports import Clock, Conflict, Contents, Messages, NewId, PortError, Refused
from smartlink.services.contents import load
from smartlink.services.polling.states import States
from smartlink.services.polling.tenant_poll import TenantPoll
from smartlink.settings import LIMITS

_RACES = 5
_LATER = timedelta(minutes=1)
_OVERHEAD = 2_048  # bytes of a document beside its content
_Known = tuple[Intake, Version]


@dataclass(slots=True)
class Intakes:
    """The intakes that this process holds."""

    messages: Messages
    contents: Contents
    states: States
    catalog: Catalog
    clock: Clock
    new_id: NewId
    _holder: str = ""
    _known: dict[str, _Known] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def holder(self) -> str:
        """The name of this process."""
        with self._lock:
            self._holder = self._holder or self.new_id()
            return self._holder

    def ready(self, poll: TenantPoll) -> bool:
        """Takes the intake of a tenant to whom ordered messages come, before it is asked for any;
        returns False if nothing may be received now."""
        return not self.catalog.ordered or self.take(poll)

    def take(self, poll: TenantPoll) -> bool:
        """Takes the tenant's intake for this poll; returns False if another process has it, or if
        another session of this poll receives."""
        if poll.intake:
            return True
        if not poll.receive_alone():
            return False
        now = self.clock()
        known = self._known.get(poll.name)
        if known is not None and known[0].holder != self.holder:
            known = None
        begun = Intake(self.holder, poll.ends)
        for _ in range(_RACES):
            if known is not None and known[0].holder != self.holder and known[0].until > now:
                text = f"Another process receives its ordered messages until {known[0].until}"
                event("intake_held", text, INFO)
                return False
            intake = replace(known[0], holder=self.holder, until=poll.ends) if known else begun
            try:
                versions = self.messages.take_in(poll.name, intake, known[1] if known else None)
            except Conflict:
                known = self.messages.intake(poll.name)
                if known is not None and known[0] == intake:
                    versions = [known[1]]  # our own write, whose answer was lost
                else:
                    continue
            self._known[poll.name] = (intake, versions[0])
            poll.intake = True
            self.states.ordered(poll)
            poll.barred = self._barred(poll)
            return True
        return False

    def append(
        self, poll: TenantPoll, messages: Sequence[Message]
    ) -> tuple[list[Stored | None], dict[int, str]]:
        """Stores ordered messages in the order in which they came, each with its number.

        Returns what is stored, None for a message whose document exists already; and why the
        database refuses some, by their places. Raises Conflict if the intake was lost.
        """
        stored: list[Stored | None] = [None] * len(messages)
        refused: dict[int, str] = {}
        for chunk in _chunks(messages):
            self._append(poll, messages, chunk, stored, refused)
        return stored, refused

    def _append(
        self,
        poll: TenantPoll,
        messages: Sequence[Message],
        chunk: Sequence[int],
        stored: list[Stored | None],
        refused: dict[int, str],
    ) -> None:
        try:
            written = self._write(poll, [messages[number] for number in chunk])
        except Refused as error:
            if len(chunk) == 1:
                refused[chunk[0]] = str(error)
                return
            for number in chunk:
                self._append(poll, messages, [number], stored, refused)
            return
        for number in chunk:
            stored[number] = written.get(messages[number].document)

    def _write(self, poll: TenantPoll, messages: Sequence[Message]) -> dict[str, Stored]:
        """Writes those messages in one commit that do not exist yet; returns them by document."""
        new = list(messages)
        for _ in range(_RACES):
            if not new:
                return {}
            intake, version = self._mine(poll)
            numbers = intake.numbers(self.clock(), len(new))
            placed = [_numbered(it, number) for it, number in zip(new, numbers, strict=True)]
            after = replace(intake, last=numbers[-1])
            try:
                own, *versions = self.messages.take_in(poll.name, after, version, placed)
            except Conflict:
                found = self.messages.intake(poll.name)
                self._adopt(poll, found)
                if found is not None and found[0] == after:  # our own write, its answer was lost
                    return self.messages.read(poll.name, [it.document for it in placed])
                exist = self.messages.alive(poll.name, [it.document for it in new])
                new = [it for it in new if it.document not in exist]
                continue
            except PortError:
                self._known.pop(poll.name, None)
                raise
            self._known[poll.name] = (after, own)
            pairs = zip(placed, versions, strict=True)
            return {it.document: Stored(it, its) for it, its in pairs}
        message = f"take in messages of {poll.name}: others came first {_RACES} times"
        raise Conflict(message)

    def _mine(self, poll: TenantPoll) -> _Known:
        known = self._known.get(poll.name)
        if known is None:
            self._adopt(poll, self.messages.intake(poll.name))
            known = self._known[poll.name]
        return known

    def _adopt(self, poll: TenantPoll, found: _Known | None) -> None:
        """Goes on with what was found, if this process still has the intake. Raises Conflict."""
        if found is None or found[0].holder != self.holder:
            self._known.pop(poll.name, None)
            message = f"another process receives the ordered messages of {poll.name} now"
            raise Conflict(message)
        self._known[poll.name] = found

    def ordered(self, poll: TenantPoll, message: Message, content: str) -> Message:
        """Returns the message with its key; its number comes when it is stored. Raises
        NoKeyError."""
        by = self.catalog.ordered.get(message.type)
        if by is None:
            return message
        key = key_of(poll.name, message.type, by, content, personal=message.personal)
        return replace(message, order=Order(key, "", by))

    # What lives in another order, or in none.

    def place(self, poll: TenantPoll, stored: Stored) -> Stored | None:
        """Gives a message without a place the last one; None if it was not written.

        Such a message was redriven after others had passed it, or it came before its command was
        ordered. While messages of its command live in another order, it waits: it gets its place
        with them. Raises NoKeyError.
        """
        message = self.ordered(poll, stored.message, load(self.contents, stored.message.content))
        return self._move(poll, stored, message, settled=True)

    def _move(
        self, poll: TenantPoll, stored: Stored, message: Message, *, settled: bool = False
    ) -> Stored | None:
        for _ in range(_RACES):
            known = self._known.get(poll.name) or self.messages.intake(poll.name)
            intake = known[0] if known else Intake(self.holder, self.clock())
            if settled and message.order and intake.by(message.type) != message.order.by:
                waits = lifecycle.queued(stored.message, self.clock() + _LATER)
                self.messages.swap(poll.name, [Stored(waits, stored.version)])
                return None
            [number] = intake.numbers(self.clock(), 1)
            after = replace(intake, last=number)
            placed = Stored(_numbered(message, number), stored.version)
            version = known[1] if known else None
            try:
                own, moved = self.messages.take_in(poll.name, after, version, (), [placed])
            except Conflict:
                found = self.messages.intake(poll.name)
                self._known.pop(poll.name, None)
                if found is not None and found[0].holder == self.holder:
                    self._known[poll.name] = found
                if found is not None and known is not None and found[1] == known[1]:
                    return None  # the message has changed
                continue
            if after.holder == self.holder:
                self._known[poll.name] = (after, own)
            return Stored(placed.message, moved)
        return None

    def _barred(self, poll: TenantPoll) -> frozenset[str]:
        """Returns the commands of which nothing may be received yet: messages run that an earlier
        catalogue ordered otherwise, or not at all."""
        barred = set()
        intake, _ = self._known[poll.name]
        changed = {
            command: by for command, by in self.catalog.ordered.items() if intake.by(command) != by
        }
        for command, by in changed.items():
            if not self._reorder(poll, command, by):
                barred.add(command)
        done = {command: by for command, by in changed.items() if command not in barred}
        if done:
            self._note(poll, done)
        if barred:
            text = (
                f"Live messages of {', '.join(sorted(barred))} have another order: they end first"
            )
            event("intake_barred", text, WARNING)
        return frozenset(barred)

    def _note(self, poll: TenantPoll, done: Mapping[str, str]) -> None:
        intake, version = self._mine(poll)
        for command, by in done.items():
            intake = intake.ordering(command, by)
        try:
            [own] = self.messages.take_in(poll.name, intake, version)
        except PortError:
            self._known.pop(poll.name, None)
            raise
        self._known[poll.name] = (intake, own)

    def _reorder(self, poll: TenantPoll, command: str, by: str) -> bool:
        """Orders the command's live messages anew, the first ones first; returns False while one
        of them runs or is dispatched, which nobody may change."""
        others = [
            it
            for it in self.messages.of_command(poll.name, command)
            if not isinstance(it, Unreadable) and _differs(it.message, by)
        ]
        if any(it.message.state in {State.PENDING, State.RUNNING} for it in others):
            return False
        return all(self._reordered(poll, stored) for stored in sorted(others, key=_came))

    def _reordered(self, poll: TenantPoll, stored: Stored) -> bool:
        message = stored.message
        try:
            changed = self.ordered(poll, message, load(self.contents, message.content))
        except NoKeyError:
            return True  # dead, or it will be
        if changed.queued:
            changed = replace(changed, due=self.clock())
        if message.order is None or changed.order is None:
            return self._move(poll, stored, changed) is not None
        order = replace(changed.order, number=message.order.number)
        [version] = self.messages.swap(
            poll.name, [Stored(replace(changed, order=order), stored.version)]
        )
        return version is not None


def _numbered(message: Message, number: str) -> Message:
    order = message.order
    return message if order is None else replace(message, order=replace(order, number=number))


def _differs(message: Message, by: str) -> bool:
    """Tells whether a live message has another order. A dead one without any holds nothing."""
    if message.order is None:
        return message.state is not State.DEAD
    return message.order.by != by


def _came(stored: Stored) -> tuple[str, datetime]:
    order = stored.message.order
    return (order.number if order else "", stored.message.received)


def _chunks(messages: Sequence[Message]) -> list[list[int]]:
    """Splits the messages' places into the commits that Firestore takes."""
    chunks: list[list[int]] = []
    size = LIMITS.request
    for number, message in enumerate(messages):
        its = (
            _OVERHEAD
            + len(message.document)
            + (message.content.size if message.content.text else 0)
        )
        if size + its > LIMITS.request or len(chunks[-1]) >= LIMITS.writes - 1:
            chunks.append([])
            size = 0
        chunks[-1].append(number)
        size += its
    return chunks
