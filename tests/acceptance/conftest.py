"""The emulators, and a place of each test's own on them."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from infra.acceptance.calls import Calls, EmulatorCalls
from infra.acceptance.place import Place
from infra.local.emulators import firestore_emulator, pubsub_emulator, storage_emulator
from infra.local.rest import Rest
from infra.local.secret_manager import secret_manager
from smartlink.settings import Settings
from tests.acceptance.place import place_of, settings
from tests.contract.backends import started


@pytest.fixture(scope="session")
def hosts() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        yield {
            "firestore": started(firestore_emulator(), stack),
            "pubsub": started(pubsub_emulator(), stack),
            "storage": stack.enter_context(storage_emulator()),
            "secret_manager": stack.enter_context(secret_manager()),
        }


@pytest.fixture
def config(hosts: dict[str, str]) -> Settings:
    """A project with what the local stack makes: the bucket, and each push subscription."""
    found = settings(f"accept-{uuid.uuid4().hex[:10]}", **hosts)
    rest = Rest()
    bucket = {"name": found.bucket}
    rest.call("POST", f"{hosts['storage']}/storage/v1/b?project={found.project}", bucket)
    parent = f"projects/{found.project}"
    functions = found.catalog.functions
    pushed = [(str(it.topic), it.timeout) for it in found.catalog.pushed.values()]
    commands = [(it.topic, functions.consume.timeout) for it in found.catalog.commands.values()]
    for topic, seconds in (*pushed, *commands):
        rest.call("PUT", f"http://{hosts['pubsub']}/v1/{parent}/topics/{topic}", {})
        subscription = {"topic": f"{parent}/topics/{topic}", "ackDeadlineSeconds": seconds}
        path = f"{parent}/subscriptions/{topic}"
        rest.call("PUT", f"http://{hosts['pubsub']}/v1/{path}", subscription)
    return found


@pytest.fixture
def calls(config: Settings) -> Calls:
    return EmulatorCalls(config)


@pytest.fixture
def place(config: Settings, calls: Calls) -> Place:
    return place_of(config, calls, local=True, real_time=True)
