"""A tenant's turns within a poll. Each is short; a further turn queues behind the other tenants'.

first:     sweep due downstream ─▶ setup, if the commands changed ─▶ send due upstream
─▶ receive one batch, unless the tenant has been silent (see idleness.py)
receiving: one batch more, by one of several sessions, while messages keep coming
sending:   one chunk of due upstream messages, by one of several sessions; a single one, to try,
           while sending fails
more…:     the next page of what is due
look:      the same, of a tenant that is asked by itself in this tick (see buckets.py)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from smartlink.domain.identity import Direction
from smartlink.domain.message import State, Stored
from smartlink.domain.tenant import TenantError
from smartlink.observability import ERROR, WARNING, event
from smartlink.ports import BrokerSession, Clock, PortError
from smartlink.services.polling.broker_calls import BrokerCalls
from smartlink.services.polling.hourly import Hourly
from smartlink.services.polling.identity import Identity
from smartlink.services.polling.idleness import Idleness
from smartlink.services.polling.pages import DuePages, Page
from smartlink.services.polling.receiving import Receiving
from smartlink.services.polling.sending import Sending
from smartlink.services.polling.states import States
from smartlink.services.polling.sweep import Sweep
from smartlink.services.polling.tenant_poll import Push, TenantPoll
from smartlink.services.tenants import Tenants


@dataclass(frozen=True, slots=True)
class TenantTurns:
    """The turns that a poll performs for one tenant."""

    clock: Clock
    tenants: Tenants
    identity: Identity
    states: States
    pages: DuePages
    calls: BrokerCalls
    sweep: Sweep
    receiving: Receiving
    sending: Sending
    idleness: Idleness
    hourly: Hourly

    def first(self, poll: TenantPoll, push: Push) -> None:
        """Performs the first turn. For an idle tenant it is the only one, with one broker call: one
        query tells what is due to all tenants of its bucket."""
        now = self.clock()
        if not self.hourly.due(poll.state, now):
            self._first(poll, push)
            return
        counted = self.hourly.count(poll.name, poll.state, now).counted
        poll.change(lambda it: replace(it, counted=counted))
        try:
            self._first(poll, push)
        finally:
            self.states.mark(poll, counted)

    def _first(self, poll: TenantPoll, push: Push) -> None:
        if not self._open(poll):
            return
        now = self.clock()
        due = self.pages.first(poll, now)
        if poll.unlooked is not None:
            push(self._look_on)
        downstream, upstream = due[Direction.DOWNSTREAM], due[Direction.UPSTREAM]
        if (downstream.due or upstream.due) and not self._current(poll):
            return
        self._sweep_page(poll, push, downstream)
        if poll.state.paused(now):
            poll.count("paused")
            return
        behind = any(
            it.message.state is State.PENDING and it.message.document not in poll.lined
            for it in downstream.due
        )
        if behind:
            text = "Dispatched messages are overdue: nothing new is received in this poll"
            event("back_pressure", text, WARNING)
        if upstream.due:
            self.idleness.active(poll.name)
        asks = self.idleness.asks(poll.name, now)
        if not asks:
            poll.count("unasked")
        chunk = self.sending.begin(poll, upstream)
        receive = asks and not behind and not poll.exhausted
        try:
            self._talk(poll, push, chunk, receive=receive)
        finally:
            self.sending.go_on(poll, push, chunk)

    def _open(self, poll: TenantPoll) -> bool:
        """Reads the tenant's secret and checks its identity; tells whether the poll may go on with
        it."""
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
        """Tells whether the tenant's waiting messages may be touched; reads its secret again if it
        changed.

        Only the credentials that are in force now may touch them.
        """
        entry = self.tenants.current(poll.entry)
        if entry is None:
            event("tenant_gone", "Its secret is deleted: what waits for it stays", WARNING)
            return False
        if entry == poll.entry:
            return True
        poll.entry = entry
        return self._open(poll)

    def _talk(
        self, poll: TenantPoll, push: Push, chunk: Sequence[Stored], *, receive: bool
    ) -> None:
        """Sends the chunk and receives a batch over one session."""

        def talk(session: BrokerSession) -> PortError | None:
            failure = self.calls.begin(poll, session)
            if failure is not None:
                poll.stop_sending()
            elif chunk:
                failure = self.sending.send(poll, push, chunk, session)
            if failure is None and receive:
                failure = self.receiving.receive(poll, session, push)
            return failure

        if self.calls(poll, talk) and receive:
            self.states.succeeded(poll, self.clock())

    def _look_on(self, poll: TenantPoll, push: Push) -> None:
        """Reads what is due behind the first page, so that all that lacks its bucket gets it.

        This poll may have no room for it: then its bucket's query finds it in the next ticks.
        """
        if poll.unlooked is not None:
            poll.unlooked = self.pages.next(poll, self.clock(), None, poll.unlooked).end
        if poll.unlooked is not None:
            push(self._look_on)

    def _sweep_page(self, poll: TenantPoll, push: Push, page: Page) -> None:
        if page.due:
            self.sweep(poll, page.due)
        poll.unswept = page.end
        if page.end is not None:
            push(self._more_downstream)

    def _more_downstream(self, poll: TenantPoll, push: Push) -> None:
        if poll.exhausted or poll.unswept is None:
            return
        page = self.pages.next(poll, self.clock(), Direction.DOWNSTREAM, poll.unswept)
        self._sweep_page(poll, push, page)
