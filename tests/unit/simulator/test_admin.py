"""The simulator's own HTTP API, and its command line."""

import json
import signal
import subprocess
import sys

import requests

from infra.simulator.running import RunningSimulator
from infra.simulator.simulator import Simulator

from .client import Client

ASK = {"tenant": "acme", "command": "SGDPDataCommand", "identifiers": {"CPF": "1"}}


def test_tenants_come_and_go(acme: Client) -> None:
    """One entry or a list; a client id belongs to one tenant."""
    entry = {"tenant": "t1", "clientId": "t1-client", "clientSecret": "x"}
    assert acme.admin("POST", "tenants", entry).status_code == 201
    assert (
        acme.admin(
            "POST", "tenants", [entry, entry | {"tenant": "t2", "clientId": "c2"}]
        ).status_code
        == 201
    )
    assert acme.admin("POST", "tenants", entry | {"tenant": "t3"}).status_code == 409
    t1 = Client(acme.simulator, "t1", "x").login()
    assert t1.get().status_code == 204
    assert acme.admin("DELETE", "tenants/t1").status_code == 204
    assert (t1.get().status_code, t1.token().status_code) == (401, 400)
    assert acme.admin("DELETE", "tenants/t1").status_code == 404


def test_a_mistake_is_explained_without_the_secret(acme: Client) -> None:
    """What was sent is not echoed."""
    answer = acme.admin("POST", "tenants", {"tenant": "t1", "clientSecret": "hush", "oops": 1})
    assert answer.status_code == 400
    assert "clientId" in answer.text
    assert "hush" not in answer.text
    assert acme.admin("POST", "offer", {"tenant": "nobody", "messages": []}).status_code == 404


def test_requests_offers_and_reports(acme: Client) -> None:
    """What the in-process methods do is there over HTTP."""
    assert acme.admin("POST", "requests", ASK | {"requestId": "r1"}).json() == {
        "requestIds": ["r1"]
    }
    assert len(acme.admin("POST", "requests", [ASK, ASK]).json()["requestIds"]) == 2
    assert acme.admin("POST", "requests", ASK | {"requestId": "r1"}).status_code == 409
    assert acme.admin("POST", "requests", [ASK | {"requestId": "r2"}] * 2).status_code == 409
    offer = {"tenant": "acme", "messages": [{"id": "m1", "type": "X", "content": "c"}]}
    assert acme.admin("POST", "offer", offer).json() == {"queued": 1, "lost": 0, "ids": ["m1"]}
    assert acme.admin("GET", "queues").json()["acme"]["waiting"] == 4
    acme.send("X/Y", "hello")
    assert acme.admin("GET", "sent?tenant=acme").json()[0]["content"] == "hello"
    assert len(acme.admin("GET", "requests?tenant=acme&status=Em Processamento").json()) == 3
    assert acme.admin("GET", "requests?status=Processada").json() == []
    stats = acme.admin("GET", "stats").json()
    assert (stats["send"], stats["tenants"]["acme"]["setup"], stats["requests"]) == (
        1,
        1,
        {"Em Processamento": 3},
    )
    assert acme.admin("POST", "tenants/acme/revoke").json() == {"revoked": 1}
    assert acme.admin("GET", "unmatched").json() == []


def test_options_change_in_part(acme: Client) -> None:
    """What is not named stays; what is unknown is refused."""
    assert acme.admin("PUT", "options", {"getBatch": 7}).json()["getBatch"] == 7
    options = acme.admin("GET", "options").json()
    assert (options["getBatch"], options["tokenSeconds"]) == (7, 600)
    assert acme.admin("PUT", "options", {"getBach": 7}).status_code == 400
    assert acme.admin("PUT", "options", {"errorRate": 2}).status_code == 400


def test_reset_starts_anew(acme: Client) -> None:
    """Tenants and changed options are forgotten too."""
    acme.admin("PUT", "options", {"down": True})
    assert acme.admin("POST", "reset").status_code == 204
    assert acme.get().status_code == 401
    assert acme.admin("GET", "queues").json() == {}


def test_a_bulk_offer_is_taken_whole(simulator: RunningSimulator, acme: Client) -> None:
    """A backlog of 100,000 needs no second call."""
    entry = {"type": "X", "content": "{}"}
    assert simulator.offer("acme", (entry for _ in range(100_000)))["queued"] == 100_000
    assert acme.get().json()["content"] == "{}"


def test_the_command_line_says_where_it_listens_and_stops_on_a_signal() -> None:
    """One line of JSON, then service until SIGTERM."""
    command = [
        sys.executable,
        "-m",
        "infra.simulator",
        "--port",
        "0",
        "--options",
        '{"emptyForm": "null"}',
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            place = json.loads(process.stdout.readline())
            options = requests.get(place["baseUrl"] + "/simulator/options", timeout=5).json()
            assert options["emptyForm"] == "null"
            assert place["racTokenUrl"] == place["baseUrl"] + "/totvs.rac/connect/token"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_waits_are_drawn_and_the_same_after_each_seed() -> None:
    """The n-th call of a tenant waits equally long in each run, whatever the others call."""
    simulator = Simulator()

    def waits(*calls: tuple[str, str]) -> list[float]:
        return [simulator.wait(call, who, 0.1) for call, who in calls]

    assert waits(("get", "acme")) == [0.1]
    simulator.configure({"latencySigma": 0.3, "seed": 1})
    first = waits(("get", "acme"), ("get", "acme"))
    assert first[0] != first[1]
    simulator.configure({"seed": 1})
    again = waits(("get", "acme"), ("ack", "acme"), ("get", "zeta"), ("get", "acme"))
    assert [again[0], again[3]] == first
    assert len(set(again)) == len(again)
    drawn = sorted(waits(*[("get", "acme")] * 2_000))
    assert 0.09 < drawn[1_000] < 0.11
    assert simulator.wait("get", "acme", 0) == 0
