"""Identity: the messages under a tenant's name belong to the customer to whom the name is pinned.

The first use of a name pins it to a customer (see domain/pin.py). Another customer's credentials
*halt* the name while it has live messages: with these credentials the relay sweeps, sends and
receives nothing, and it recalls the messages that are dispatched already. Before the relay halts a
name it reads the secret and the state again, because this process may know only half of a rotation.

    before anything:      the relay compares the tenant id or the client in the secret with the pin
    in the first session: it compares what RAC's token names; if there is no pin, it pins that
    at each call:         RAC's adapter compares the token, which may have been fetched again

A name without live messages passes to the new customer, but not at once: another process may
still use the old secret and store messages that it receives. That process learns of the halt when
it reads the state again. So the name passes only after the time in which every process has read
the state and has ended its poll.
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
"""The longest time that a poll goes on with a state that it has read, and that clocks differ."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Decides whether a tenant's credentials belong to the customer to whom its name is pinned."""

    states: States
    store: TenantStates
    tenants: Tenants
    broker: Broker
    clock: Clock
    recall: Recall
    state_refresh: timedelta  # how long a process may not know of a halt

    def admits(self, poll: TenantPoll) -> bool:
        """Tells whether the poll may use the tenant's credentials; halts the name if it may not.

        Raises PortError if the database fails, and TenantError if the secret is not valid: the
        poll may not use the credentials then either.
        """
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
        poll.vacant = True  # the name stays halted until the new customer is pinned
        return True

    def _known_to_all(self, poll: TenantPoll) -> bool:
        """Tells whether the halt has lasted so long that no process uses the old secret."""
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
        """Compares the secret's tenant id and client with the pin, which costs no call."""
        pin, tenant = poll.state.pin, _tenant(poll)
        if pin is None:
            return True
        poll.tenant = replace(tenant, pinned=pin.tenant_id)
        credentials = tenant.credentials
        return pin.admits(credentials.tenant_id, credentials.client_id)

    def _by_token(self, poll: TenantPoll) -> bool | None:
        """Compares what RAC's token names with the pin, unless the secret decides already.

        Returns None if RAC does not answer: then nobody knows whose credentials they are.
        """
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
        """Compares what RAC's token names with the pin; pins a first customer or a new client.

        Returns the failure, or None.
        """
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
            self.states.again(poll, self.clock())  # another process has just pinned the name
            poll.vacant = False
        if poll.vacant:
            self.states.resumed(poll)
            event("tenant_passed", f"The name was that of {before}, now of {pin}", WARNING)
        poll.tenant = replace(tenant, pinned=pin.tenant_id)
        return None

    def halt(self, poll: TenantPoll) -> None:
        """Halts the name, because its credentials are another customer's, and recalls its
        dispatches."""
        pin, tenant = poll.state.pin, _tenant(poll)
        error = (
            f"Halted: the name {poll.name} belongs to {pin}, but its credentials are another "
            f"customer's. Give it back its own (smartlink tenants rotate {poll.name}); if it is "
            f"the same customer: smartlink tenants adopt {poll.name} --reason …; else end what "
            f"lives under it or use another name: when nothing does, it passes on by itself, "
            f"{self._passes_after.total_seconds() / 60:.1f} minutes after its halt"
        )
        if tenant.credentials.tenant_id:
            error += f" (they name tenant id {tenant.credentials.tenant_id[:80]})"
        self.states.halted(poll, error, self.clock())
        self.recall(poll)


def _tenant(poll: TenantPoll) -> Tenant:
    assert poll.tenant is not None  # noqa: S101  (`_open` has read the tenant before)
    return poll.tenant
