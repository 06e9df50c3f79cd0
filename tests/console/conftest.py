"""A deployment on the emulators, and browsers without a screen that look at its pages."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.cli.target import find_target
from infra.local.emulators import firestore_emulator, storage_emulator
from infra.local.secret_manager import secret_manager
from infra.simulator.running import running_simulator
from smartlink.adapters.firestore.jobs import FirestoreJobs
from smartlink.adapters.firestore.operator import OperatorCalls, OperatorFirestore
from smartlink.adapters.google.failures import PATIENCE, Patience
from smartlink.operations.configuration import SAMPLE
from smartlink.operations.rights import Roles, parse_roles
from smartlink.operator_wiring import OperatorWiring
from tests.cli.place import Hosts, Place
from tests.console import samples
from tests.console.browser import Browser, browser_of
from tests.contract.backends import _text_instead, started


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


def watched(
    wiring: OperatorWiring, place: Place, interceptor: object, patience: Patience = PATIENCE
) -> OperatorWiring:
    """The same, whose calls to the messages' database pass by an interceptor."""
    calls = OperatorCalls(
        place.project,
        emulator=place.hosts.firestore,
        interceptors=[interceptor],
        patience=patience,
    )
    wiring.__dict__["store"] = OperatorFirestore(calls)
    wiring.__dict__["jobs"] = FirestoreJobs(calls)
    return wiring


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


@pytest.fixture(scope="session")
def troubled(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Browser, str]:
    """A project in which all of it has happened, and the job that somebody began."""
    wiring = wired(filled(Place(hosts, tmp_path_factory.mktemp("alerts"))))
    state = wiring.store.states(["acme"])["acme"]
    until = wiring.now() + timedelta(minutes=30)
    paused = replace(state, failures=5, paused_until=until, last_error="RAC answered 503")
    wiring.store.save_state("acme", paused)
    name = f"{wiring.store._calls.root}/tenants/acme/GTotvsLinkMessage/D-dead-2"  # noqa: SLF001
    wiring.store._calls.write_each("break it", [_text_instead(name, "Situacao")])  # noqa: SLF001
    browser = browser_of(wiring, Roles(everybody=True))
    fields: dict[str, Any] = {"action": "discard", "which": "all", "tenant": "globex"}
    look = re.search(r'name="look" value="(\w+)"', browser.post("/selection", **fields).text)
    assert look
    fields["look"] = look[1]
    answer = browser.post("/jobs", 303, reason="an old batch", **fields)
    return browser, answer.headers["Location"].rpartition("/")[2]
