"""The controller's report: what it counts, what it keeps silent, what it cannot know."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from infra.cli.report_page import page
from smartlink.domain import lifecycle
from smartlink.domain.message import DeadReason, Ending
from smartlink.domain.settlement import Settlement
from smartlink.i18n import data
from smartlink.operations.ports import PlatformError
from smartlink.operations.tpd_report import gather_report
from smartlink.operations.tpd_report_view import report_view
from tests.support.samples import NEVER, NOW, dead, done, ended, line, pending, upstream, waiting
from tests.unit.operations.desk import Desk, Ground

DAY = timedelta(days=1)
MASK = "SGDPMaskCommand"
SECRET_TEXT = "The CPF 529.982.247-25 of Ana Silva is not in the payroll"
KEPT = {"CLT, art. 41": ["erp.Employee.salary", "erp.Employee.pis"]}


def told(name: str, **facts: object) -> Settlement:
    debug = json.dumps({"tpd": facts})
    return Settlement(document=name, fence=None, logs=(line(message_id=name, debug=debug),))


def answered(desk: Desk, name: str, *, days: int = 0, **parts: Any) -> None:  # noqa: ANN401
    """A request that has ended, and whose reply was sent so many days after it came."""
    desk.store.commit("acme", done(pending(name, **parts)))
    sent = replace(ended(upstream(f"D-{name}/reply/1")), ended=NOW + days * DAY, expires=NEVER)
    desk.store.commit("acme", [Settlement(document="x", fence=None, history=sent)])


@pytest.fixture
def desk() -> Desk:
    """A request of each kind of fate."""
    made = Desk()
    answered(made, "data", titular=("ab" * 32,))
    answered(made, "mask", command=MASK)
    answered(made, "dry", command=MASK)
    answered(made, "late", days=16)
    made.store.commit(
        "acme",
        [
            told("data", rows=12),
            told("mask", rows=3, dryRun=False, kept=KEPT),
            told("dry", rows=3, dryRun=True, kept=KEPT | {"CTN, art. 195": ["erp.Invoice.cpf"]}),
            *done(pending("queued"), replies=1),
            *done(pending("refused")),
            *done(pending("foreign", command="OtherCommand")),
        ],
    )
    lost = lifecycle.dead(upstream("D-refused/reply/1"), DeadReason.REJECTED, "no")
    gone = replace(ended(pending("gone")), ending=Ending.DISCARDED, ended=NOW, expires=NEVER)
    made.store.commit("acme", [Settlement(document="y", fence=None, history=gone)])
    made.keep(
        lost,
        dead("dead", SECRET_TEXT, dead_reason=DeadReason.REJECTED),
        waiting("waiting", SECRET_TEXT),
        pending("elsewhen", received=NOW - 3 * DAY),
    )
    return made


def view(desk: Desk) -> dict[str, Any]:
    return report_view(gather_report(desk.deployment, "acme", NOW - DAY, NOW + DAY))


def test_each_request_once_with_what_became_of_it(desk: Desk) -> None:
    found = {it["id"]: it["resultado"] for it in view(desk)["pedidos"]}
    assert found == {
        "data": "respondido",
        "mask": "respondido",
        "dry": "respondido",
        "late": "respondido",
        "queued": "executado, resposta na fila de envio",
        "refused": "executado, resposta não entregue",
        "gone": "descartado por um operador",
        "dead": "sem resposta: aguarda um operador",
        "waiting": "em andamento",
    }


def test_the_summary_counts_them(desk: Desk) -> None:
    data, mask, logs = view(desk)["resumo"]
    assert (data["total"], mask["total"], logs["total"]) == (7, 2, 0)
    assert data["resultados"]["respondido"] == 2
    assert data["acimaDe15Dias"] == 1
    assert (mask["simulacoes"], mask["resultados"]["respondido"]) == (1, 2)


def test_what_was_kept_and_why(desk: Desk) -> None:
    """By the reason, over all requests; a table of too many columns has its number alone."""
    assert view(desk)["mantido"] == [
        {
            "motivo": "CLT, art. 41",
            "colunas": ["erp.Employee.pis", "erp.Employee.salary"],
            "pedidos": 2,
        },
        {"motivo": "CTN, art. 195", "colunas": ["erp.Invoice.cpf"], "pedidos": 1},
    ]
    answered(desk, "vast", command=MASK)
    desk.store.commit("acme", [told("vast", rows=1, kept={"CTN, art. 195": 4_000})])
    assert view(desk)["mantido"][1]["pedidos"] == 2


def test_nothing_of_a_person(desk: Desk) -> None:
    """Errors quote what a consumer wrote, contents what was asked: neither is repeated."""
    document = view(desk)
    for text in (json.dumps(document, ensure_ascii=False), page(document)):
        for value in ("529.982.247-25", "Ana Silva", "payroll", "requestID", "ab" * 32):
            assert value not in text


def test_the_page_says_what_the_document_says(desk: Desk) -> None:
    """In Portuguese, and a sender's text is no markup."""
    answered(desk, "<script>alert(1)</script>")
    text = page(view(desk))
    assert '<html lang="pt-BR">' in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    for value in ("O que foi mantido, e por quê", "CLT, art. 41", "sem resposta", "Pub/Sub"):
        assert value in text


def test_an_empty_period(desk: Desk) -> None:
    report = gather_report(desk.deployment, "acme", NOW + 5 * DAY, NOW + 6 * DAY)
    document = report_view(report)
    assert (document["pedidos"], document["mantido"]) == ([], [])
    assert {it["ate"] for it in document["copias"]["itens"]} == {None}
    assert "Nada." in page(document)


FUNCTIONS = {
    "GOOGLE_CLOUD_PROJECT": "project",
    "SMARTLINK_ENVIRONMENT": "production",
    "SMARTLINK_CONFIG_URI": "gs://bucket/totvsAppConfig_v2.json",
    "SMARTLINK_BACKUP_DAYS": "28",
    "SMARTLINK_RECOVERY_DAYS": "0",
    "SMARTLINK_SOFT_DELETE_DAYS": "7",
    "SMARTLINK_TOPIC_DAYS": "1",
    "SMARTLINK_DEAD_LETTER_DAYS": "3",
    "SMARTLINK_HISTORY_DAYS": "45",
}


def test_copies_live_until_the_deployments_own_days_are_over(desk: Desk) -> None:
    """Counted from the last answer of the period."""
    desk.platform = Ground(FUNCTIONS)
    document = view(desk)
    assert document["copias"]["configuracaoConfirmada"]
    assert document["guarda"] == {"historicoEmDias": 45}
    last = (NOW + 16 * DAY).date()
    assert [(it["dias"], it["ate"]) for it in document["copias"]["itens"]] == [
        (28, (last + 29 * DAY).isoformat()),
        (0, None),
        (7, (last + 8 * DAY).isoformat()),
        (1, (last + 2 * DAY).isoformat()),
        (3, (last + 4 * DAY).isoformat()),
    ]


@pytest.mark.parametrize(
    "ground",
    [
        Ground(fails=PlatformError(data("403"))),
        Ground({}),
        Ground({name: it for name, it in FUNCTIONS.items() if name != "SMARTLINK_TOPIC_DAYS"}),
        Ground(FUNCTIONS | {"SMARTLINK_BACKUP_DAYS": "many"}),
    ],
)
def test_settings_that_are_not_known_are_not_told_as_known(desk: Desk, ground: Ground) -> None:
    desk.platform = ground
    document = view(desk)
    assert not document["copias"]["configuracaoConfirmada"]
    assert any("os desta máquina" in it for it in document["lacunas"])


def test_it_says_what_it_does_not_know(desk: Desk) -> None:
    """A document that cannot be read, a period beyond the history, requests that told nothing."""
    desk.keep(pending("odd"))
    desk.store.make_unreadable("acme", "D-odd")
    far = gather_report(desk.deployment, "acme", NOW - 100 * DAY, NOW + DAY)
    gaps = "\n".join(report_view(far)["lacunas"])
    assert "1 documentos não puderam ser lidos" in gaps
    assert "O histórico é guardado por 90 dias" in gaps
    assert "De 1 pedidos respondidos não há registro do que foi tratado" in gaps
    assert "smartlink-titular-acme" in gaps
    assert "O histórico é guardado" not in "\n".join(view(desk)["lacunas"])
