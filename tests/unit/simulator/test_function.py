"""The simulator as a function: whoever lacks the run's key finds nothing there."""

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import functions_framework
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from infra.simulator.link_api import TOKEN_PATH
from tests.support.simulator_bundle import TARGET, copy_simulator

KEY = secrets.token_urlsafe(32)
LINK = "/api/v1/link"
SHOWN = {"Authorization": f"Bearer {KEY}"}
PATHS = [
    "/",
    "/simulator/stats",
    "/simulator/options",
    "/simulator/tenants",
    f"{LINK}/get",
    f"{LINK}/setup",
    f"{LINK}/ack",
    f"{LINK}/send/Answer/SGDP",
    TOKEN_PATH,
    "/nothing",
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The deployed files, loaded as functions-framework does."""
    with pytest.MonkeyPatch.context() as patch:
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        patch.setenv("SMARTLINK_ACCEPTANCE_DIGEST", digest)
        source = copy_simulator(tmp_path_factory.mktemp("simulator"))
        app = functions_framework.create_app(target=TARGET, source=str(source))  # type: ignore[no-untyped-call]
        yield app.test_client(use_cookies=False)


def form(secret: str, client_id: str = "id") -> dict[str, str]:
    own = {"grant_type": "client_credentials", "scope": "authorization_api"}
    return {**own, "client_id": client_id, "client_secret": secret}


def registered(client: FlaskClient) -> str:
    """The tenant's token."""
    entry = {"tenant": "t", "clientId": "id", "clientSecret": KEY}
    assert client.post("/simulator/tenants", json=entry, headers=SHOWN).status_code == 201
    answer = client.post(TOKEN_PATH, data=form(KEY))
    assert answer.status_code == 200
    return str(answer.get_json()["access_token"])


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {hashlib.sha256(KEY.encode()).hexdigest()}"},
        {"X-Key": KEY},
    ],
)
def test_nothing_is_there_without_the_key(
    client: FlaskClient, method: str, path: str, headers: dict[str, str]
) -> None:
    """Neither the digest nor a part of the key opens it; all answers are the same."""
    registered(client)
    answer = client.open(path, method=method, headers=headers, data="{}")
    assert (answer.status_code, answer.data) == (404, b"Not found")


@pytest.mark.parametrize("secret", ["", "wrong", KEY[:-1], KEY + "x", "\u00e9"])
def test_no_token_without_the_key(client: FlaskClient, secret: str) -> None:
    answer = client.post(TOKEN_PATH, data=form(secret))
    assert (answer.status_code, answer.data) == (404, b"Not found")


def test_a_tenants_token_opens_the_broker_and_not_the_rest(client: FlaskClient) -> None:
    """What the relay holds cannot change the simulator."""
    own = {"Authorization": f"Bearer {registered(client)}"}
    assert client.get(f"{LINK}/get", headers=own).status_code == 204
    for path in (
        "/simulator/stats",
        "/simulator/sent",
        "/simulator/queues",
        "//simulator/stats",
        "/./simulator/stats",
        "/api/../simulator/stats",
        "/api/%2e%2e/simulator/stats",
        "/api/..%2Fsimulator/stats",
    ):
        assert client.get(path, headers=own).status_code == 404, path
    assert client.post("/simulator/tenants/t/revoke", headers=SHOWN).status_code == 200
    assert client.get(f"{LINK}/get", headers=own).status_code == 404


def test_a_session_goes_through(client: FlaskClient) -> None:
    """Set up, offered, received in its session, acked and answered: as from the simulator."""
    own = {"Authorization": f"Bearer {registered(client)}"}
    setup = client.post(f"{LINK}/setup", json={"subscriptions": ["Ask"]}, headers=own)
    cookie = {"Cookie": setup.headers["Set-Cookie"].partition(";")[0]}
    offer = {"tenant": "t", "messages": [{"id": "m", "type": "Ask", "content": "{}"}]}
    assert client.post("/simulator/offer", json=offer, headers=SHOWN).get_json()["queued"] == 1
    got = client.get(f"{LINK}/get", headers=own | cookie).get_json()
    body = {"deliveryTag": got["deliveryTag"], "ack": True}
    assert client.post(f"{LINK}/ack", json=body, headers=own).status_code == 404  # another session
    assert client.post(f"{LINK}/ack", json=body, headers=own | cookie).status_code == 200
    text = "á" * 300_000
    path = f"{LINK}/send/An%20answer/SGDP"
    sent: TestResponse = client.post(path, data=text.encode(), headers=own)
    assert sent.status_code == 200
    [it] = client.get("/simulator/sent?tenant=t", headers=SHOWN).get_json()
    assert (it["type"], it["audience"], it["content"]) == ("An answer", "SGDP", text)


def test_without_a_digest_nobody_has_the_key(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMARTLINK_ACCEPTANCE_DIGEST")
    assert client.get("/simulator/stats", headers=SHOWN).status_code == 404
    assert client.post(TOKEN_PATH, data=form("")).status_code == 404


def test_it_can_be_loaded_from_its_own_files(tmp_path: Path) -> None:
    """No module of the checkout is missing there, and none is there in vain."""
    from tests.project.test_zip import imports  # noqa: PLC0415
    from tests.support.simulator_bundle import FILES  # noqa: PLC0415

    source = copy_simulator(tmp_path)
    found: set[str] = set()
    waiting = ["main.py"]
    while waiting:
        name = waiting.pop()
        if name in found or not (tmp_path / name).is_file():
            continue
        found.add(name)
        for module in imports(tmp_path / name):
            parts = module.split(".")
            for length in range(1, len(parts) + 1):
                path = "/".join(parts[:length])
                waiting += [f"{path}.py", f"{path}/__init__.py"]
    assert source.is_file()
    assert found == {name for name in FILES if name.endswith(".py")}
