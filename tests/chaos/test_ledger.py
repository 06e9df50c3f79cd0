"""The books' checker checks: each broken promise is named, and what is excused is not."""

import json
from dataclasses import replace

import pytest

from infra.local.rest import Json
from smartlink.domain.identity import content_hash
from tests.chaos.effects import Effect
from tests.chaos.fleet import Freeze, Kill
from tests.chaos.ledger import Books, audit
from tests.chaos.scale import COMMANDS
from tests.chaos.storm import Window
from tests.chaos.workload import Offer

TENANT, OTHER, PID = "acme", "other", 7


def offer(identity: str, *, tenant: str = TENANT, dies: bool = False) -> Offer:
    return Offer(tenant, identity, COMMANDS[0], f"content {identity}", not dies, dies, 1)


def document(it: Offer, state: str, **more: object) -> Json:
    origin = {"ID": it.id, "Direcao": "Downstream", "ConteudoHash": content_hash(it.content)}
    return {**origin, "Situacao": state, "QtdeTentativaExec": 1, **more}


def reply(number: int = 1) -> Json:
    return {"ID": f"D-1/reply/{number}", "Direcao": "Upstream", "Situacao": "Concluida"}


def sent(tenant: str = TENANT, number: int = 1) -> Json:
    content = {"requestID": f"{tenant} 1", "tenant": tenant, "number": number}
    return {"content": json.dumps(content)}


def effect(started: float = 0, pid: int = PID, *, whole: bool = True, **more: object) -> Effect:
    made = Effect((TENANT, "1"), f"{TENANT} 1", 1, pid, started)
    return replace(made, finished=started + 1 if whole else None, **more)  # type: ignore[arg-type]


ONE, DEAD = offer("1"), offer("2", dies=True)
GOOD = Books(
    offers=[ONE, DEAD],
    live={TENANT: [document(DEAD, "Morta", MotivoMorte="rejected")]},
    history={TENANT: [document(ONE, "Concluida"), reply()]},
    sent={TENANT: [sent()]},
    waiting={TENANT: 0},
    effects=[effect()],
    kills=[],
    freezes=[],
    windows=[],
    limit=5,
    lease=40,
)
DEAD_TOO = document(DEAD, "Morta")
TWICE = [effect(0), effect(60, PID + 1)]


def test_balanced_books_are_in_order() -> None:
    """A message done with its reply sent, even again, and a dead one."""
    verdict = audit(replace(GOOD, sent={TENANT: [sent(), sent()]}))

    assert verdict.broken == []
    assert verdict.figures["replies sent again"] == 1


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"live": {TENANT: []}}, "lost", "neither live nor ended"),
        ({"sent": {TENANT: []}}, "lost", "reply 1 was sent 0 times"),
        ({"waiting": {TENANT: 2}}, "stuck", "2 messages are still at the broker"),
        ({"live": {TENANT: [document(DEAD, "Aguardando")]}}, "stuck", "is Aguardando"),
        (
            {"live": {TENANT: [DEAD_TOO, document(ONE, "Morta")]}},
            "doubled",
            "1 live, 1 ended",
        ),
        (
            {"history": {TENANT: [document(ONE, "Concluida"), reply(), reply(2)]}},
            "doubled",
            "a reply D-1/reply/2 that is not due",
        ),
        (
            {"history": {TENANT: [document(ONE, "Concluida"), reply(), reply()]}},
            "doubled",
            "reply 1 has two histories",
        ),
        ({"sent": {TENANT: [sent(), sent(number=2)]}}, "doubled", "sent what is not due"),
        ({"effects": TWICE}, "doubled", "was executed to its end in attempt 1"),
        ({"sent": {TENANT: [sent(), sent(OTHER)]}}, "wrong", "sent a reply of other"),
        ({"effects": [effect(asked=f"{OTHER} 1")]}, "wrong", "with the content of other 1"),
        ({"effects": [effect(), effect(5, whole=False, attempt=6)]}, "wrong", "in attempt 6"),
        ({"effects": []}, "wrong", "no consumer ran it to its end"),
        (
            {"live": {TENANT: [DEAD_TOO, document(offer("3"), "Morta")]}},
            "wrong",
            "nobody offered 3",
        ),
        (
            {"offers": [offer("1", dies=True), DEAD]},
            "wrong",
            "ended as Concluida",
        ),
        (
            {"offers": [ONE, offer("2")]},
            "wrong",
            "acme 2 is dead",
        ),
        (
            {"live": {TENANT: [{**DEAD_TOO, "ConteudoHash": "another"}]}},
            "wrong",
            "not what was offered",
        ),
        ({"live": {TENANT: [{**DEAD_TOO, "QtdeTentativaExec": 6}]}}, "wrong", "6 attempts"),
    ],
)
def test_each_broken_promise_is_named(change: Json, kind: str, text: str) -> None:
    """By what it is."""
    verdict = audit(replace(GOOD, **change))

    assert any(text in it for it in getattr(verdict, kind)), verdict.broken


@pytest.mark.parametrize(
    ("happened", "excused"),
    [
        ({"kills": [Kill(2, frozenset({PID}))]}, True),
        ({"kills": [Kill(2, frozenset({PID + 2}))]}, False),  # another process
        ({"kills": [Kill(30, frozenset({PID}))]}, False),  # long after it must have been settled
        ({"windows": [Window(0, 3)]}, True),
        ({"windows": [Window(5, 6)]}, True),
        ({"windows": [Window(5, 6)], "lease": 61}, False),  # it was still claimed
        ({"windows": [Window(30, 40)]}, False),
        ({"windows": [Window(-50, -30)]}, False),
        ({"freezes": [Freeze(0.5, 30, PID)]}, True),
        ({"freezes": [Freeze(61, 90, PID + 1)]}, False),
        ({"freezes": [Freeze(0.5, 30, PID + 1)]}, False),
        ({"freezes": [Freeze(20, 50, PID)]}, False),
    ],
)
def test_what_excuses_a_second_execution(happened: Json, *, excused: bool) -> None:
    """Only what can have kept the first one's very outcome from being written."""
    verdict = audit(replace(GOOD, effects=TWICE, **happened))

    assert (verdict.doubled == []) is excused
    assert verdict.figures["executed again, excused"] == excused


def test_a_crash_alone_may_use_the_attempts_up() -> None:
    """Dead of crashes is counted, not blamed."""
    crashed = [{"Resultado": "Interrompida"}]
    fields = document(offer("2"), "Morta", MotivoMorte="attempts-exhausted", Tentativas=crashed)

    verdict = audit(replace(GOOD, offers=[ONE, offer("2")], live={TENANT: [fields]}))

    assert verdict.broken == []
    assert verdict.figures["dead of crashes"] == 1
