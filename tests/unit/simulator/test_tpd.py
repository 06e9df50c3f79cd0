"""TPD asks, an ERP answers over HTTP."""

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest

from infra.simulator.running import RunningSimulator
from infra.simulator.tpd import Ask

from .client import Client, Clock

DATA = {"applicationId": "RM", "response": {"people": {"models": {"PPessoa": [{"CPF": "1"}]}}}}
ATTRIBUTE = {
    "type": "string",
    "sgdpData": {"sensitive": False},
    "sgdpPurposes": [],
    "reason": "law",
}
MASK = {
    "applicationId": "RM",
    "exceptionAttributes": {"PPessoa": {"attributes": {"CPF": ATTRIBUTE}}},
}
LOGS = {"logs": [{"uuid": "1", "action": "LOAD", "ids": {}, "data": {}}]}
BODIES: dict[str, dict[str, Any]] = {
    "SGDPDataCommand": DATA,
    "SGDPMaskCommand": MASK,
    "SGDPLogsCommand": LOGS,
}


Style = Literal["totvs", "cloudevents"]
Command = Literal["SGDPDataCommand", "SGDPMaskCommand", "SGDPLogsCommand"]
COMMANDS: dict[str, Command] = {
    "SGDPDataResponse": "SGDPDataCommand",
    "SGDPMaskResponse": "SGDPMaskCommand",
    "SGDPLogsResponse": "SGDPLogsCommand",
}


def totvs(request_id: str, body: dict[str, Any]) -> str:
    return json.dumps({"HEADER": {"TenantId": "acme"}, "Content": {"requestID": request_id} | body})


def cloud_event(request_id: str, body: dict[str, Any]) -> str:
    return json.dumps({"specversion": "1.0", "type": "x", "data": {"requestID": request_id} | body})


def only(simulator: RunningSimulator) -> dict[str, object]:
    (request,) = simulator.requests()
    return request


@pytest.mark.parametrize("style", ["totvs", "cloudevents"])
@pytest.mark.parametrize("command", BODIES)
def test_a_request_is_answered(
    simulator: RunningSimulator, acme: Client, clock: Clock, style: Style, command: Command
) -> None:
    """From "Em Processamento" to "Processada", in both styles."""
    acme.setup(command)
    response = command.replace("Command", "Response")
    (request_id,) = simulator.ask(
        Ask(tenant="acme", command=command, identifiers={"CPF": "1"}, to_verify=True, style=style)
    )
    assert only(simulator)["status"] == "Em Processamento"
    content = json.loads(acme.get().json()["content"])
    asked = content["content"] if style == "totvs" else content["data"]
    expected = {"requestID": request_id, "identifiers": {"CPF": "1"}}
    assert asked == (expected | {"toVerify": True} if command == "SGDPMaskCommand" else expected)
    clock.advance(1)
    answer = (totvs if style == "totvs" else cloud_event)(request_id, BODIES[command])
    acme.send(f"{response}/SGDP", answer)
    acme.send(f"{response}/SGDP", answer)
    seen = only(simulator)
    assert (seen["status"], seen["answers"], seen["answer"]) == ("Processada", 2, answer)
    assert str(seen["requestedAt"]) < str(seen["answeredAt"])


@pytest.mark.parametrize(
    ("response", "body", "problem"),
    [
        ("SGDPDataResponse", {"applicationId": "RM"}, "response is not an object"),
        ("SGDPDataResponse", {"response": {}}, "applicationId is not a text"),
        (
            "SGDPDataResponse",
            {"applicationId": "RM", "response": {"g": {"models": {"C": {}}}}},
            "response.g.models.C is not a list",
        ),
        ("SGDPMaskResponse", {"applicationId": "RM"}, "exceptionAttributes is not an object"),
        ("SGDPLogsResponse", {"logs": {}}, "logs is not a list"),
    ],
)
def test_a_malformed_answer_is_recorded_and_turns_nothing(
    simulator: RunningSimulator, acme: Client, response: str, body: dict[str, object], problem: str
) -> None:
    """The request says what is wrong with its answer."""
    simulator.ask(Ask(tenant="acme", command=COMMANDS[response], identifiers={}, request_id="r1"))
    acme.send(f"{response}/SGDP", totvs("r1", body))
    seen = only(simulator)
    assert (seen["status"], seen["answers"], seen["problem"]) == ("Em Processamento", 1, problem)


def test_an_answer_of_another_type_does_not_count_as_one(
    simulator: RunningSimulator, acme: Client
) -> None:
    """A request for logs is not answered by data."""
    simulator.ask(Ask(tenant="acme", command="SGDPLogsCommand", identifiers={}, request_id="r1"))
    acme.send("SGDPDataResponse/SGDP", totvs("r1", DATA))
    assert only(simulator)["problem"] == "SGDPDataResponse does not answer SGDPLogsCommand"


def test_a_good_answer_repairs_a_malformed_one(simulator: RunningSimulator, acme: Client) -> None:
    """A problem is the last answer's."""
    simulator.ask(Ask(tenant="acme", command="SGDPDataCommand", identifiers={}, request_id="r1"))
    acme.send("SGDPDataResponse/SGDP", totvs("r1", {}))
    acme.send("SGDPDataResponse/SGDP", totvs("r1", DATA))
    assert (only(simulator)["status"], only(simulator)["problem"]) == ("Processada", None)


@pytest.mark.parametrize(
    "content", ["not JSON", "[]", "{}", "[" * 100_000, totvs("nobody", DATA), '{"header": {}}']
)
def test_an_answer_to_nothing_is_unmatched(
    simulator: RunningSimulator, acme: Client, content: str
) -> None:
    """It is counted, and kept with the reason."""
    assert acme.send("SGDPDataResponse/SGDP", content).status_code == 200
    assert simulator.stats()["unmatchedAnswers"] == 1
    assert simulator.unmatched()[0]["reason"]


def test_a_tenant_cannot_answer_for_another(
    simulator: RunningSimulator, acme: Client, client_of: Callable[[str], Client]
) -> None:
    """Tenants stay apart, also where their request ids are the same."""
    simulator.ask(Ask(tenant="acme", command="SGDPDataCommand", identifiers={}, request_id="r1"))
    client_of("globex").send("SGDPDataResponse/SGDP", totvs("r1", DATA))
    assert only(simulator)["status"] == "Em Processamento"
    assert simulator.stats()["unmatchedAnswers"] == 1
    assert acme.send("SGDPDataResponse/OTHER", totvs("r1", DATA)).status_code == 200
    assert only(simulator)["answers"] == 0


def test_a_request_made_before_setup_waits_for_ever(
    simulator: RunningSimulator, client_of: Callable[[str], Client]
) -> None:
    """Pain 2: its message is lost, silently."""
    simulator.ask(Ask(tenant="acme", command="SGDPDataCommand", identifiers={}))
    client = client_of("acme")
    client.setup("SGDPDataCommand")
    assert client.get().status_code == 204
    assert only(simulator)["status"] == "Em Processamento"
    assert simulator.stats()["lostBeforeSetup"] == 1


def test_a_command_nobody_subscribed_is_lost(simulator: RunningSimulator, acme: Client) -> None:
    """Routing is by type."""
    simulator.ask(Ask(tenant="acme", command="SGDPMaskCommand", identifiers={}))
    assert acme.get().status_code == 204
    assert simulator.stats()["lostUnsubscribed"] == 1
