"""A tenant's turns within a poll: each bounded, and what is left queues behind the others'.

first:     sweep due downstream ─▶ setup, if the commands changed ─▶ send due upstream
─▶ receive one batch, unless the tenant has been silent (see idleness.py)
receiving: one batch more, by one of several sessions, while messages keep coming
sending:   one chunk of due upstream messages; a single one, to try, while sending fails
more…:     the next page of what is due
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from smartlink.domain.identity import Direction, digest
from smartlink.domain.message import State, Stored
from smartlink.domain.tenant import TenantError
from smartlink.observability import ERROR, INFO, WARNING, event
from smartlink.ports import (
    AnotherTenant,
    Broker,
    BrokerSession,
    Busy,
    Clock,
    CredentialsRefused,
    Messages,
    Place,
    PortError,
)
from smartlink.services.polling.downstream import Downstream
from smartlink.services.polling.identity import Identity
from smartlink.services.polling.idleness import Idleness
from smartlink.services.polling.known_commands import KnownCommands
from smartlink.services.polling.states import States
from smartlink.services.polling.sweep import Sweep
from smartlink.services.polling.tenant_poll import Push, TenantPoll
from smartlink.services.polling.upstream import Upstream
from smartlink.services.tenants import Tenants
from smartlink.settings import Settings

_SEND_CHUNK = 20  # messages that one turn claims, sends and settles, at most
_QUICK_SEND_CHUNK = 50  # the same, while all of it takes a second or less
_QUICK_SEND = timedelta(milliseconds=20)  # of one message, its part of claim and settlement too
_QUICK_PAGES = 3  # read at once while sending is quick and the contents are small
_SMALL = 65_536  # bytes
_LARGE = 262_144  # bytes of contents that a turn sends, unless a single one is larger
_SLOW_CALL = timedelta(milliseconds=3)
_ENOUGH_FOR_QUICK_CALLS = 2
"""Sessions: a call as quick as that is computing, not waiting, and Python computes one at a time.
The second one receives while the first one stores."""
_GETS, _QUICK_GETS = 2, 5  # of a session that brought something, until another joins it

_Page = tuple[Sequence[Stored], Place | None]
"""Due messages, and where the next page begins if more may be due."""
_Calls = Callable[[BrokerSession], PortError | None]
"""Talks to the broker; answers how the broker or RAC failed, if they did."""


@dataclass(frozen=True, slots=True)
class TenantTurns:
    """What a tick does for one tenant."""

    settings: Settings
    clock: Clock
    tenants: Tenants
    states: States
    messages: Messages
    broker: Broker
    downstream: Downstream
    upstream: Upstream
    sweep: Sweep
    idleness: Idleness
    identity: Identity
    commands: KnownCommands

    def first(self, poll: TenantPoll, push: Push) -> None:
        """The only turn of an idle tenant: one query, one call of the broker."""
        if not self._open(poll):
            return
        now = self.clock()
        due = self._due(poll, now)
        if any(its for its, _ in due.values()) and not self._current(poll):
            return
        self._sweep_page(poll, push, due[Direction.DOWNSTREAM])
        if poll.state.paused(now):
            poll.count("paused")
            return
        behind = any(it.message.state is State.PENDING for it in due[Direction.DOWNSTREAM][0])
        if behind:
            text = "Dispatched messages are overdue: nothing new is received in this tick"
            event("back_pressure", text, WARNING)
        upstream, end = due[Direction.UPSTREAM]
        sending = _Sending(upstream, self._chunk, end)
        probe = bool(upstream) and not poll.state.sends
        if upstream:
            self.idleness.active(poll.name)
        asks = self.idleness.asks(poll.name, now)
        if not asks:
            poll.count("unasked")
        chunk = () if probe else sending.take_quick()
        receive = asks and not behind and not poll.exhausted
        self._talk(poll, push, sending, chunk, receive=receive)
        if probe:
            self._probe(poll, push, sending)
        else:
            self._send_beside(push, sending)
        if chunk:
            self._sent(poll, push, sending)
        elif not upstream:
            self._turn_page(push, sending)

    def _open(self, poll: TenantPoll) -> bool:
        """Reads who the tenant is; False when there is nothing to be done for it."""
        try:
            poll.tenant = self.tenants.tenant(poll.entry)
            if not poll.tenant.enabled:
                poll.count("disabledTenants")
                return False
            return self.identity.admits(poll)
        except TenantError as error:
            event("tenant_refused", str(error), ERROR)
            poll.count("refusedTenants")
            return False

    def _current(self, poll: TenantPoll) -> bool:
        """Whether the tenant is still who it was when the tenants were listed: what waits for it is
        touched with no credentials but those that are in force now."""
        entry = self.tenants.current(poll.entry)
        if entry is None:
            event("tenant_gone", "Its secret is deleted: what waits for it stays", WARNING)
            return False
        if entry == poll.entry:
            return True
        poll.entry = entry
        return self._open(poll)

    def _due(self, poll: TenantPoll, now: datetime) -> "dict[Direction, _Page]":
        """What is due, by direction: one query while it is little. A full page of one direction
        hides the other's, and so does one of documents that cannot be read."""
        mixed, end = self._page(poll, now, self.settings.due_page)
        pages: dict[Direction, _Page] = {
            way: ([it for it in mixed if it.message.direction is way], end) for way in Direction
        }
        if end is not None:
            hidden = [way for way, (due, _) in pages.items() if not due]
            pages |= {way: self._page(poll, now, self.settings.due_page, way) for way in hidden}
        due = [it.message.due for its, _ in pages.values() for it in its]
        ages = [(now - at).total_seconds() for at in due if at]
        if ages:
            text = f"{len(ages)} messages are due, the oldest for {max(ages):.0f} s"
            event("messages_due", text, INFO, due=len(ages), oldestSeconds=round(max(ages)))
        return pages

    def _page(
        self,
        poll: TenantPoll,
        now: datetime,
        limit: int,
        way: Direction | None = None,
        after: Place | None = None,
    ) -> "_Page":
        """What could be read of a page, and its end if more may lie behind it: that is told by
        what came back, not by what could be read."""
        since = after.due if after else None
        due = self.messages.due(poll.name, now, limit, way, since, after)
        if due.unreadable:
            poll.pass_over(due.unreadable)
        more = (due.cut or due.returned >= limit) and due.end != after
        return due, due.end if more else None

    def _talk(
        self,
        poll: TenantPoll,
        push: Push,
        sending: "_Sending",
        chunk: Sequence[Stored],
        *,
        receive: bool,
    ) -> None:
        def calls(session: BrokerSession) -> PortError | None:
            failure = self.identity.confirm(poll, session) or self._set_up(poll, session)
            if failure is not None:
                poll.stop_sending()
            elif chunk:
                failure = self._send(poll, sending, chunk, session)
            if failure is None and receive:
                failure = self._receive(poll, session, push)
            return failure

        if self._call(poll, calls) and receive:
            self.states.succeeded(poll, self.clock())

    def _call(self, poll: TenantPoll, calls: _Calls) -> bool:
        """Talks to the broker. True when all went well."""
        if poll.tenant is None:
            return False
        with self.broker.session(poll.tenant) as session:
            session.limit((poll.ends - self.clock()).total_seconds())
            failure = calls(session)
        if failure is None:
            return True
        if isinstance(failure, CredentialsRefused):
            self.tenants.forget(poll.name)
        if isinstance(failure, AnotherTenant):
            if poll.fail(failure):
                self.identity.halt(poll)
            return False
        cut_off = self.clock() >= poll.ends or isinstance(failure, Busy)  # by us, not by them
        if poll.fail(failure) and not cut_off:
            self._judge(poll, failure)
        return False

    def _judge(self, poll: TenantPoll, failure: PortError) -> None:
        """A tenant fails, and is paused, when nothing goes: where a message can be sent, only
        what was tried failed."""
        if poll.accepted and not isinstance(failure, CredentialsRefused):
            event("receive_failed", f"Sending goes, receiving does not: {failure}", ERROR)
        else:
            self.states.failed(poll, failure, self.clock())

    def _set_up(self, poll: TenantPoll, session: BrokerSession) -> PortError | None:
        """Creates the tenant's queue: until then the broker loses its messages silently.

        It is set up for the commands of other deployments too that live. One may begin at any
        instant: so they are looked at before, and, as the other may have set up in between,
        after.
        """
        if self._is_set_up(poll):
            return None
        poll.others = self.commands.look()
        while not self._is_set_up(poll):
            commands = self._to_set_up(poll)
            try:
                session.setup(commands)
            except PortError as error:
                return error
            self.states.set_up(poll, self._setup(poll), commands)
            event("setup_done", f"Set up for {', '.join(commands)}", INFO)
            poll.others = self.commands.look()
        return None

    def _to_set_up(self, poll: TenantPoll) -> list[str]:
        return sorted({*self.settings.catalog.commands, *poll.others})

    def _setup(self, poll: TenantPoll) -> str:
        client = poll.tenant.credentials.client_id if poll.tenant else ""
        return digest(self.settings.smart_link_url, client, *self._to_set_up(poll))

    def _is_set_up(self, poll: TenantPoll) -> bool:
        return poll.state.setup == self._setup(poll)

    # Downstream.

    def _receiving(self, poll: TenantPoll, push: Push) -> None:
        """One more batch; its receiver's place was taken when the turn was pushed."""
        if poll.error or not self._call(poll, lambda it: self._receive(poll, it, push)):
            poll.leave_receiver()

    def _receive(self, poll: TenantPoll, session: BrokerSession, push: Push) -> PortError | None:
        """One batch. The receiver's place passes to a further turn while there is more."""

        def keep_coming(gets: int, call: timedelta) -> None:
            most, often = self.settings.receivers, _GETS
            if call < _SLOW_CALL:
                most, often = min(most, _ENOUGH_FOR_QUICK_CALLS), _QUICK_GETS
            if gets % often == 0 and poll.enter_receiver(most):
                push(self._receiving)

        if not poll.begin_batch():
            poll.leave_receiver()
            return None
        try:
            received = self.downstream.receive(poll, session, keep_coming)
        finally:
            poll.end_batch()
        if received.messages:
            self.idleness.active(poll.name)
        elif received.failure is None:
            self.idleness.silent(poll.name, self.clock())
        if received.failure is None:
            if received.more:
                push(self._receiving)
            else:
                poll.leave_receiver()
        return received.failure

    def _more_downstream(self, poll: TenantPoll, push: Push, after: Place) -> None:
        if poll.exhausted:
            return
        page = self.settings.due_page
        due = self._page(poll, self.clock(), page, Direction.DOWNSTREAM, after)
        self._sweep_page(poll, push, due)

    def _sweep_page(self, poll: TenantPoll, push: Push, page: "_Page") -> None:
        due, end = page
        if due:
            self.sweep(poll, due)
        if end is not None:
            push(lambda poll, push: self._more_downstream(poll, push, end))

    # Upstream.

    @property
    def _chunk(self) -> int:
        """Messages that a turn sends: a page keeps as many sessions busy as may receive."""
        return min(_SEND_CHUNK, math.ceil(self.settings.due_page / self.settings.receivers))

    def _send(
        self, poll: TenantPoll, sending: "_Sending", chunk: Sequence[Stored], session: BrokerSession
    ) -> PortError | None:
        started = self.clock()
        failure = self.upstream.send(poll, chunk, session)
        sending.took(self.clock() - started, len(chunk))
        self.states.sending(poll)
        if poll.accepted:
            self.states.succeeded(poll, self.clock())
        return failure

    def _send_beside(self, push: Push, sending: "_Sending") -> None:
        """The rest of a page, a chunk a turn."""

        def turn(poll: TenantPoll, push: Push) -> None:
            if poll.may_send():
                chunk = sending.take()
                self._call(poll, lambda session: self._send(poll, sending, chunk, session))
                self._sent(poll, push, sending)

        for _ in range(sending.chunks):
            push(turn)

    def _probe(self, poll: TenantPoll, push: Push, sending: "_Sending") -> None:
        """Since a send failed none was accepted: one message is tried, beside the receiving, and
        the others follow it if it is. So a broker that does not send costs one call a tick."""

        def turn(poll: TenantPoll, push: Push) -> None:
            if poll.may_send():
                probe = sending.take_one()
                self._call(poll, lambda session: self._send(poll, sending, probe, session))
                if poll.accepted:
                    self._send_beside(push, sending)
                    self._sent(poll, push, sending)

        poll.probes()
        push(turn)

    def _sent(self, poll: TenantPoll, push: Push, sending: "_Sending") -> None:
        """The next page is read when this one is sent: what is not claimed yet would be found
        again."""
        if sending.sent(poll):
            self._turn_page(push, sending)

    def _turn_page(self, push: Push, sending: "_Sending") -> None:
        if sending.end is not None:
            push(lambda poll, push: self._more_upstream(poll, push, sending))

    def _more_upstream(self, poll: TenantPoll, push: Push, before: "_Sending") -> None:
        if not poll.may_send():
            return
        page, chunk = self.settings.due_page, self._chunk
        if before.quick:
            page, chunk = page * (_QUICK_PAGES if before.small else 1), _QUICK_SEND_CHUNK
        due, end = self._page(poll, self.clock(), page, Direction.UPSTREAM, before.end)
        sending = _Sending(due, chunk, end)
        self._send_beside(push, sending)
        if not due:
            self._turn_page(push, sending)


class _Sending:
    """A page of due upstream messages, on its way out in chunks."""

    def __init__(self, due: Sequence[Stored], chunk: int, end: Place | None) -> None:
        self.small = all(it.message.content.size <= _SMALL for it in due)
        self.quick = True
        self.end = end  # where the next page begins; None: there is none
        due = sorted(due, key=_failures)  # who fails alone keeps nobody waiting
        self._chunks = list(_chunks(due, chunk))
        self._open = len(self._chunks)

    @property
    def chunks(self) -> int:
        """How many wait to be sent."""
        return len(self._chunks)

    def take(self) -> Sequence[Stored]:
        """A chunk that nobody has taken; none at all is an empty one."""
        return self._chunks.pop(0) if self._chunks else ()

    def take_quick(self) -> Sequence[Stored]:
        """The first chunk, unless one of it failed before: it may take a time-out again."""
        quick = self._chunks and _failures(self._chunks[0][-1]) == 0
        return self.take() if quick else ()

    def take_one(self) -> Sequence[Stored]:
        """A single message, the one that failed least; the rest of its chunk stays."""
        first, *rest = self._chunks.pop(0)
        if rest:
            self._chunks.insert(0, rest)
            self._open += 1
        return [first]

    def took(self, time: timedelta, messages: int) -> None:
        """Notes how quickly a chunk of so many messages was sent."""
        if time > _QUICK_SEND * messages:
            self.quick = False

    def sent(self, poll: TenantPoll) -> bool:
        """A chunk is done; True when it was the page's last one."""
        with poll.lock:
            self._open -= 1
            return self._open == 0


def _failures(stored: Stored) -> int:
    return stored.message.failure.times if stored.message.failure else 0


def _chunks(due: Sequence[Stored], most: int) -> Iterator[Sequence[Stored]]:
    """Parts for a turn each; large contents are sent by several sessions, each some of them."""
    chunk: list[Stored] = []
    size = 0
    for stored in due:
        size += stored.message.content.size
        if chunk and (len(chunk) == most or size > _LARGE):
            yield chunk
            chunk, size = [], stored.message.content.size
        chunk.append(stored)
    if chunk:
        yield chunk
