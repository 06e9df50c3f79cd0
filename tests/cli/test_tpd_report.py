"""`tpd report`: on the screen, as JSON, as a page."""

import json

from tests.cli.place import Place
from tests.support.samples import NOW, dead, done, line, pending

DAY = f"{NOW:%Y-%m-%d}"
REPORT = ("tpd", "report", "--tenant", "acme", "--from", DAY, "--to", DAY)


def furnish(place: Place) -> None:
    place.keep("acme", dead("lost", "The CPF 123 is not in the payroll"))
    place.end("acme", *done(pending("mask", command="SGDPMaskCommand"), replies=1))
    facts = {"rows": 3, "dryRun": False, "kept": {"CLT, art. 41": ["erp.Employee.pis"]}}
    debug = json.dumps({"tpd": facts})
    place.store.log("acme", [line("Masked 3 rows", message_id="mask", debug=debug)])


def test_the_three_forms(place: Place) -> None:
    """They say the same; the day given last is in the period, whole."""
    furnish(place)
    page = place.folder / "relatorio.html"
    screen = place.run(*REPORT, "--html", str(page))
    assert (screen.code, screen.err) == (0, "")
    assert "CLT, art. 41" in screen.out
    document = place.run(*REPORT, "--json").json
    assert {it["id"]: it["resultado"] for it in document["pedidos"]} == {
        "lost": "sem resposta: aguarda um operador",
        "mask": "executado, resposta na fila de envio",
    }
    assert document["copias"]["configuracaoConfirmada"]
    text = page.read_text(encoding="utf-8")
    for value in ("mask", "CLT, art. 41", "erp.Employee.pis", "aguarda um operador"):
        assert value in text
    assert "CPF 123" not in text + screen.out + json.dumps(document)
    before = place.run(*REPORT[:5], "2020-01-01", "--to", "2020-01-02", "--json").json
    assert before["pedidos"] == []


def test_what_it_refuses(place: Place) -> None:
    for wrong, why in {
        ("--from", "yesterday", "--to", DAY): "is no day",
        ("--from", "2026-02-30", "--to", DAY): "is no day",
        ("--from", "2026-03-02", "--to", "2026-03-01"): "--from is after --to",
        ("--from", DAY, "--to", "9999-12-31"): "end of all days",
        ("--from", DAY, "--to", DAY, "--html", "/no/such/folder/x"): "cannot be written",
    }.items():
        ran = place.run("tpd", "report", "--tenant", "acme", *wrong)
        assert (ran.code, ran.out) == (2, "")
        assert why in ran.err
