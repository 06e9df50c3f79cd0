"""Identity: a tenant's name is not the tenant. What lives under a name is its customer's alone.

Whose a name is was pinned at its first use (see domain/pin.py). Credentials of another customer
*halt* the name while anything of the first one lives: nothing is swept, sent or received with
them, and what is dispatched already is recalled. Looked at twice before that is said, with the
secret and the state read anew: a rotation that this process knows half of halts nothing.

    before anything:      what the secret names, or whose client it is
    in the first session: what RAC's token names; it is pinned if nobody was
    at each call:         RAC's token again, by its adapter: it may have been fetched meanwhile

A name of which nothing lives passes on, but not at once: another process may still know the old
secret and store what it receives with it. It learns of the halt when it reads the state again; so
the name passes on only when every process has done that, and ended what it was at.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from smartlink.domain.pin import first_use
from smartlink.domain.tenant import Tenant
from smartlink.observability import WARNING, event
from smartlink.ports import AnotherTenant, Broker, BrokerSession, Clock, PortError, TenantStates
from smartlink.services.polling.recall import Recall
from smartlink.services.polling.states import States
from smartlink.services.polling.tenant_poll import TenantPoll
from smartlink.services.tenants import Tenants

_RAC_SECONDS = 10.0
_POLL_ENDS = timedelta(minutes=2)
"""For a poll that began right before its state was read again, and for clocks that differ."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Says whether a tick's credentials are those of whom its name belongs to."""

    states: States
    store: TenantStates
    tenants: Tenants
    broker: Broker
    clock: Clock
    recall: Recall
    state_refresh: timedelta  # for which a process may not know of a halt

    def admits(self, poll: TenantPoll) -> bool:
        """Whether anything may be done with the tick's credentials. Raises PortError or TenantError
        where the database or the secret does not say: then nothing may either."""
        if poll.state.halted is None and self._by_secret(poll):
            return True
        self._look_again(poll)
        if poll.state.halted is None and self._by_secret(poll):
            return True
        admitted = self._by_token(poll)
        if admitted is None:
            return False
        if admitted:
            self.states.resumed(poll)
            return True
        if not self._known_to_all(poll) or self.store.has_live(poll.name):
            self.halt(poll)
            return False
        poll.vacant = True  # it stays halted until the new customer is pinned
        return True

    def _known_to_all(self, poll: TenantPoll) -> bool:
        """Whether the name has been halted for so long that nobody uses the old secret."""
        halted = poll.state.halted
        return halted is not None and self.clock() >= halted + self._passes_after

    @property
    def _passes_after(self) -> timedelta:
        return self.state_refresh + _POLL_ENDS

    def _look_again(self, poll: TenantPoll) -> None:
        self.tenants.forget(poll.name)
        poll.tenant = self.tenants.tenant(poll.entry)
        self.states.again(poll, self.clock())

    def _by_secret(self, poll: TenantPoll) -> bool:
        """By what the secret says, and what its client was: that costs nothing."""
        pin, tenant = poll.state.pin, _tenant(poll)
        if pin is None:
            return True
        poll.tenant = replace(tenant, pinned=pin.tenant_id)
        credentials = tenant.credentials
        return pin.admits(credentials.tenant_id, credentials.client_id)

    def _by_token(self, poll: TenantPoll) -> bool | None:
        """By what RAC's token names, where the secret does not decide against them; None if RAC
        does not say: then nobody knows whose credentials they are."""
        pin, tenant = poll.state.pin, replace(_tenant(poll), pinned=None)
        client, named = tenant.credentials.client_id, tenant.credentials.tenant_id
        if pin is None:
            return True
        if named and not pin.admits(named, client):
            poll.tenant = tenant
            return False
        if poll.state.paused(self.clock()):
            poll.count("paused")
            return None
        try:
            with self.broker.session(tenant) as session:
                session.limit(_RAC_SECONDS)
                named = session.tenant_id() or named
        except PortError as error:
            if poll.fail(error):
                self.states.failed(poll, error, self.clock())
            return None
        admitted = pin.admits(named, client)
        poll.tenant = replace(tenant, pinned=pin.tenant_id if admitted else None)
        return admitted

    def confirm(self, poll: TenantPoll, session: BrokerSession) -> PortError | None:
        """Compares what RAC's token names, and pins it if nobody is pinned, or a new client."""
        tenant = _tenant(poll)
        client = tenant.credentials.client_id
        try:
            named = session.tenant_id() or tenant.credentials.tenant_id
        except PortError as error:
            return error
        while True:
            before = poll.state.pin
            if before is None or poll.vacant:
                passed = None if before is None else self.clock()
                pin = first_use(named, client, passed)
            elif before.admits(named, client):
                pin = before.used(named, client)
            else:
                return AnotherTenant(f"RAC's token is of {named or 'another client'}, not {before}")
            if pin == before or self.states.pin(poll, pin):
                break
            self.states.again(poll, self.clock())  # another process has just pinned it
            poll.vacant = False
        if poll.vacant:
            self.states.resumed(poll)
            event("tenant_passed", f"The name was that of {before}, now of {pin}", WARNING)
        poll.tenant = replace(tenant, pinned=pin.tenant_id)
        return None

    def halt(self, poll: TenantPoll) -> None:
        """Nothing is done for the tenant while its name is another customer's."""
        pin, tenant = poll.state.pin, _tenant(poll)
        error = (
            f"Halted: the name {poll.name} belongs to {pin}, but its credentials are another "
            f"customer's. Give it back its own (smartlink tenants rotate {poll.name}); if it is "
            f"the same customer: smartlink tenants adopt {poll.name} --reason …; else end what "
            f"lives under it or use another name: when nothing does, it passes on by itself, "
            f"{self._passes_after.total_seconds() / 60:.0f} minutes after its halt"
        )
        if tenant.credentials.tenant_id:
            error += f" (they name tenant id {tenant.credentials.tenant_id[:80]})"
        self.states.halted(poll, error, self.clock())
        self.recall(poll)


def _tenant(poll: TenantPoll) -> Tenant:
    assert poll.tenant is not None  # noqa: S101  (a tick's tenant is read before)
    return poll.tenant
