"""`smartlink publish --downstream`: the cloud app's part, played by the local stack's simulator."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.cli.errors import CliError, ForbiddenError, MissingError, UsageError
from infra.cli.offering import Offer, offered
from infra.cli.target import Target
from infra.local.checkout import FUNCTIONS, ROOT
from infra.local.emulators import firestore_emulator
from infra.local.secret_manager import secret_manager
from infra.simulator.running import RunningSimulator, running_simulator
from smartlink.adapters.firestore.operator import OperatorCalls, OperatorFirestore
from smartlink.domain.tenant import TenantState
from tests.contract.backends import started

OFFER = Offer("acme", "EchoCommand", "ação", "RM", "m-1")


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator() as running:
        running.add_tenant("acme", "id", "hush")
        yield running


def target(url: str | None, *, local: bool = True) -> Target:
    return Target("shop", "development", {}, local=local, simulator=url)


def subscribe(simulator: RunningSimulator, *commands: str) -> None:
    simulator.call(lambda it: it.broker.setup("acme", commands))


def waiting(simulator: RunningSimulator) -> list[tuple[object, ...]]:
    return simulator.call(
        lambda it: [
            (message.id, message.type, message.content, message.audience)
            for message in it.broker.queue("acme").waiting
        ]
    )


def test_it_waits_in_the_tenants_queue(simulator: RunningSimulator) -> None:
    """As it was given; without an id the simulator makes one."""
    subscribe(simulator, "EchoCommand")
    assert offered(target(simulator.url), OFFER) == "m-1"
    made = offered(target(simulator.url), Offer("acme", "EchoCommand", "{}"))
    first = ("m-1", "EchoCommand", "ação", "RM")
    assert waiting(simulator) == [first, (made, "EchoCommand", "{}", None)]


def test_what_smart_link_would_lose_is_told(simulator: RunningSimulator) -> None:
    """Before the first poll, and for a type that no command has."""
    with pytest.raises(ForbiddenError, match=r"queue is not set up.*wait for the first poll"):
        offered(target(simulator.url), OFFER)
    subscribe(simulator, "OneCommand", "TwoCommand")
    with pytest.raises(ForbiddenError, match=r"not subscribe EchoCommand.*OneCommand, TwoCommand"):
        offered(target(simulator.url), OFFER)
    assert waiting(simulator) == []


def test_a_tenant_that_is_not_there(simulator: RunningSimulator) -> None:
    """It is named, with the way to add it."""
    with pytest.raises(MissingError, match=r"no tenant globex.*SMARTLINK_LOCAL_TENANTS"):
        offered(target(simulator.url), Offer("globex", "EchoCommand", "{}"))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (target("http://127.0.0.1:9", local=False), r"local stack only: in shop \(development, cl"),
        (target(None), r"needs the simulator.*SMARTLINK_BASE_URL"),
    ],
)
def test_only_a_local_stack_with_a_simulator_can(where: Target, said: str) -> None:
    """In the cloud nobody but Smart Link brings what the cloud app sends."""
    with pytest.raises(UsageError, match=said):
        offered(where, OFFER)


def test_a_simulator_that_is_gone() -> None:
    """A stack that was killed a moment ago."""
    with pytest.raises(CliError, match=r"does not answer \(ConnectionError\): is make local up"):
        offered(target("http://127.0.0.1:9"), OFFER)


@pytest.fixture
def emulators() -> Iterator[Mapping[str, str]]:
    """A stack that knows the tenant."""
    with ExitStack() as stack:
        firestore = started(firestore_emulator(), stack)
        store = OperatorFirestore(OperatorCalls("shop", emulator=firestore))
        store.save_state("acme", TenantState())
        secrets = stack.enter_context(secret_manager())
        yield {
            "FIRESTORE_EMULATOR_HOST": firestore,
            "SECRET_MANAGER_EMULATOR_HOST": secrets,
            "PUBSUB_EMULATOR_HOST": "127.0.0.1:9",
            "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9",
        }


def test_the_command_says_how_to_follow_it(
    simulator: RunningSimulator, emulators: Mapping[str, str], tmp_path: Path
) -> None:
    """On the screen; and `--correlation-id` is refused, as an envelope has none."""
    subscribe(simulator, "EchoCommand")
    stack = {
        "project": "shop",
        "emulators": dict(emulators),
        "baseUrl": simulator.url,
        "racTokenUrl": simulator.rac_token_url,
        "simulator": simulator.url,
        "functions": {"poll": "http://127.0.0.1:9/"},
        "buckets": {"contents": "shop-contents"},
        "configUri": "gs://shop-config/totvsAppConfig_v2.json",
        "pids": {"stack": os.getpid()},
    }
    (tmp_path / "stack.json").write_text(json.dumps(stack))
    environment = {**os.environ, "SMARTLINK_LOCAL_DIR": str(tmp_path), "COLUMNS": "200"}
    environment["PYTHONPATH"] = f"{FUNCTIONS}:{ROOT}"
    call = [sys.executable, "-m", "infra.cli.app", "publish", "acme", "EchoCommand", "--downstream"]

    def run(*more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*call, *more],
            cwd=ROOT,
            env=environment,
            input="{}",
            capture_output=True,
            text=True,
            check=False,
        )

    ran = run("--id", "m-7")
    assert ran.returncode == 0, ran.stderr
    assert (
        "Offered as m-7. The next poll fetches it (at once: curl -s -X POST http://" in ran.stdout
    )
    assert "Follow it: smartlink messages show m-7 --tenant acme" in ran.stdout
    assert [it[0] for it in waiting(simulator)] == ["m-7"]
    assert run("--correlation-id", "c").returncode == 2
