"""A tenant's turns within a tick: each bounded, and what is left queues behind the others'.

first:     sweep due downstream ─▶ setup, if the commands changed ─▶ send due upstream
─▶ receive one batch, unless the tenant has been silent (see idleness.py)
receiving: one batch more, by one of several sessions, while messages keep coming
sending:   one chunk of due upstream messages
more…:     the next page of what is due
"""

import math
from collections.abc import Callable, Sequence
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
    Clock,
    CredentialsRefused,
    Messages,
    PortError,
)
from smartlink.services.downstream import Downstream
from smartlink.services.identity import Identity
from smartlink.services.idleness import Idleness
from smartlink.services.known_commands import KnownCommands
from smartlink.services.states import States
from smartlink.services.sweep import Sweep
from smartlink.services.tenants import Tenants
from smartlink.services.tick import Push, TenantTick
from smartlink.services.upstream import Upstream
from smartlink.settings import Settings

_SEND_CHUNK = 20  # messages that one turn claims, sends and settles, at most
_QUICK_SEND_CHUNK = 50  # the same, while all of it takes a second or less
_QUICK_SEND = timedelta(milliseconds=20)  # of one message, its part of claim and settlement too
_QUICK_PAGES = 3  # read at once while sending is quick and the contents are small
_SMALL = 65_536  # bytes
_SLOW_CALL = timedelta(milliseconds=3)
_ENOUGH_FOR_QUICK_CALLS = 2
"""Sessions: a call as quick as that is computing, not waiting, and Python computes one at a time.
The second one receives while the first one stores."""
_NEXT_INSTANT = timedelta(microseconds=1)
_CALLS_END = timedelta(seconds=2)  # after the tick's deadline, when no call of the broker goes on
_GETS, _QUICK_GETS = 2, 5  # of a session that brought something, until another joins it

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

    def first(self, tick: TenantTick, push: Push) -> None:
        """The only turn of an idle tenant: one query, one call of the broker."""
        if not self._open(tick):
            return
        now = self.clock()
        due, full = self._due(tick, now)
        if due and not self._current(tick):
            return
        upstream = [it for it in due if it.message.direction is Direction.UPSTREAM]
        downstream = [it for it in due if it.message.direction is Direction.DOWNSTREAM]
        if downstream:
            since = self._swept(tick, downstream)
            if full:
                push(lambda tick, push: self._more_downstream(tick, push, since))
        if tick.state.paused(now):
            tick.count("paused")
            return
        behind = any(it.message.state is State.PENDING for it in downstream)
        if behind:
            text = "Dispatched messages are overdue: nothing new is received in this tick"
            event("back_pressure", text, WARNING)
        sending = _Sending(upstream, self._chunk, full=full)
        if upstream:
            self.idleness.active(tick.name)
        asks = self.idleness.asks(tick.name, now)
        if not asks:
            tick.count("unasked")
        self._talk(tick, push, sending, receive=asks and not behind and not tick.exhausted)
        self._send_beside(push, sending)
        self._sent(tick, push, sending)

    def _open(self, tick: TenantTick) -> bool:
        """Reads who the tenant is; False when there is nothing to be done for it."""
        try:
            tick.tenant = self.tenants.tenant(tick.entry)
            if not tick.tenant.enabled:
                tick.count("disabledTenants")
                return False
            return self.identity.admits(tick)
        except TenantError as error:
            event("tenant_refused", str(error), ERROR)
            tick.count("refusedTenants")
            return False

    def _current(self, tick: TenantTick) -> bool:
        """Whether the tenant is still who it was when the tenants were listed: what waits for it is
        touched with no credentials but those that are in force now."""
        entry = self.tenants.current(tick.entry)
        if entry is None:
            event("tenant_gone", "Its secret is deleted: what waits for it stays", WARNING)
            return False
        if entry == tick.entry:
            return True
        tick.entry = entry
        return self._open(tick)

    def _due(self, tick: TenantTick, now: datetime) -> tuple[list[Stored], bool]:
        """One query while little is due, and whether more may be due. A full page of one
        direction hides the other's."""
        page = self.settings.due_page
        due = self.messages.due(tick.name, now, page)
        full = len(due) >= page
        if full:
            hidden = set(Direction) - {it.message.direction for it in due}
            due += [it for way in hidden for it in self.messages.due(tick.name, now, page, way)]
        ages = [(now - it.message.due).total_seconds() for it in due if it.message.due]
        if ages:
            text = f"{len(ages)} messages are due, the oldest for {max(ages):.0f} s"
            event("messages_due", text, INFO, due=len(ages), oldestSeconds=round(max(ages)))
        return due, full

    def _talk(self, tick: TenantTick, push: Push, sending: "_Sending", *, receive: bool) -> None:
        chunk = sending.take()

        def calls(session: BrokerSession) -> PortError | None:
            failure = self.identity.confirm(tick, session) or self._set_up(tick, session)
            if failure is None and chunk:
                failure = self._send(tick, sending, chunk, session)
            if failure is None and receive:
                failure = self._receive(tick, session, push)
            return failure

        if self._call(tick, calls) and (chunk or receive):
            self.states.succeeded(tick, self.clock())

    def _call(self, tick: TenantTick, calls: _Calls) -> bool:
        """Talks to the broker, unless it failed in this tick. True when all went well."""
        if tick.error is not None or tick.tenant is None:
            return False
        ends = tick.deadline + _CALLS_END
        with self.broker.session(tick.tenant) as session:
            session.limit((ends - self.clock()).total_seconds())
            failure = calls(session)
        if failure is None:
            return True
        if isinstance(failure, CredentialsRefused):
            self.tenants.forget(tick.name)
        if isinstance(failure, AnotherTenant):
            if tick.fail(failure):
                self.identity.halt(tick)
            return False
        if tick.fail(failure) and self.clock() < ends:  # else the tick's end cut it off, not they
            self.states.failed(tick, failure, self.clock())
        return False

    def _set_up(self, tick: TenantTick, session: BrokerSession) -> PortError | None:
        """Creates the tenant's queue: until then the broker loses its messages silently.

        It is set up for the commands of other deployments too that live. One may begin at any
        instant: so they are looked at before, and, as the other may have set up in between,
        after.
        """
        if self._is_set_up(tick):
            return None
        tick.others = self.commands.look()
        while not self._is_set_up(tick):
            commands = self._to_set_up(tick)
            try:
                session.setup(commands)
            except PortError as error:
                return error
            self.states.set_up(tick, self._setup(tick), commands)
            event("setup_done", f"Set up for {', '.join(commands)}", INFO)
            tick.others = self.commands.look()
        return None

    def _to_set_up(self, tick: TenantTick) -> list[str]:
        return sorted({*self.settings.catalog.commands, *tick.others})

    def _setup(self, tick: TenantTick) -> str:
        client = tick.tenant.credentials.client_id if tick.tenant else ""
        return digest(self.settings.smart_link_url, client, *self._to_set_up(tick))

    def _is_set_up(self, tick: TenantTick) -> bool:
        return tick.state.setup == self._setup(tick)

    # Downstream.

    def _receiving(self, tick: TenantTick, push: Push) -> None:
        """One more batch; its receiver's place was taken when the turn was pushed."""
        if not self._call(tick, lambda it: self._receive(tick, it, push)):
            tick.leave_receiver()

    def _receive(self, tick: TenantTick, session: BrokerSession, push: Push) -> PortError | None:
        """One batch. The receiver's place passes to a further turn while there is more."""

        def keep_coming(gets: int, call: timedelta) -> None:
            most, often = self.settings.receivers, _GETS
            if call < _SLOW_CALL:
                most, often = min(most, _ENOUGH_FOR_QUICK_CALLS), _QUICK_GETS
            if gets % often == 0 and tick.enter_receiver(most):
                push(self._receiving)

        if not tick.begin_batch():
            tick.leave_receiver()
            return None
        try:
            received = self.downstream.receive(tick, session, keep_coming)
        finally:
            tick.end_batch()
        if received.messages:
            self.idleness.active(tick.name)
        elif received.failure is None:
            self.idleness.silent(tick.name, self.clock())
        if received.failure is None:
            if received.more:
                push(self._receiving)
            else:
                tick.leave_receiver()
        return received.failure

    def _more_downstream(self, tick: TenantTick, push: Push, since: datetime | None) -> None:
        if tick.exhausted:
            return
        page = self.settings.due_page
        due = self.messages.due(tick.name, self.clock(), page, Direction.DOWNSTREAM, since)
        last = self._swept(tick, due)
        if len(due) >= page:
            push(lambda tick, push: self._more_downstream(tick, push, last))

    def _swept(self, tick: TenantTick, due: Sequence[Stored]) -> datetime | None:
        """Sweeps a page; answers from when on the next one is due. What was left to another
        deployment is still there, and would be found again."""
        moved = self.sweep(tick, due)
        last = due[-1].message.due if due else None
        return last if moved or last is None else last + _NEXT_INSTANT

    # Upstream.

    @property
    def _chunk(self) -> int:
        """Messages that a turn sends: a page keeps as many sessions busy as may receive."""
        return min(_SEND_CHUNK, math.ceil(self.settings.due_page / self.settings.receivers))

    def _send(
        self, tick: TenantTick, sending: "_Sending", chunk: Sequence[Stored], session: BrokerSession
    ) -> PortError | None:
        started = self.clock()
        failure = self.upstream.send(tick, chunk, session)
        sending.took(self.clock() - started, len(chunk))
        return failure

    def _send_beside(self, push: Push, sending: "_Sending") -> None:
        """The rest of a page, a chunk a turn."""

        def turn(tick: TenantTick, push: Push) -> None:
            chunk = sending.take()
            self._call(tick, lambda session: self._send(tick, sending, chunk, session))
            self._sent(tick, push, sending)

        for _ in range(sending.chunks):
            push(turn)

    def _sent(self, tick: TenantTick, push: Push, sending: "_Sending") -> None:
        """The next page is read when this one is sent: what is not claimed yet would be found
        again."""
        if sending.sent(tick):
            push(lambda tick, push: self._more_upstream(tick, push, sending))

    def _more_upstream(self, tick: TenantTick, push: Push, before: "_Sending") -> None:
        if tick.error is not None:
            return
        page, chunk = self.settings.due_page, self._chunk
        if before.quick:
            page, chunk = page * (_QUICK_PAGES if before.small else 1), _QUICK_SEND_CHUNK
        due = self.messages.due(tick.name, self.clock(), page, Direction.UPSTREAM, before.last)
        self._send_beside(push, _Sending(due, chunk, full=len(due) >= page))


class _Sending:
    """A page of due upstream messages, on its way out in chunks."""

    def __init__(self, due: Sequence[Stored], chunk: int, *, full: bool) -> None:
        self.small = all(it.message.content.size <= _SMALL for it in due)
        self.quick = True
        self.last = due[-1].message.due if due else None
        self._full = full
        self._chunks = [due[start : start + chunk] for start in range(0, len(due), chunk)]
        self._open = len(self._chunks)

    @property
    def chunks(self) -> int:
        """How many wait to be sent."""
        return len(self._chunks)

    def take(self) -> Sequence[Stored]:
        """A chunk that nobody has taken; none at all is an empty one."""
        return self._chunks.pop(0) if self._chunks else ()

    def took(self, time: timedelta, messages: int) -> None:
        """Notes how quickly a chunk of so many messages was sent."""
        if time > _QUICK_SEND * messages:
            self.quick = False

    def sent(self, tick: TenantTick) -> bool:
        """A chunk is done; True when it was the page's last one and more may be due."""
        with tick.lock:
            self._open -= 1
            return self._full and self._open == 0
