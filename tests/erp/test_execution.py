"""TPD's consumers as the relay runs them, from a message to its replies, on a real database."""

import json
from datetime import timedelta
from typing import Any

from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.adapters.in_memory import InMemoryContents, InMemoryEffects, InMemorySecrets
from smartlink.consumer import Consumer
from smartlink.domain import lifecycle
from smartlink.domain.message import Claim, Stored, Version
from smartlink.domain.outcome import Done, Finished, Reject
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention
from smartlink.services.consuming.execute import Execution
from smartlink.services.consuming.once import Once
from smartlink.services.contents import keep, load
from tests.erp.test_answers import BUYER, buy
from tests.erp.university import cpf_of, name_of
from tests.support.tpd import NOW, Tpd


def delivered(erp: Tpd, consumer: Consumer, contents: InMemoryContents, body: object) -> Finished:
    """Let the relay run the consumer on a message of TPD's."""
    content = json.dumps({"header": {"type": consumer.command}, "content": body})
    received = lifecycle.received(
        message_id="m-1",
        command=consumer.command,
        content=keep(contents, erp.tenant, "D-m-1", content),
        now=NOW,
        due=NOW,
        personal=True,
    )
    message = lifecycle.claimed(received, Claim("c", 1, NOW), timedelta(minutes=10))
    execution = Execution(
        consumer=consumer,
        tenant=erp.tenant,
        policy=RetryPolicy(attempts=5),
        start_by=NOW + timedelta(minutes=1),
        contents=contents,
        erp=InMemorySecrets(erps={erp.tenant: erp.payload}),
        once=Once(
            InMemoryEffects(),
            Retention(90, timedelta(days=30)),
            timedelta(minutes=10),
            lambda: NOW,
            lambda: "0" * 32,
            lambda _: None,
        ),
        clock=lambda: NOW,
        timeout=timedelta(minutes=1),
    )
    return execution(Stored(message, Version("v")))


def answers(finished: Finished, contents: InMemoryContents) -> list[dict[str, Any]]:
    assert isinstance(finished.outcome, Done), finished.outcome
    return [json.loads(load(contents, it.content))["content"] for it in finished.outcome.answers]


def test_a_person_is_shown_masked_and_gone(on_postgres: Tpd) -> None:
    """The product's whole story on PostgreSQL: asked, answered, anonymised, asked again."""
    contents = InMemoryContents()
    body = {"requestID": "r1", "identifiers": {"EMAIL": "pessoa.7@PESSOAS.example"}}
    (shown,) = answers(delivered(on_postgres, data, contents, body), contents)
    (person,) = shown["response"]["people"]["models"]["erp.Person"]
    assert person["name"] == name_of(7)
    (masked,) = answers(delivered(on_postgres, mask, contents, body), contents)
    assert masked == {"requestID": "r1", "applicationId": "smartlink-gcp"} | {
        "exceptionAttributes": {}
    }
    (left,) = answers(delivered(on_postgres, data, contents, body), contents)
    assert left["response"] == {}


def test_parts_become_messages(on_postgres: Tpd) -> None:
    """Each part is a reply of its own; none is so large that the relay would offload it."""
    buy(on_postgres, 1_200, "açúcar " * 50)
    contents = InMemoryContents()
    body = {"requestID": "r1", "identifiers": {"CPF": cpf_of(BUYER)}}
    finished = delivered(on_postgres, data, contents, body)
    parts = answers(finished, contents)
    assert [it["part"] for it in parts] == list(range(1, len(parts) + 1))
    assert isinstance(finished.outcome, Done)
    assert max(it.content.size for it in finished.outcome.answers) <= 250_000


def test_a_refusal_reaches_the_operator_without_data(on_postgres: Tpd) -> None:
    """Several people fit: the message is dead, and what is stored of it names nobody."""
    with on_postgres.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE people SET email = 'familia@x.example' WHERE id < 5")
    body = {"requestID": "r1", "identifiers": {"EMAIL": "familia@x.example"}}
    finished = delivered(on_postgres, mask, InMemoryContents(), body)
    assert isinstance(finished.outcome, Reject)
    assert "fits 4 people" in finished.outcome.error
    assert "familia" not in repr(finished)
