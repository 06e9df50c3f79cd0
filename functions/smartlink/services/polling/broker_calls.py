"""Opens a tenant's session with the broker, sets its queue up, and decides what a failure means."""

from collections.abc import Callable
from dataclasses import dataclass

from smartlink.domain.identity import digest
from smartlink.observability import ERROR, INFO, event
from smartlink.ports import (
    AnotherTenant,
    Broker,
    BrokerSession,
    Busy,
    Clock,
    CredentialsRefused,
    PortError,
)
from smartlink.services.polling.identity import Identity
from smartlink.services.polling.known_commands import KnownCommands
from smartlink.services.polling.states import States
from smartlink.services.polling.tenant_poll import TenantPoll
from smartlink.services.tenants import Tenants
from smartlink.settings import Settings

Calls = Callable[[BrokerSession], PortError | None]
"""A function that talks to the broker and returns the failure of the broker or RAC, or None."""


@dataclass(frozen=True, slots=True)
class BrokerCalls:
    """Runs a tenant's calls of the broker. All sending and receiving goes through it."""

    settings: Settings
    clock: Clock
    tenants: Tenants
    states: States
    broker: Broker
    identity: Identity
    commands: KnownCommands

    def __call__(self, poll: TenantPoll, calls: Calls) -> bool:
        """Runs `calls` in a session with the broker; tells whether no call failed."""
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
        cut_off = self.clock() >= poll.ends or isinstance(failure, Busy)  # by the relay itself
        if poll.fail(failure) and not cut_off:
            self._judge(poll, failure)
        return False

    def _judge(self, poll: TenantPoll, failure: PortError) -> None:
        """Notes that the tenant failed, which pauses it; but only if the broker accepted nothing.

        If the broker accepted a message in this poll, only the receiving failed: that is logged.
        """
        if poll.accepted and not isinstance(failure, CredentialsRefused):
            event("receive_failed", f"Sending goes, receiving does not: {failure}", ERROR)
        else:
            self.states.failed(poll, failure, self.clock())

    def begin(self, poll: TenantPoll, session: BrokerSession) -> PortError | None:
        """Checks whose credentials these are, and sets the tenant's queue up if its commands
        changed.

        Returns the failure, or None. The broker silently loses messages of a tenant without a
        queue. The queue is set up for the commands of other live deployments too. Another
        deployment may begin at any instant, so their commands are read before each setup and again
        after it.
        """
        failure = self.identity.confirm(poll, session)
        if failure is not None or self._is_set_up(poll):
            return failure
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
