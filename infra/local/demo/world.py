"""What the demo needs of a running relay, on emulators or in one process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from infra.local.errors import SettingError
from infra.local.firestore_view import COLLECTIONS, FirestoreView
from infra.local.rest import Json, Rest
from infra.local.settings import LocalSettings
from infra.local.stack import Plan, RunningStack, running_stack


class World(Protocol):
    """A relay, and the simulator that it calls."""

    @property
    def mode(self) -> str:
        """How the relay runs: `emulators` or `in-process`."""
        ...

    @property
    def simulator(self) -> str:
        """The simulator's URL."""
        ...

    def tick(self) -> None:
        """Poll once."""
        ...

    def check(self) -> None:
        """Raise if a part of the relay has died."""
        ...

    def documents(self, tenant: str, collection: str) -> list[Json]:
        """Read a tenant's collection."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Count the three collections over all tenants."""
        ...

    def clues(self) -> list[str]:
        """Collect the failures in its logs, the newest last."""
        ...


class EmulatorWorld:
    """The functions run as processes, on the emulators."""

    mode = "emulators"

    def __init__(self, stack: RunningStack) -> None:
        """Raises SettingError if the stack has no simulator."""
        self._stack = stack
        places = stack.addresses
        if places.simulator is None:
            message = "The demo needs the simulator."
            raise SettingError(message)
        self.simulator = places.simulator
        self._view = FirestoreView(Rest(), places.firestore, places.project)

    def tick(self) -> None:
        """See World."""
        self._stack.tick()

    def check(self) -> None:
        """See World."""
        self._stack.supervisor.check()

    def documents(self, tenant: str, collection: str) -> list[Json]:
        """See World."""
        return self._view.documents(tenant, collection)

    def counts(self) -> Mapping[str, int]:
        """See World."""
        return {collection: self._view.count(collection) for collection in COLLECTIONS}

    def clues(self) -> list[str]:
        """See World."""
        return [
            f"{child.log.name}: {line}"
            for child in self._stack.supervisor.children
            for line in child.complaints()
        ]


@contextmanager
def emulator_world(settings: LocalSettings, plan: Plan) -> Iterator[World]:
    """Start the stack."""
    with running_stack(settings, plan) as stack:
        yield EmulatorWorld(stack)
