"""The conformance suite: each flaw is caught by its own check, and nothing good is accused."""

from collections.abc import Iterator
from typing import Any

import pytest

from smartlink.consumer import MOST_REPLIES, Context, Reply, consumer
from smartlink.testing import Limits, Verdict, conforms, examine
from tests.unit.testing.consumers import Ledger, greet

ANA, BO = {"name": "Ana"}, {"name": "Bo"}
AGAIN = {"repeat", "lost settlement"}
FLAWS: dict[str, tuple[set[str], str, str]] = {
    # the consumer: the checks that fail, in what was found, in the advice
    "appends": (AGAIN, "'rows': ['Ana', 'Ana']", "context.once"),
    "marks_too_late": ({"crash"}, "log 'Added' doubled effects", "upsert"),
    "does_nothing_again": ({"lost settlement"}, "came to Done with replies ()", "what is stored"),
    "makes_up_an_id": (AGAIN, "'number'", "context.message_id"),
    "waits": ({"time"}, "still runs after 0.03 s", "time-out of its own"),
    "waits_without_a_name": ({"odd payloads"}, "name = an empty text", "bound loops"),
    "logs_values": ({"log templates"}, "holds 'Ana'", "never an f-string"),
    "prints": ({"log templates"}, "printed", "print nothing"),
    "trusts_the_payload": ({"odd payloads"}, "KeyError by ", "AttributeError: a field may be null"),
    "returns_what_cannot_be_sent": ({"odd payloads"}, "type must have 1 to 512", "FatalError"),
    "remembers_the_last": ({"order"}, "payload 1, in another order", "a run leaves in memory"),
    "replies_without_end": ({"replies"}, "2,359,296 bytes", "page"),
    "logs_each_row": ({"log lines"}, "more than 99", "counts"),
    "keeps_a_secret": ({"tenants"}, "another tenant", "by context.tenant"),
    "keeps_its_own_secret": ({"tenants"}, "another tenant", "by context.tenant"),
    "leaves_threads": ({"threads"}, "6 threads more", "join"),
    "keeps_everything": ({"memory"}, "bytes in memory", "maxsize"),
}


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    ledger = Ledger()
    yield ledger
    ledger.release()


def around(ledger: Ledger, **more: object) -> Any:  # noqa: ANN401
    return {
        "effects": ledger.snapshot,
        "reset": ledger.empty,
        "others": [BO],
        "erp": {"databaseUrl": "sqlite://"},
        "secrets": {"bank": {"key": "k"}},
        "limits": Limits(runs=6),
        **more,
    }


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_is_caught_by_its_check(ledger: Ledger, flaw: str) -> None:
    """By that one alone, with what was found and how to fix it."""
    failing, found, advice = FLAWS[flaw]
    patience = 0.03 if flaw.startswith("waits") else 10
    report = examine(getattr(ledger, flaw)(), ANA, **around(ledger, timeout=patience))
    assert {check.name for check in report.failed} == failing, str(report)
    assert all(found in check.detail for check in report.failed), str(report)
    assert all(advice in check.advice for check in report.failed), str(report)
    rest = {check.verdict for check in report.checks} - {Verdict.FAILED}
    assert (Verdict.PASSED in rest) is (flaw != "waits"), "the others are run all the same"


@pytest.mark.parametrize("good", ["upserts", "asks_for_its_secret"])
@pytest.mark.parametrize("reset", [False, True])
def test_a_good_one_conforms(ledger: Ledger, good: str, *, reset: bool) -> None:
    """Also where nothing puts the outside back; the report then says what that costs."""
    options = around(ledger)
    if not reset:
        del options["reset"]
    report = conforms(getattr(ledger, good)(), ANA, **options)
    assert report.ok
    assert any("without reset=" in note for note in report.notes) is not reset


def test_the_simplest_line() -> None:
    """A consumer and a payload are enough; that nothing but replies was compared is said."""
    report = conforms(greet, ANA)
    assert report.check("repeat").detail == "the same replies"
    assert "only the replies were compared" in report.notes[0]
    assert report.check("order").verdict is Verdict.NOT_RUN


def test_a_failure_is_told() -> None:
    """The AssertionError lists every check, the advice, and the notes."""
    with pytest.raises(AssertionError) as failed:
        conforms(Ledger().logs_values(), ANA)
    text = str(failed.value)
    assert text.startswith("The consumer of Probe: 1 FAILED, ") or "1 FAILED" in text
    assert "FAILED   log templates: the template" in text
    assert "Advice: log.info(" in text
    assert "note" in text


def test_a_field_may_differ_if_it_is_said(ledger: Ledger) -> None:
    """`volatile` names it, in any casing; the replies' own times are known."""
    assert examine(ledger.makes_up_an_id(), ANA, volatile=["NUMBER"]).ok


def test_the_sample_must_be_accepted() -> None:
    """Else nothing was examined: the rest is not run."""
    report = examine(greet, {"nome": "Ana"})
    assert [check.name for check in report.failed] == ["accepted"]
    assert "name: missing" in report.check("accepted").detail
    assert report.check("odd payloads").verdict is Verdict.NOT_RUN


def test_an_effect_done_once_may_be_doubled_by_a_crash(ledger: Ledger) -> None:
    """Between the effect and its record the process may end; without `hold` it is repeated."""
    report = examine(ledger.pays_once(), ANA, **around(ledger))
    assert [check.name for check in report.failed] == ["crash"]
    assert "once: done, not recorded doubled effects" in report.failed[0].detail
    assert '"unknownOutcome": "hold"' in report.failed[0].advice
    assert report.check("once").detail == "a crash does harm already: fix that first"


def test_a_held_effect_is_not_doubled(ledger: Ledger) -> None:
    """With `hold` the message waits for a person wherever the effect was begun and not ended."""
    report = conforms(ledger.pays_once(), ANA, **around(ledger, hold=True))
    assert report.check("crash").detail == "at 4 seams, each run again; held for a person: 2"
    once = report.check("once").detail
    # Held: the answer that it began is lost, and how it ended is never written.
    assert once == "4 failing writes, each run again; held for a person: 2"


def test_a_repeatable_effect_needs_no_hold(ledger: Ledger) -> None:
    """Where the other side knows the key, every crash and every lost write is fixed by itself."""
    report = conforms(ledger.pays_a_bank_that_knows_the_key(), ANA, **around(ledger))
    assert report.check("crash").detail == "at 4 seams, each run again"
    assert report.check("once").detail == "4 failing writes, each run again"


def test_what_is_held_anyway_is_not_run_again(ledger: Ledger) -> None:
    """Without `once` a command with `hold` is never repeated by the relay."""
    report = conforms(ledger.appends(), ANA, **around(ledger, hold=True))
    assert report.check("repeat").verdict is Verdict.NOT_RUN
    assert "a person decides" in report.check("repeat").detail


def test_limits_can_be_set(ledger: Ledger) -> None:
    """For a consumer that means it."""
    limits = Limits(replies=0, runs=1)
    assert [it.name for it in examine(greet, ANA, limits=limits).failed] == ["replies"]
    assert Limits().replies == MOST_REPLIES  # as the relay itself stores them
    limits = Limits(reply_bytes=10, runs=1)
    assert [it.name for it in examine(greet, ANA, limits=limits).failed] == ["replies"]
    assert examine(ledger.keeps_everything(), ANA, limits=Limits(leaked_bytes=200_000)).ok


def test_an_unknown_check_is_named() -> None:
    """With those there are."""
    with pytest.raises(KeyError, match="no check 'speed': there are time, replies"):
        examine(greet, ANA, limits=Limits(runs=1)).check("speed")


def test_what_is_no_consumer_is_refused() -> None:
    """With the fix."""
    with pytest.raises(TypeError, match="function is no consumer: give the function stamped"):
        examine(greet.function, ANA)  # type: ignore[arg-type]


def test_replies_that_the_relay_cannot_store_fail_by_its_own_bound() -> None:
    """By their bytes too, long before their number; the text is what an operator would read."""

    @consumer("Probe")
    def many(content: str, context: Context) -> list[Reply]:  # noqa: ARG001
        return [Reply("Row", "x" * 600) for _ in range(1_400)]

    failed = examine(many, "{}", limits=Limits(runs=1)).failed
    assert failed[0].name == "replies"
    assert "2,359,296 bytes" in failed[0].detail


def test_the_messages_of_one_key_keep_their_order(ledger: Ledger) -> None:
    """What the relay never runs the other way round is not held against a consumer."""
    report = examine(ledger.remembers_the_last(), ANA, **around(ledger, ordered="tenant"))
    assert report.check("order").verdict is Verdict.PASSED
    report = examine(ledger.remembers_the_last(), ANA, **around(ledger, ordered="/name"))
    assert report.check("order").verdict is Verdict.FAILED


def test_a_payload_without_the_key_is_told(ledger: Ledger) -> None:
    """The relay would not run it: it is dead when it is stored."""
    report = examine(ledger.remembers_the_last(), ANA, **around(ledger, ordered="/invoice"))
    check = report.check("order")
    assert check.verdict is Verdict.FAILED
    assert "/invoice" in check.detail
    assert "dead in the relay" in check.advice
