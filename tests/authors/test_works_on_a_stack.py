"""Steps, batches and secrets of a consumer's own: the real functions, on the official emulators."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from infra.cli.offering import Offer, offered
from infra.cli.target import Target
from infra.local.checkout import CATALOG
from infra.local.settings import LocalSettings
from infra.local.stack import Plan, RunningStack, running_stack
from infra.local.tenants import LocalTenant
from tests.authors.test_reload_of_a_stack import Author
from tests.support.emulators import needs_emulators

PATIENCE = 90  # seconds, on a slow machine
PROJECT = "working"
WORK = """
from smartlink.consumer import Context, Continue, Payload, Reply, consumer


class Work(Payload):
    left: int


@consumer("Work")
def work(payload: Work, context: Context) -> Reply | Continue:
    told = f"{context.step} with {context.secret('bank').decode()}"
    reply = Reply("Worked", told)
    return Continue({"left": payload.left - 1}, reply) if payload.left else reply
"""
POINTS = """
from smartlink.consumer import BatchContext, Item, Payload, Reply, batch_consumer


class Point(Payload):
    person: str


@batch_consumer("Points", at_most=5)
def points(items: list[Item[Point]], context: BatchContext) -> None:
    for item in items:
        item.done(Reply("Pointed", f"{item.payload.person} of {len(items)}"))
"""

pytestmark = needs_emulators


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    author = Author(tmp_path_factory.mktemp("checkout"))
    (author.consumers / "work.py").write_text(WORK)
    (author.consumers / "points.py").write_text(POINTS)
    functions = json.loads(CATALOG.read_bytes())["functions"]
    commands = {
        name: {"module": f"consumers.{name.lower()}", "topic": f"t-{name.lower()}", **more}
        for name, more in (
            ("Work", {"timeoutSeconds": 10, "secrets": ["bank"]}),
            ("Points", {"timeoutSeconds": 10}),
        )
    }
    author.catalog.write_text(json.dumps({"functions": functions, "commands": commands}))
    tenant = {"tenant": "acme", "clientId": "id", "clientSecret": "hush"}
    secrets = {"secrets": {"smartlink-bank-acme": "the key"}}
    plan = Plan(
        project=PROJECT,
        tenants=(LocalTenant.model_validate(tenant | secrets),),
        source=author.folder / "functions" / "main.py",
        catalog=author.catalog,
    )
    with running_stack(LocalSettings(folder=author.folder / "state"), plan) as running:
        running.tick()  # sets the queue up
        yield running


def offer(stack: RunningStack, command: str, *contents: str) -> None:
    target = Target(PROJECT, "development", {}, local=True, simulator=stack.addresses.simulator)
    for content in contents:
        offered(target, Offer("acme", command, content))


def replies(stack: RunningStack, kind: str, number: int) -> list[str]:
    """What the broker got of this type, once it is so many; the stack polls meanwhile."""
    url = f"{stack.addresses.simulator}/simulator/sent"
    deadline = time.monotonic() + PATIENCE
    while True:
        stack.tick()
        found: list[dict[str, Any]] = requests.get(url, timeout=PATIENCE).json()
        mine = [str(it["content"]) for it in found if it["type"] == kind]
        if len(mine) >= number:
            return mine
        assert time.monotonic() < deadline, found


def test_a_work_comes_to_its_end(stack: RunningStack) -> None:
    """Each step with the secret that the catalogue declares, and dispatched by the one before."""
    offer(stack, "Work", '{"left": 2}')
    found = replies(stack, "Worked", 3)
    assert sorted(found) == [f"{step} with the key" for step in (1, 2, 3)]


def test_messages_that_came_together_are_one_call(stack: RunningStack) -> None:
    """As many as the consumer takes."""
    people = [f"p{number}" for number in range(7)]
    offer(stack, "Points", *(json.dumps({"person": person}) for person in people))
    found = replies(stack, "Pointed", 7)
    told = sorted(text.split(" of ") for text in found)
    assert [person for person, _ in told] == people
    assert {number for _, number in told} <= {"5", "2"}
