"""What the law wants besides: order, the log of who was masked, its retention, the copies."""

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from consumers.sgdp.database import access_log, access_titulares
from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_logs import answer_with_logs as logs
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import Consumer, Context, FatalError, consumer
from smartlink.domain.message import State
from smartlink.operations.tpd_report import gather_report
from smartlink.operations.tpd_report_view import report_view
from tests.erp import university
from tests.erp.university import cpf_of, name_of
from tests.support.tpd import NOW, Tpd
from tests.support.world import World
from tests.unit.operations.desk import Desk, Store

KEYS = ["k" * 32]
PERSON = 60  # of whom the law keeps something
FREE = 7  # of whom it keeps nothing


def email_of(number: int) -> str:
    return f"Pessoa.{number}@pessoas.example"


CONSUMERS: dict[str, Consumer] = {it.command: it for it in (data, mask, logs)}


def tpd_catalog() -> str:
    entry = {"timeoutSeconds": 60, "personal": True, "erp": True}
    commands = {
        name: entry | {"module": "consumers.x", "topic": f"topic-{name.lower()}"}
        for name in CONSUMERS
    }
    functions: dict[str, dict[str, object]] = {
        "poll": {"timeoutSeconds": 60},
        "publish": {"timeoutSeconds": 60},
        "poll_shard": {"timeoutSeconds": 60, "topic": "topic-shards"},
        "consume": {"timeoutSeconds": 540},
    }
    return json.dumps({"functions": functions, "commands": commands})


class TpdWorld(World):
    """The relay with TPD's own consumers, and a hand that makes a command fail for good."""

    failing = ""

    def _consumer(self, command: str) -> Consumer:
        @consumer(command)
        def fail(_content: str, _context: Context) -> None:
            message = "a request that nobody can answer"
            raise FatalError(message)

        return fail if command == self.failing else CONSUMERS[command]


@dataclass
class Deployment:
    """The whole relay on its twins, and an ERP on a real database."""

    erp: Tpd
    world: TpdWorld = field(init=False)

    def __post_init__(self) -> None:
        self.world = TpdWorld(catalog_json=tpd_catalog())
        self.world.secrets.put_erp("acme", self.erp.payload)
        self.world.secrets.put_titular("acme", json.dumps({"keys": KEYS}).encode())
        self.world.minutes(2)

    def ask(self, command: str, name: str, **identifiers: str) -> None:
        self.send(command, name, {"requestID": name, "identifiers": identifiers})

    def send(self, command: str, name: str, body: object) -> None:
        content = json.dumps({"header": {"type": command}, "content": body})
        self.world.broker.offer("acme", command, content, message_id=name)

    def answer(self, name: str) -> dict[str, Any]:
        contents = [json.loads(text)["content"] for text in self.world.replies_to("acme")]
        (found,) = [it for it in contents if it["requestID"] == name]
        content: dict[str, Any] = found
        return content


@pytest.fixture
def deployment(erp: Tpd) -> Deployment:
    return Deployment(erp)


@pytest.mark.parametrize(
    "by",
    [
        {"CPF": cpf_of(FREE)},
        {"CPF": f" {cpf_of(FREE)[:9]}-{cpf_of(FREE)[9:]}"},
        {"EMAIL": email_of(FREE).upper()},
    ],
    ids=["cpf", "written otherwise", "e-mail"],
)
def test_a_data_request_is_answered_before_the_mask(
    deployment: Deployment, by: dict[str, str]
) -> None:
    """Though the mask comes first, and names the person by something else."""
    deployment.ask("SGDPMaskCommand", "mask", CPF=cpf_of(FREE))
    deployment.ask("SGDPDataCommand", "data", **by)
    deployment.world.minutes(5)
    assert name_of(FREE) in json.dumps(deployment.answer("data"), ensure_ascii=False)
    assert deployment.answer("mask")["requestID"] == "mask"
    assert deployment.erp.run(data, {"requestID": "r", "identifiers": by}, "m9")["response"] == {}


def test_a_mask_waits_for_a_dead_data_request_of_the_person_alone(deployment: Deployment) -> None:
    """Nothing is masked that a request was not answered about, until a person decides."""
    deployment.world.failing = "SGDPDataCommand"
    deployment.ask("SGDPDataCommand", "data", CPF=cpf_of(PERSON))
    deployment.ask("SGDPMaskCommand", "mask", CPF=cpf_of(PERSON))
    deployment.ask("SGDPMaskCommand", "other", CPF=cpf_of(PERSON + 1))
    before = {row.id: row for row in deployment.erp.rows(university.people)}
    deployment.world.minutes(4)
    after = {row.id: row for row in deployment.erp.rows(university.people)}
    live = deployment.world.live()["mask"]
    assert live.state is State.WAITING
    assert "data of SGDPDataCommand comes first, and it is dead" in str(live.error)
    assert cpf_of(PERSON) not in str(live.error)
    assert after[PERSON] == before[PERSON]
    assert deployment.answer("other")["requestID"] == "other"
    assert after[PERSON + 1] != before[PERSON + 1]


def test_a_dry_run_waits_for_nobody(deployment: Deployment) -> None:
    deployment.world.failing = "SGDPDataCommand"
    deployment.ask("SGDPDataCommand", "data", CPF=cpf_of(PERSON))
    body = {"requestID": "dry", "identifiers": {"CPF": cpf_of(PERSON)}, "toVerify": True}
    deployment.send("SGDPMaskCommand", "dry", body)
    deployment.world.minutes(3)
    assert deployment.answer("dry")["exceptionAttributes"]
    assert "messageCopies" not in deployment.answer("dry")


@pytest.mark.parametrize(("person", "rows"), [(FREE, 3), (PERSON, 12)])
def test_the_log_of_who_was_masked_can_still_be_asked_for(
    deployment: Deployment, person: int, rows: int
) -> None:
    """By each identifier that the person had and nobody else's; none of them is in the open."""
    deployment.ask("SGDPDataCommand", "data", CPF=cpf_of(person))
    deployment.ask("SGDPDataCommand", "others", CPF=cpf_of(person + 1))
    deployment.world.minutes(3)
    deployment.ask("SGDPLogsCommand", "before", CPF=cpf_of(person))
    deployment.world.minutes(2)
    deployment.ask("SGDPMaskCommand", "mask", EMAIL=email_of(person))
    deployment.world.minutes(3)
    deployment.ask("SGDPLogsCommand", "cpf", CPF=cpf_of(person))
    deployment.ask("SGDPLogsCommand", "email", EMAIL=email_of(person))
    deployment.ask("SGDPLogsCommand", "stranger", CPF=cpf_of(person + 5))
    deployment.world.minutes(3)
    before = {it["uuid"] for it in deployment.answer("before")["logs"]}
    assert len(before) == rows
    for name in ("cpf", "email"):
        assert {it["uuid"] for it in deployment.answer(name)["logs"]} == before, name
    assert deployment.answer("stranger")["logs"] == []
    kept = repr(deployment.erp.rows(access_titulares))
    assert cpf_of(person) not in kept
    assert email_of(person) not in kept


def test_entries_from_before_the_keys_are_found_by_what_the_mask_wrote(erp: Tpd) -> None:
    """The log of a release that knew no keys has no hashes: the mask's own are enough."""
    erp.run(data, {"requestID": "r", "identifiers": {"CPF": cpf_of(FREE)}})
    assert erp.rows(access_titulares) == []
    deployment = Deployment(erp)
    deployment.ask("SGDPMaskCommand", "mask", CPF=cpf_of(FREE))
    deployment.world.minutes(3)
    deployment.ask("SGDPLogsCommand", "logs", CPF=cpf_of(FREE))
    deployment.world.minutes(3)
    assert len(deployment.answer("logs")["logs"]) == 3


def test_without_keys_nothing_is_promised(erp: Tpd) -> None:
    """The commands work, and the log of who was masked is found by nobody."""
    body = {"requestID": "r", "identifiers": {"CPF": cpf_of(FREE)}}
    for number, command in enumerate((data, mask)):
        erp.run(command, body, f"m{number}")
    assert erp.rows(access_titulares) == []
    assert erp.run(logs, body, "m9")["logs"] == []


def test_an_identifier_that_two_people_had_finds_neither(deployment: Deployment) -> None:
    """Both masked: an e-mail alone does not say whose log is meant; a CPF does."""
    shared = email_of(PERSON)
    people = university.people
    deployment.erp.execute(
        update(people).where(people.c.id == PERSON + 1).values(email=shared),
    )
    for number in (PERSON, PERSON + 1):
        deployment.ask("SGDPDataCommand", f"data{number}", CPF=cpf_of(number))
        deployment.ask("SGDPMaskCommand", f"mask{number}", CPF=cpf_of(number))
    deployment.world.minutes(5)
    deployment.ask("SGDPLogsCommand", "email", EMAIL=shared)
    deployment.ask("SGDPLogsCommand", "both", EMAIL=shared, CPF=cpf_of(PERSON + 1))
    deployment.world.minutes(3)
    error = str(deployment.world.live()["email"].error)
    assert "have it sent again with the person's CPF" in error
    assert shared not in error
    assert {it["ids"].get("id", PERSON + 1) for it in deployment.answer("both")["logs"]}
    assert len(deployment.answer("both")["logs"]) == 3


def test_a_request_says_whom_it_is_about_in_hashes(deployment: Deployment) -> None:
    """Data, logs and mask of one person share a hash, by whatever they were named; the CPF's hash
    is on a request that named an e-mail."""
    deployment.ask("SGDPDataCommand", "data", EMAIL=email_of(PERSON))
    deployment.ask("SGDPLogsCommand", "logs", CPF=cpf_of(PERSON))
    deployment.world.minutes(3)
    deployment.ask("SGDPMaskCommand", "mask", CPF=cpf_of(PERSON))
    deployment.ask("SGDPDataCommand", "other", CPF=cpf_of(PERSON + 1))
    deployment.world.minutes(3)
    ended = deployment.world.ended()
    titulares = [set(ended[name].message.titular) for name in ("data", "logs", "mask")]
    assert set.intersection(*titulares)
    assert titulares[0] == titulares[2]
    assert not titulares[0] & set(ended["other"].message.titular)
    stored = repr(deployment.world.store.__dict__)
    assert all(it.content.text is None for it in (ended["data"].message, ended["mask"].message))
    assert cpf_of(PERSON) not in stored.replace(cpf_of(PERSON + 1), "")


def test_retention_of_the_access_log(erp: Tpd) -> None:
    """What is older is answered no more, and is removed with the next requests; hashes too."""
    assert isinstance(erp.secret, dict)
    limited = replace(erp, secret=erp.secret | {"accessLogDays": 30})
    body = {"requestID": "r", "identifiers": {"CPF": cpf_of(PERSON)}}
    deployment = Deployment(erp)
    deployment.ask("SGDPDataCommand", "old", CPF=cpf_of(PERSON))
    deployment.world.minutes(3)
    assert len(erp.rows(access_log)) == 12
    assert erp.rows(access_titulares)
    for table in (access_log, access_titulares):
        erp.execute(update(table).values(seen_on=NOW - timedelta(days=30, seconds=1)))
    assert len(erp.run(logs, body, "l1")["logs"]) == 12
    assert limited.run(logs, body, "l2")["logs"] == []
    assert len(erp.rows(access_log)) == 12
    limited.run(data, {"requestID": "r", "identifiers": {"CPF": cpf_of(61)}}, "m2")
    assert len(erp.rows(access_log)) == 3
    assert erp.rows(access_titulares) == []
    assert len(limited.run(logs, {"requestID": "r"}, "l3")["logs"]) == 3


def test_a_right_that_is_missing_keeps_no_answer(on_sqlite: Tpd) -> None:
    """The entries stay, hidden, and a line of the message's log says so."""
    assert isinstance(on_sqlite.secret, dict)
    limited = replace(on_sqlite, secret=on_sqlite.secret | {"accessLogDays": 30})
    body = {"requestID": "r", "identifiers": {"CPF": cpf_of(PERSON)}}
    limited.run(data, body, "m1")
    on_sqlite.execute(update(access_log).values(seen_on=NOW - timedelta(days=31)))
    with on_sqlite.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no BEFORE DELETE ON smartlink_access_log "
            "BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    assert limited.run(data, body, "m2")["response"]
    (told,) = [line for line in limited.lines if "could not be removed" in line]
    assert "accessLogDays" in told
    assert limited.run(logs, body, "l")["logs"]


def test_the_answer_to_a_mask_tells_until_when_copies_live(deployment: Deployment) -> None:
    """By the deployment's settings; what there is none of is not named."""
    deployment.world.variables |= {
        "SMARTLINK_BACKUP_DAYS": "28",
        "SMARTLINK_RECOVERY_DAYS": "0",
        "SMARTLINK_SOFT_DELETE_DAYS": "7",
        "SMARTLINK_TOPIC_DAYS": "1",
        "SMARTLINK_DEAD_LETTER_DAYS": "3",
    }
    deployment.world.cold_start()
    deployment.ask("SGDPMaskCommand", "mask", CPF=cpf_of(PERSON))
    deployment.world.minutes(3)
    today = deployment.world.clock().date()
    copies = {it["place"]: it["until"] for it in deployment.answer("mask")["messageCopies"]}
    assert copies == {
        "Backups diários do Firestore": (today + timedelta(days=29)).isoformat(),
        "Objetos excluídos do bucket (soft delete)": (today + timedelta(days=8)).isoformat(),
        "Tópicos do Pub/Sub": (today + timedelta(days=2)).isoformat(),
        "Tópicos de mensagens mortas do Pub/Sub": (today + timedelta(days=4)).isoformat(),
    }


def test_the_report_tells_what_the_consumers_did(deployment: Deployment) -> None:
    """Rows, dry runs, what was kept and why: from the messages of the real relay, of nobody."""
    store = Store()
    deployment.world.store = store
    deployment.world.cold_start()
    deployment.ask("SGDPDataCommand", "data", CPF=cpf_of(PERSON))
    dry = {"requestID": "dry", "identifiers": {"CPF": cpf_of(PERSON)}, "toVerify": True}
    deployment.send("SGDPMaskCommand", "dry", dry)
    deployment.world.minutes(2)
    deployment.ask("SGDPMaskCommand", "mask", CPF=cpf_of(PERSON))
    deployment.ask("SGDPLogsCommand", "logs", CPF=cpf_of(PERSON))
    deployment.world.minutes(4)
    desk = Desk(store=store)
    since = deployment.world.clock() - timedelta(hours=1)
    report = report_view(gather_report(desk.deployment, "acme", since, since + timedelta(hours=2)))
    found = {it["id"]: it for it in report["pedidos"]}
    assert {it["resultado"] for it in found.values()} == {"respondido"}
    assert {name: it["linhas"] for name, it in found.items()} == {
        "data": 12,
        "dry": found["mask"]["linhas"],
        "mask": found["mask"]["linhas"],
        "logs": 12,
    }
    assert found["mask"]["linhas"] > 0
    assert [name for name, it in found.items() if it["simulacao"]] == ["dry"]
    assert all(it["titularIdentificavel"] for it in found.values())
    answer = deployment.answer("mask")["exceptionAttributes"]
    kept = {
        (attribute["reason"], f"{name}.{column}")
        for name, model in answer.items()
        for column, attribute in model["attributes"].items()
    }
    assert kept
    assert {(it["motivo"], column) for it in report["mantido"] for column in it["colunas"]} == kept
    text = json.dumps(report, ensure_ascii=False)
    assert not [it for it in (cpf_of(PERSON), name_of(PERSON), "requestID") if it in text]
