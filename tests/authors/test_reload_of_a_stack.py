"""A running stack on the official emulators takes up what an author saves."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.cli.offering import Offer, offered
from infra.cli.target import Target
from infra.local.checkout import CATALOG, FUNCTIONS
from infra.local.reload import Reload
from infra.local.settings import LocalSettings
from infra.local.stack import Plan, RunningStack, running_stack
from infra.local.tenants import LocalTenant
from tests.support.emulators import needs_emulators

PATIENCE = 60
PROJECT = "reloaded"
CONSUMER = """
from smartlink.consumer import Context, Reply, consumer

@consumer("{command}")
def answer(content: str, context: Context) -> Reply:
    return Reply("Answer", "{answer}")
"""

pytestmark = needs_emulators


class Author:
    """Somebody who edits a checkout while its stack runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = folder / "catalog.json"
        without = shutil.ignore_patterns("__pycache__", "consumers")
        shutil.copytree(FUNCTIONS, folder / "functions", ignore=without)
        self.consumers = folder / "functions" / "consumers"
        self.consumers.mkdir()
        (self.consumers / "__init__.py").touch()
        self.said: list[str] = []

    def writes(self, command: str, answer: str) -> None:
        text = CONSUMER.format(command=command, answer=answer)
        (self.consumers / f"{command.lower()}.py").write_text(text)

    def lists(self, *commands: str) -> None:
        entries = {
            command: {
                "module": f"consumers.{command.lower()}",
                "topic": f"topic-{command.lower()}",
                "timeoutSeconds": 10,
            }
            for command in commands
        }
        functions = json.loads(CATALOG.read_bytes())["functions"]
        self.catalog.write_text(json.dumps({"functions": functions, "commands": entries}))

    def hears(self, reload: Reload) -> str:
        """What the stack says of the change, once it has come to rest."""
        self.said.clear()
        until(lambda: looked(reload) and self.said)
        [line] = self.said
        return line


def until(there: Callable[[], object]) -> None:
    """Ask again and again; what is asked takes its time."""
    deadline = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < deadline


def looked(reload: Reload) -> bool:
    reload.look()
    return True


def ticked(stack: RunningStack) -> bool:
    stack.tick()
    return True


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Author:
    made = Author(tmp_path_factory.mktemp("checkout"))
    made.writes("Echo", "one")
    made.lists("Echo")
    return made


@pytest.fixture(scope="module")
def stack(author: Author) -> Iterator[RunningStack]:
    tenant = {"tenant": "acme", "clientId": "id", "clientSecret": "hush"}
    plan = Plan(
        project=PROJECT,
        tenants=(LocalTenant.model_validate(tenant),),
        source=author.folder / "functions" / "main.py",
        catalog=author.catalog,
    )
    with running_stack(LocalSettings(folder=author.folder / "state"), plan) as running:
        yield running


def answers(stack: RunningStack, command: str) -> str:
    """What the command's consumer answers to a message that the cloud app sends."""
    simulator = stack.addresses.simulator
    before = len(sent(stack))
    target = Target(PROJECT, "development", {}, local=True, simulator=simulator)
    offered(target, Offer("acme", command, "{}"))
    until(lambda: ticked(stack) and len(sent(stack)) > before)
    return str(sent(stack)[-1]["content"])


def sent(stack: RunningStack) -> list[dict[str, Any]]:
    url = f"{stack.addresses.simulator}/simulator/sent"
    found: list[dict[str, Any]] = requests.get(url, timeout=PATIENCE).json()
    return found


def topics(stack: RunningStack) -> set[str]:
    url = f"http://{stack.addresses.pubsub}/v1/projects/{PROJECT}/topics"
    listed = requests.get(url, timeout=PATIENCE).json()["topics"]
    return {topic["name"].rpartition("/")[2] for topic in listed}


def test_a_stack_takes_up_what_is_saved(author: Author, stack: RunningStack) -> None:
    """A changed consumer, a broken one, commands added and removed, a broken catalogue."""
    reload = Reload(stack, author.said.append)
    stack.tick()  # sets the queue up
    before = stack.pids
    author.writes("Echo", "two, and longer")
    assert "echo.py changed: restarted consume-Echo (" in author.hears(reload)
    assert {name for name, pid in stack.pids.items() if pid != before[name]} == {"consume-Echo"}
    assert answers(stack, "Echo") == "two, and longer"

    before = stack.pids
    (author.consumers / "echo.py").write_text("def answer(:\n")
    assert (
        "consumers/echo.py, line 1: SyntaxError: invalid syntax. The functions stay"
        in author.hears(reload)
    )
    assert stack.pids == before

    author.writes("Greet", "hello")
    author.lists("Greet")
    line = author.hears(reload)
    assert "added consume-Greet; removed consume-Echo; restarted poll, poll_shard, pub" in line
    # What was taken away stays subscribed for a while: an older poll may still know it.
    until(lambda: ticked(stack) and "Greet" in subscribed(stack))
    assert answers(stack, "Greet") == "hello"
    assert topics(stack) == {"topic-greet", "smartlink-poll-shard", "smartlink-operate"}
    shown = json.loads((author.folder / "state" / "stack.json").read_text())
    own = {"poll", "poll_shard", "publish", "operate"}
    assert shown["functions"].keys() == {*own, "consume-Greet"}
    assert shown["pids"].items() >= stack.pids.items()

    before = stack.pids
    author.catalog.write_text("{")
    assert "catalogue is not valid" in author.hears(reload)
    assert stack.pids == before


def subscribed(stack: RunningStack) -> list[str]:
    url = f"{stack.addresses.simulator}/simulator/queues"
    found: list[str] = requests.get(url, timeout=PATIENCE).json()["acme"]["subscriptions"]
    return found
