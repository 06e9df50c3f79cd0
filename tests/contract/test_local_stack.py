"""The local stack on the official emulators, with functions that say what they were called with."""

import base64
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.local.emulators import firestore_emulator, pubsub_emulator, storage_emulator
from infra.local.errors import TickError
from infra.local.ports import HOST, is_free
from infra.local.settings import Broker, LocalSettings
from infra.local.stack import Plan, RunningStack, running_stack
from infra.local.tenants import LocalTenant
from tests.support.emulators import needs_emulators

PATIENCE = 30

FUNCTIONS = """
import json, os, urllib.request
import functions_framework

def tell(target, **details):
    ours = ("SMARTLINK_", "GOOGLE_", "FIRESTORE_", "PUBSUB_", "STORAGE_", "SECRET_MANAGER_")
    environment = {name: value for name, value in os.environ.items() if name.startswith(ours)}
    body = json.dumps({"target": target, "environment": environment, **details}).encode()
    urllib.request.urlopen(os.environ["HOME_URL"], body).close()

@functions_framework.http
def poll(request):
    tell("poll", method=request.method)
    return {} if os.environ.get("POLL_WORKS") else ("broken", 500)

@functions_framework.http
def publish(request):
    return {}

@functions_framework.cloud_event
def poll_shard(event):
    tell("poll_shard", type=event["type"], data=event.data)

@functions_framework.cloud_event
def operate(event):
    tell("operate", type=event["type"], data=event.data)

@functions_framework.cloud_event
def consume(event):
    tell("consume", type=event["type"], data=event.data)
"""

pytestmark = needs_emulators

Heard = queue.SimpleQueue[dict[str, Any]]


@pytest.fixture(scope="module")
def heard() -> Iterator[tuple[str, Heard]]:
    """A place that the functions tell what they were called with."""
    calls: Heard = queue.SimpleQueue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HOST, 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.server_port}", calls
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def stack(
    heard: tuple[str, Heard], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningStack]:
    """The stack."""
    folder = tmp_path_factory.mktemp("stack")
    source = folder / "functions" / "main.py"
    source.parent.mkdir()
    source.write_text(FUNCTIONS)
    tenant = LocalTenant.model_validate(
        {"tenant": "acme", "clientId": "id", "clientSecret": "hush"}
    )
    environment = {
        "HOME_URL": heard[0],
        "POLL_WORKS": "yes",
        "SMARTLINK_TENANTS_REFRESH_SECONDS": "1",
    }
    plan = Plan(project="shop", tenants=(tenant,), environment=environment, source=source)
    with running_stack(LocalSettings(folder=folder / "state"), plan) as running:
        yield running


def publish(stack: RunningStack, topic: str, text: str) -> None:
    """Publish to a topic as the relay does."""
    url = f"http://{stack.addresses.pubsub}/v1/projects/shop/topics/{topic}:publish"
    message = {"data": base64.b64encode(text.encode()).decode()}
    requests.post(url, json={"messages": [message]}, timeout=PATIENCE).raise_for_status()


def test_the_tick_calls_poll(stack: RunningStack, heard: tuple[str, Heard]) -> None:
    """By POST, in the environment that the deployed function has, with local addresses."""
    stack.tick()

    call = heard[1].get(timeout=PATIENCE)
    environment = call["environment"]
    assert (call["target"], call["method"]) == ("poll", "POST")
    assert environment["GOOGLE_CLOUD_PROJECT"] == "shop"
    assert environment["SMARTLINK_ENVIRONMENT"] == "development"
    assert environment["SMARTLINK_COMMAND"] == ""
    assert environment["SMARTLINK_TENANTS_REFRESH_SECONDS"] == "1"
    assert environment["STORAGE_EMULATOR_HOST"].startswith("http://127.0.0.1:")
    for name in ("FIRESTORE", "PUBSUB", "SECRET_MANAGER"):
        assert environment[f"{name}_EMULATOR_HOST"].startswith("127.0.0.1:")
    assert set(json.loads(environment["SMARTLINK_CATALOG"])["commands"]) == set(
        stack.catalog.commands
    )


def test_each_topic_is_pushed_to_its_function(
    stack: RunningStack, heard: tuple[str, Heard]
) -> None:
    """A command's topic to the consumer of that command; those of shards and jobs to theirs."""
    for name, command in stack.catalog.commands.items():
        publish(stack, command.topic, name)
        call = heard[1].get(timeout=PATIENCE)
        assert call["target"] == "consume"
        assert call["type"] == "google.cloud.pubsub.topic.v1.messagePublished"
        assert call["environment"]["SMARTLINK_COMMAND"] == name
        assert base64.b64decode(call["data"]["message"]["data"]).decode() == name

    for target in ("poll_shard", "operate"):
        publish(stack, f"smartlink-{target.replace('_', '-')}", target)
        assert heard[1].get(timeout=PATIENCE)["target"] == target


def test_an_ack_deadline_is_the_functions_time_out(stack: RunningStack) -> None:
    """A push is not repeated while its function may still work on it."""
    url = f"http://{stack.addresses.pubsub}/v1/projects/shop/subscriptions"
    listed = requests.get(url, timeout=PATIENCE).json()["subscriptions"]

    deadlines = {entry["name"].rpartition("/")[2]: entry["ackDeadlineSeconds"] for entry in listed}
    functions = stack.catalog.functions
    for function in stack.catalog.pushed.values():
        assert deadlines.pop(str(function.topic)) == function.timeout
    assert set(deadlines.values()) == {functions.consume.timeout}
    assert len(deadlines) == len(stack.catalog.commands)


def test_configuration_and_secrets_are_there(stack: RunningStack) -> None:
    """The file under its address, both secrets with their labels, the tenant known to RAC."""
    places = stack.addresses
    bucket, _, name = places.config_uri.removeprefix("gs://").partition("/")
    url = f"http://{places.storage}/storage/v1/b/{bucket}/o/{name}?alt=media"
    assert "TotvsAppGlobalConfig" in requests.get(url, timeout=PATIENCE).json()

    secrets = f"http://{places.secret_manager}/v1/projects/shop/secrets"
    listed = requests.get(f"{secrets}?filter=labels.smartlink=tenant", timeout=PATIENCE).json()
    assert [entry["name"].rpartition("/")[2] for entry in listed["secrets"]] == [
        "smartlink-tenant-acme"
    ]
    latest = f"{secrets}/smartlink-erp-acme/versions/latest:access"
    data = requests.get(latest, timeout=PATIENCE).json()["payload"]["data"]
    assert json.loads(base64.b64decode(data))["databaseUrl"].startswith("sqlite:////")

    form = {"client_id": "id", "client_secret": "hush", "grant_type": "client_credentials"}
    form["scope"] = "authorization_api"
    assert requests.post(places.rac_token_url, data=form, timeout=PATIENCE).json()["access_token"]


def test_stack_json_shows_where_all_of_it_is(stack: RunningStack) -> None:
    """Addresses and process ids, never a secret."""
    text = (stack.logs.parent / "stack.json").read_text()

    shown = json.loads(text)
    assert shown["project"] == "shop"
    assert shown["functions"] == dict(stack.addresses.functions)
    assert set(shown["pids"]) == {"stack", *stack.pids}
    assert shown["baseUrl"] == stack.addresses.base_url
    assert "hush" not in text


def test_a_failing_poll_is_told_with_its_log(
    heard: tuple[str, Heard], tmp_path: Path, stack: RunningStack
) -> None:
    """And a stack with a broker of somebody's own starts no simulator; and nothing stays."""
    source = tmp_path / "main.py"
    source.write_text(FUNCTIONS)
    broker = Broker(stack.addresses.base_url, stack.addresses.rac_token_url)
    plan = Plan(project="shop", tenants=(), environment={"HOME_URL": heard[0]}, source=source)

    with running_stack(LocalSettings(folder=tmp_path / "state", broker=broker), plan) as other:
        with pytest.raises(TickError, match=r"answered 500.*poll\.log"):
            other.tick()
        heard[1].get(timeout=PATIENCE)
        assert "simulator" not in other.pids
        assert other.addresses.base_url == broker.base_url
        ports = [
            int(url.rstrip("/").rpartition(":")[2]) for url in other.addresses.functions.values()
        ]

    assert all(is_free(port) for port in ports)
    assert not (tmp_path / "state" / "stack.json").exists()


def test_one_emulator_alone_serves_a_test() -> None:
    """Fixtures start what they need, and no more."""
    with firestore_emulator() as firestore:
        documents = "v1/projects/p/databases/(default)/documents"
        answer = requests.get(f"http://{firestore}/{documents}/a/b", timeout=PATIENCE)
        assert answer.status_code == 404
    with pubsub_emulator() as pubsub:
        answer = requests.put(
            f"http://{pubsub}/v1/projects/p/topics/orders", json={}, timeout=PATIENCE
        )
        assert answer.json() == {"name": "projects/p/topics/orders"}


def test_the_storage_emulator_needs_no_java() -> None:
    """Buckets alone, in a moment."""
    with storage_emulator() as url:
        made = requests.post(f"{url}/storage/v1/b?project=p", json={"name": "b"}, timeout=PATIENCE)
        assert made.json()["name"] == "b"


def test_an_emulator_of_somebody_elses_is_used(
    monkeypatch: pytest.MonkeyPatch, stack: RunningStack
) -> None:
    """Not started again."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", stack.addresses.firestore)

    with firestore_emulator() as host:
        assert host == stack.addresses.firestore
