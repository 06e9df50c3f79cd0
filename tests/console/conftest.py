"""A deployment on the emulators, and browsers without a screen that look at its pages."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.cli.target import find_target
from infra.local.emulators import firestore_emulator, storage_emulator
from infra.local.secret_manager import secret_manager
from infra.simulator.running import running_simulator
from smartlink.operations.configuration import SAMPLE
from smartlink.operations.rights import Roles, parse_roles
from smartlink.operator_wiring import OperatorWiring
from tests.cli.place import Hosts, Place
from tests.console import samples
from tests.console.browser import Browser, browser_of
from tests.contract.backends import started


@pytest.fixture(scope="session")
def hosts() -> Iterator[Hosts]:
    with ExitStack() as stack:
        yield Hosts(
            started(firestore_emulator(), stack),
            started(storage_emulator(), stack),
            stack.enter_context(secret_manager()),
            stack.enter_context(running_simulator()),
        )


@pytest.fixture(scope="session")
def place(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A project with two tenants, which tests that change nothing share."""
    return filled(Place(hosts, tmp_path_factory.mktemp("console")))


@pytest.fixture
def fresh(hosts: Hosts, tmp_path: Path) -> Place:
    """The same, of this test's own."""
    return filled(Place(hosts, tmp_path / "local"))


def filled(place: Place) -> Place:
    place.make_buckets()
    place.write_config(json.loads(SAMPLE))
    wiring = wired(place)
    for number, tenant in enumerate(("acme", "globex")):
        credentials = {
            "clientId": f"client-{tenant}",
            "clientSecret": "s",
            "environment": "development",
        }
        wiring.secrets.create(tenant, json.dumps(credentials).encode(), None)
        place.store.save_state(tenant, place.store.states([tenant])[tenant])
        place.keep(tenant, *samples.many()[number:])
        place.end(tenant, *samples.ended(f"done-{tenant}"))
    place.keep("acme", *samples.hostile())
    return place


def wired(place: Place) -> OperatorWiring:
    target = find_target(None, None, {"SMARTLINK_LOCAL_DIR": str(place.folder)})
    return OperatorWiring(target.variables, target.title, local_operator="ana@example.com")


Open = Callable[..., Browser]


@pytest.fixture
def browser(place: Place) -> Browser:
    """One who may do everything, in the shared project."""
    return browser_of(wired(place), Roles(everybody=True))


@pytest.fixture
def as_roles(place: Place) -> Callable[[object], Browser]:
    """Makes a browser of somebody with these roles."""

    def made(roles: object) -> Browser:
        text = json.dumps({"ana@example.com": roles})
        return browser_of(wired(place), parse_roles(text, local=False))

    return made
