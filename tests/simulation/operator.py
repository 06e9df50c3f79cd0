"""An operator who acts while everything else goes on, as `smartlink`'s commands do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from smartlink.domain.identity import Direction, document_id
from smartlink.domain.message import DeadReason, State, Stored
from smartlink.domain.pin import first_use
from smartlink.operations.actions import DISCARD, REDRIVE, Action
from smartlink.operations.audit import Note
from smartlink.ports import PortError
from smartlink.services.contents import release
from smartlink.services.order import keys_of, wake
from smartlink.services.settle import Pending, settle_all
from tests.simulation.deployment import Deployment
from tests.simulation.kernel import Process

_REDRIVABLE = {DeadReason.EXHAUSTED, DeadReason.REJECTED, DeadReason.UNKNOWN_OUTCOME}


class Operator:
    """One person, at one terminal."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Does something then; a command that fails is not given again."""

        def work() -> None:
            try:
                act()
            except PortError as error:
                self._deployment.kernel.say(f"the operator's command fails: {error}")

        self._deployment.kernel.spawn(self._process(), work, when)

    def _process(self) -> Process:
        return self._deployment.new_process("operator")

    def redrive(self, tenant: str) -> None:
        """All dead messages that may be executed again. Not what is kept beside another one of
        its id: that may be the same message."""

        def wanted(stored: Stored) -> bool:
            message = stored.message
            own = document_id(Direction.DOWNSTREAM, message.id) == message.document
            return own and message.dead_reason in _REDRIVABLE

        self._act(REDRIVE, tenant, wanted)

    def discard(self, tenant: str) -> None:
        """All dead messages."""
        self._act(DISCARD, tenant, lambda _: True)

    def _act(self, action: Action, tenant: str, wanted: Callable[[Stored], bool]) -> None:
        deployment = self._deployment
        process = self._process()
        store = deployment.port(process, "store", deployment.store)
        contents = deployment.port(process, "contents", deployment.contents)
        now = deployment.kernel.clock(process)
        note = Note("operator@example.com", "it was looked into", now, now + timedelta(days=90))
        odd = deployment.unreadable(tenant)
        dead = [
            it
            for it in deployment.store.live(tenant).values()
            if it.message.state is State.DEAD
            and it.message.document not in odd
            and it.message.direction is Direction.DOWNSTREAM
            and wanted(it)
        ]
        deployment.kernel.say(f"the operator wants to {action.name} {len(dead)} of {tenant}")
        deployment.kernel.sleep(5)  # what was listed may have changed
        for stored in dead:
            claim = stored.message.claim.id if stored.message.claim else ""
            pending = Pending(action.settle(stored, note), claim, stored)
            settled = settle_all(store, tenant, [pending])
            if action.ends and settled.written:
                wake(store, tenant, keys_of([stored]), note.at)
                release(contents, stored.message, note.at)

    def switch(self, tenant: str, *, enabled: bool) -> None:
        """Disables the tenant, or enables it again, which ends its pause too."""
        deployment = self._deployment
        deployment.kernel.say(f"the operator {'enables' if enabled else 'disables'} {tenant}")
        deployment.secrets.put(tenant, deployment.payload(tenant, enabled=enabled))
        deployment.secrets.touch(tenant)
        state = deployment.store.states([tenant])[tenant]
        if enabled and (state.failures or state.paused_until):
            deployment.store.save_state(tenant, replace(state, failures=0, paused_until=None))
        deployment.store.announce_change()

    def give(self, tenant: str, credentials: dict[str, str]) -> None:
        """Gives the name other credentials, of its customer or of another one."""
        deployment = self._deployment
        deployment.kernel.say(f"the operator GIVES {tenant} the credentials {credentials}")
        deployment.credentials[tenant] = credentials
        deployment.given[tenant] = deployment.kernel.clock()
        deployment.secrets.put(tenant, deployment.payload(tenant))
        if not deployment.by_hand:
            deployment.secrets.touch(tenant)

    def give_back(self, tenant: str, both: tuple[dict[str, str], dict[str, str]]) -> None:
        """Gives the name back the credentials that it had before those it has now."""
        now = self._deployment.credentials[tenant]
        self.give(tenant, both[0] if now == both[1] else both[1])

    def adopt(self, tenant: str) -> None:
        """Says that the credentials are of the same customer as what lives under the name."""
        deployment, store = self._deployment, self._deployment.store
        state = store.states([tenant])[tenant]
        credentials = deployment.credentials[tenant]
        client = credentials["clientId"]
        named = deployment.broker.tenant_ids.get(client) or credentials.get("tenantId")
        pin = first_use(named, client)
        if state.pin is None or not store.pin(tenant, pin, state.pin):
            return
        deployment.kernel.say(f"the operator ADOPTS {tenant}")
        deployment.broker.adopted.add(tenant)
        known = replace(state, pin=pin)
        changed = replace(
            known, halted=None, failures=0, paused_until=None, adopted="it is the same"
        )
        store.save_state(tenant, changed, known)
        store.announce_change()
