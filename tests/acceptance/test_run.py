"""A run: what it made goes, however it ends; the report says what was seen, and what was not."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.acceptance.assumptions import page
from infra.acceptance.calls import Answer
from infra.acceptance.errors import DiffersError, UnansweredError
from infra.acceptance.firestore_admin import AUDITOR
from infra.acceptance.observability import ALERTS, METRICS
from infra.acceptance.place import Place
from infra.acceptance.probe import Probe, Result, Verdict
from infra.acceptance.report import Report
from infra.acceptance.running import ask_all
from infra.local.checkout import ROOT
from tests.acceptance.place import PROBES, Scripted, place_of, settings


def place() -> Place:
    return place_of(settings("accept-run"), Scripted({}), local=True)


def asking(name: str, ask: Callable[[Place], str]) -> Probe:
    return Probe(name, "It is so.", "Everything.", "so", ask)


def makes(name: str, removed: list[str], then: Callable[[], str]) -> Probe:
    def ask(at: Place) -> str:
        at.later(name, lambda: removed.append(name))
        return then()

    return asking(name, ask)


def raises(error: BaseException) -> Callable[[], str]:
    def ask() -> str:
        raise error

    return ask


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (DiffersError("not so"), Verdict.FAILS),
        (UnansweredError("no right"), Verdict.UNKNOWN),
        (KeyError("updateTime"), Verdict.FAILS),
    ],
)
def test_what_was_made_goes_after_a_failure(error: Exception, verdict: Verdict) -> None:
    """The last thing first, and the other probes are asked."""
    removed: list[str] = []
    probes = [makes("a", removed, raises(error)), makes("b", removed, lambda: "so")]
    told = ask_all(place(), "here", probes, lambda _: None)
    assert [it.verdict for it in told.results] == [verdict, Verdict.HOLDS]
    assert removed == ["b", "a"]
    assert told.accepted is (verdict is Verdict.UNKNOWN)


def test_what_was_made_goes_after_an_interruption() -> None:
    """The probe at hand and the rest are named as not asked: such a run accepts nothing."""
    removed: list[str] = []
    probes = [
        makes("a", removed, lambda: "so"),
        makes("b", removed, raises(KeyboardInterrupt())),
        makes("c", removed, lambda: "so"),
    ]
    told = ask_all(place(), "here", probes, lambda _: None)
    assert removed == ["b", "a"]
    assert told.not_asked == ["b", "c"]
    assert not told.accepted
    assert "2 not asked" in told.summary


def test_what_was_made_goes_after_a_fault_of_our_own() -> None:
    """The fault is raised, not hidden."""
    removed: list[str] = []
    with pytest.raises(AssertionError):
        ask_all(place(), "here", [makes("a", removed, raises(AssertionError()))], lambda _: None)
    assert removed == ["a"]


def test_who_asks_to_stop_ends_it_between_two_probes() -> None:
    heard: list[Result] = []
    probes = [asking(name, lambda _: "so") for name in "ab"]
    told = ask_all(place(), "here", probes, heard.append, lambda: bool(heard))
    assert (len(told.results), told.not_asked) == (1, ["b"])


def test_what_could_not_be_removed_is_named_and_the_rest_is_removed() -> None:
    """And the run is not accepted."""
    removed: list[str] = []

    def stays(at: Place) -> str:
        at.later("the topic x", raises(UnansweredError("403")))  # type: ignore[arg-type]
        return "so"

    probes = [makes("a", removed, lambda: "so"), asking("b", stays)]
    told = ask_all(place(), "here", probes, lambda _: None)
    assert told.left == ["the topic x (403)"]
    assert removed == ["a"]
    assert not told.accepted
    assert "- the topic x (403)" in told.markdown()


def test_a_thing_that_is_gone_already_is_no_failure_to_remove_it() -> None:
    """A thing is named before it is made, so it may never have been made."""
    at = place()
    with at.cleaning():
        at.delete_later("pubsub", "/v1/none")
    assert at.left == []
    refusing = replace(place(), calls=Scripted({"pubsub DELETE /v1/x": Answer(403, {})}))
    with refusing.cleaning():
        refusing.delete_later("pubsub", "/v1/x")
    assert refusing.left == ["/v1/x (delete /v1/x: 403)"]


def result(verdict: Verdict, seen: str = "seen") -> Result:
    return Result(asking(f"probe-{verdict.name.lower()}", lambda _: ""), seen, verdict)


def report(*results: Result) -> Report:
    began = datetime(2026, 3, 9, 12, 30, tzinfo=UTC)
    return Report("p (development, cloud)", "abc", began, results, [])


def test_nothing_known_is_nothing_accepted() -> None:
    """A run in which nobody answered must not pass for one in which all is well."""
    assert not report(result(Verdict.UNKNOWN)).accepted
    assert not report().accepted
    assert report(result(Verdict.UNKNOWN), result(Verdict.HOLDS)).accepted


def test_the_report_says_expected_seen_verdict_and_what_depends_on_it(tmp_path: Path) -> None:
    """In Markdown, what does not hold first; the same in JSON."""
    told = report(
        result(Verdict.HOLDS), result(Verdict.FAILS, "a | b\n<c>"), result(Verdict.UNKNOWN)
    )
    page_path, document_path = told.write(tmp_path / "new" / "folder")
    text = page_path.read_text(encoding="utf-8")
    assert re.findall("^## (.+)", text, re.MULTILINE) == [
        "Does not hold",
        "Not known here",
        "Holds",
    ]
    assert "| `probe-fails` | It is so. | so | a \\| b &lt;c> | Everything. |" in text
    assert "Assumptions asked: 3. 1 holds, 1 does not hold, 1 not known here." in text
    document = json.loads(document_path.read_text(encoding="utf-8"))
    assert document["accepted"] is False
    assert document["counts"] == {"holds": 1, "does not hold": 1, "not known here": 1}
    assert document["probes"][1] == {
        "name": "probe-fails",
        "verdict": "does not hold",
        "assumes": "It is so.",
        "expected": "so",
        "seen": "a | b\n<c>",
        "relied": "Everything.",
    }


def test_the_list_in_the_readme_is_what_the_probes_say() -> None:
    """`python -m infra.acceptance` prints it; paste that."""
    text = (ROOT / "terraform" / "README.md").read_text(encoding="utf-8")
    assert page() in text


def test_each_assumption_is_one_sentence_about_google() -> None:
    """With where it is relied upon: a file of this checkout."""
    assert len(PROBES) == len(set(PROBES)) > 40
    for probe in PROBES.values():
        assert probe.assumes.endswith("."), probe.name
        assert probe.relied.endswith("."), probe.name
        named = re.findall(r"[\w/]+\.(?:py|tf|json|md)\b|[\w/]+/(?=[):])", probe.relied)
        assert named, probe.name
        for path in named:
            places = (ROOT, ROOT / "functions/smartlink", ROOT / "functions")
            assert any((it / path).exists() for it in places), f"{probe.name}: {path}"


def test_metrics_and_alerts_are_terraforms() -> None:
    """Each that is made is asked for, and no other."""
    metrics = (ROOT / "terraform/monitoring_metrics.tf").read_text(encoding="utf-8")
    block = metrics.partition("counters = {")[2].partition('resource "google')[0]
    names = {*re.findall(r"^    (\w+) +=", block, re.MULTILINE), "scheduler_errors"}
    assert set(METRICS) == names
    alerts = (ROOT / "terraform/monitoring_alerts.tf").read_text(encoding="utf-8")
    titles = re.findall(r'title += "(.+)"|display_name += "Smart Link: ([^$"]+)"', alerts)
    assert sorted(ALERTS) == sorted(a or b for a, b in titles)


def test_the_auditors_rights_are_terraforms() -> None:
    """Those of the role smartlinkAuditor, in any order."""
    text = (ROOT / "terraform/audit.tf").read_text(encoding="utf-8")
    block = text.partition("smartlinkAuditor")[2].partition("]")[0].partition("permissions = [")[2]
    assert sorted(re.findall(r'"([\w.]+)"', block)) == sorted(AUDITOR)


def test_nothing_of_it_is_deployed() -> None:
    """The zip holds `functions`, and nothing there imports it."""
    files = (ROOT / "functions").rglob("*.py")
    assert not [it for it in files if "infra.acceptance" in it.read_text(encoding="utf-8")]
