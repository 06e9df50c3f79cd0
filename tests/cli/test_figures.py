"""`stats`, `messages export` with `replay`, `purge`."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from infra.local.erp import ErpDatabase
from infra.local.tenants import LocalTenant
from smartlink.domain.message import EndedSummary
from smartlink.operations.ports import EndedQuery
from tests.cli.place import Place
from tests.cli.samples import dead, done, pending, waiting
from tests.contract.backends import _text_instead


def furnish(place: Place) -> None:
    place.store.save_state("acme", place.store.states(["acme"])["acme"])


def test_stats_and_their_chart(place: Place, tmp_path: Path) -> None:
    """What was done in the last day, failures by their fingerprint, the oldest waiting."""
    furnish(place)
    now = datetime.now(UTC)
    for number in range(3):
        place.end("acme", *done(pending(f"d-{number}"), ended=now - timedelta(hours=number)))
    place.keep(
        "acme", waiting("w-1"), dead("x-1", "Row 7 is locked"), dead("x-2", "Row 8 is locked")
    )
    page, drawing = tmp_path / "stats.html", tmp_path / "stats.svg"
    shown, screen = place.run_all(f"stats --json --html {page} --svg {drawing}", "stats")
    figures = shown.json
    assert (figures["done"], figures["situacao"]) == (3, {"Aguardando": 1, "Morta": 2})
    assert [it["messages"] for it in figures["failures"]] == [2, 1]
    assert figures["oldestWaiting"]["id"] == "w-1"
    assert "Row <n> is locked" in screen.out
    assert max(map(len, screen.out.splitlines())) <= 80
    root = ET.fromstring(drawing.read_text())  # noqa: S314  (our own file)
    assert sum(it.tag.endswith("rect") for it in root) == 3 * 25
    assert "longest wait (at most " in drawing.read_text()
    assert "Row &lt;n&gt; is locked" in page.read_text()


def test_stats_say_what_they_leave_out(place: Place) -> None:
    """What cannot be read is in no other figure; of a long time the screen shows the end."""
    furnish(place)
    now = datetime.now(UTC)
    for number in range(30):
        place.end("acme", *done(pending(f"d-{number}"), ended=now - timedelta(hours=number)))
    place.keep("acme", dead("x-1"), dead("x-2"), waiting("w-1"))
    calls = place.store._calls  # noqa: SLF001
    broken = ("GTotvsLinkMessage/D-x-1", "GTotvsLinkMessage/D-w-1", "GTotvsLinkMessageExec/D-d-3")
    names = [f"{calls.root}/tenants/acme/{it}" for it in broken]
    calls.write_each("break it", [_text_instead(it, "QtdeTentativaExec") for it in names])
    shown, screen = place.run_all("stats --period 3d --json", "stats --period 3d")
    assert shown.json["situacao"] == {"Morta": 1}
    assert shown.json["unreadable"] == {"live": 2, "history": 1}
    assert re.search(r"Live, unreadable +2", screen.out)
    assert re.search(r"History, unreadable +1", screen.out)
    assert "Only the last 24 hours in which something happened are shown, of 2" in screen.err


def test_export_and_replay(place: Place, tmp_path: Path) -> None:
    """A message travels to a laptop as a file, and its consumer runs on it there."""
    furnish(place)
    tenant = LocalTenant.model_validate({"tenant": "acme", "clientId": "c", "clientSecret": "s"})
    people = ErpDatabase(tenant, tmp_path, seed=1).people
    cpf = {"requestID": "r-1", "identifiers": {"CPF": people[0].cpf}}
    text = json.dumps({"header": {"type": "SGDPDataCommand"}, "content": cpf})
    place.keep("acme", dead("m-1"), dead("m-2"))
    place.store.create("acme", [pending("m-3", text=text)])
    file, erp = tmp_path / "m.json", tmp_path / "erp.json"
    erp.write_text(json.dumps(tenant.erp_secret(tmp_path)))
    exported = place.run("messages", "export", "m-3", str(file))
    assert exported.code == 0, exported.err
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["text"] == text
    ran, without = place.run_all(f"replay {file} --erp {erp} --json", f"replay {erp}")
    assert ran.code == 0, ran.err
    assert ran.json["outcome"] == "Done"
    assert "is really done, again if it was done before" in ran.err
    [reply] = ran.json["replies"]
    assert (reply["type"], reply["audience"]) == ("SGDPDataResponse", "SGDP")
    assert without.code == 2
    assert place.store.history("acme", ["D-m-3"]) == {}


def test_purge_keeps_what_is_needed(place: Place) -> None:
    """A dry run counts; then the oldest go, `--max` at most; never what tells a repeat."""
    furnish(place)
    old = datetime.now(UTC) - timedelta(days=100)
    for number in range(3):
        place.end("acme", *done(pending(f"o-{number}"), ended=old + timedelta(minutes=number)))
    place.end("acme", *done(pending("new"), ended=datetime.now(UTC)))
    dry, few = place.run_all("purge --keep-days 60 --json", "purge --keep-days 7")
    assert (dry.json["total"], dry.json["removed"]) == (6, 0)
    assert few.code == 4
    assert "would be executed again" in few.err
    ran = place.run("purge", "--keep-days", "60", "--max", "2", "--yes")
    assert (ran.code, "2 of 6 documents removed" in ran.out) == (0, True), ran.err
    ended = place.store.scan_ended("acme", EndedQuery())
    left = {it.message.id for it in ended if isinstance(it, EndedSummary)}
    assert left == {"o-2", "new"}
