"""`deliver`: a message in a plain unit test, and claims whose failures tell what there was."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from smartlink.consumer import (
    Consumer,
    Context,
    FatalError,
    Reply,
    RetryableError,
    Returned,
    UnknownOutcomeError,
    consumer,
)
from smartlink.domain.message import LogType
from smartlink.domain.outcome import HandBack
from smartlink.testing import Delivered, Place, cloud_event, deliver, totvs
from tests.unit.testing.consumers import Greeting, Ledger, greet

ANA = {"name": "Ana"}
BODIES = [
    ANA,
    '{"NAME": "Ana"}',
    Greeting(name="Ana"),
    totvs(ANA, tenantId="t-1"),
    totvs(Greeting(name="Ana")),
    cloud_event(ANA, type="greeting"),
]


def seen(payload: Any, **around: Any) -> Context:  # noqa: ANN401
    """The context that a consumer gets."""
    contexts: list[Context] = []

    @consumer("Probe")
    def look(content: str, context: Context) -> None:  # noqa: ARG001
        contexts.append(context)

    deliver(look, payload, **around).done()
    return contexts[0]


def raising(error: BaseException) -> Delivered:
    @consumer("Probe")
    def fail(content: str, context: Context) -> Returned:  # noqa: ARG001
        raise error

    return deliver(fail, "x")


@pytest.mark.parametrize("payload", BODIES, ids=repr)
def test_a_payload_is_written_as_it_comes_to_hand(payload: Any) -> None:  # noqa: ANN401
    """Text, mapping, model, or an envelope of either style."""
    outcome = deliver(greet, payload, audience="APP")
    body = outcome.done().replied("GreetResponse", audience="APP")
    assert body == {"text": "Hello, Ana", "generatedOn": "2026-01-15T12:00:00+00:00"}
    assert outcome.logged("Greeting Ana", LogType.INFORMATION).text == "Greeting Ana"


def test_what_is_around_a_message_can_be_said() -> None:
    """Tenant, ids, attempt, instant, audience."""
    now = datetime(2026, 7, 1, tzinfo=UTC)
    context = seen("x", tenant="beta", message_id="m", attempt=2, attempts=3, now=now)
    assert (context.tenant, context.message_id, context.command) == ("beta", "m", "Probe")
    assert (context.attempt, context.attempts, context.now) == (2, 3, now)


def test_the_correlation_id_is_the_payloads_own() -> None:
    """As when it is received; else what the test says."""
    assert seen(cloud_event(ANA, correlationid="c-1")).correlation_id == "c-1"
    assert seen(ANA, correlation_id="c-2").correlation_id == "c-2"
    assert deliver(greet, ANA).replied("GreetResponse", correlation_id="message-1")


def test_the_erps_secret() -> None:
    """A mapping is its JSON; without one the consumer meets what it would in the cloud."""
    ledger = Ledger()
    deliver(ledger.asks_for_its_secret(), ANA, erp={"databaseUrl": "sqlite://"}).done()
    assert ledger.keyed == {"Ana": "sqlite://"}
    assert seen("x", erp=b"raw").erp_secret() == b"raw"
    without = deliver(ledger.asks_for_its_secret(), ANA)
    without.must_retry("smartlink-erp-acme cannot be read")


def asks_for_the_bank(name: str = "bank") -> Consumer:
    @consumer("BankCommand")
    def ask(content: str, context: Context) -> Reply:  # noqa: ARG001
        return Reply("R", context.secret(name).decode())

    return ask


def test_the_consumers_own_secrets() -> None:
    """Those that are given are declared; None is one that nobody has made."""
    one = deliver(asks_for_the_bank(), ANA, secrets={"bank": {"key": "k"}}).done()
    assert one.replies[0].text == '{"key":"k"}'
    assert deliver(asks_for_the_bank(), ANA, secrets={"bank": b"raw"}).done().replies
    undeclared = deliver(asks_for_the_bank("post"), ANA, secrets={"bank": "x"})
    undeclared.is_fatal("BankCommand does not declare 'post'")
    deliver(asks_for_the_bank(), ANA).is_fatal("does not declare 'bank'")
    deliver(asks_for_the_bank(), ANA, secrets={"bank": None}).must_retry("smartlink-bank-acme")


def test_each_verdict_has_its_claim() -> None:
    """Retry, fatal, unknown; with a part of the reason."""
    raising(RetryableError("the ERP is down")).must_retry("ERP")
    raising(FatalError("no such person")).is_fatal("person")
    raising(UnknownOutcomeError("no answer")).outcome_unknown("no answer")
    raising(KeyError("x")).outcome_unknown("KeyError")
    deliver(greet, {}).is_fatal("name: missing")
    Delivered(HandBack("the bucket is down")).handed_back("bucket")


def claims(outcome: Delivered) -> dict[str, Any]:
    return {
        "expected Done": outcome.done,
        "expected a retry because of 'bank'": lambda: outcome.must_retry("bank"),
        "expected fatal because of 'x'": lambda: outcome.is_fatal("x"),
        "expected an unknown outcome because of ''": outcome.outcome_unknown,
        "expected handed back because of ''": outcome.handed_back,
        "expected a log line of ERROR with 'Greet'": lambda: outcome.logged("Greet", LogType.ERROR),
        "expected a log line with 'Bo'": lambda: outcome.logged("Bo"),
    }


@pytest.mark.parametrize("expected", claims(raising(RetryableError(""))))
def test_a_failed_claim_lists_what_there_was(expected: str) -> None:
    """Outcome, reason, replies and lines, so that nobody has to run it again to know."""

    @consumer("Probe")
    def busy(request: Greeting, context: Context) -> None:
        context.log.warning("Greeting %s", request.name)
        raise RetryableError("the ERP is busy")

    with pytest.raises(AssertionError) as failed:
        claims(deliver(busy, ANA))[expected]()
    assert str(failed.value) == (
        f"{expected}; there was:\noutcome: Retry: the ERP is busy\nreplies: none\n"
        "log WARNING: Greeting Ana"
    )


@pytest.mark.parametrize(
    ("kind", "around", "expected"),
    [
        ("Other", {}, "one reply 'Other', found 0"),
        ("GreetResponse", {"audience": None}, "one reply 'GreetResponse' to None, found 0"),
        ("GreetResponse", {"correlation_id": "c"}, "with correlation 'c', found 0"),
    ],
)
def test_a_missing_reply_lists_the_others(kind: str, around: Any, expected: str) -> None:  # noqa: ANN401
    """With their types, audiences and contents."""
    with pytest.raises(AssertionError) as failed:
        deliver(greet, ANA, audience="APP").replied(kind, **around)
    assert expected in str(failed.value)
    assert "reply: GreetResponse to APP (correlation 'message-1'): {" in str(failed.value)


def test_no_reply_is_a_claim_too() -> None:
    """And one reply more than that fails it; two alike are not one."""
    deliver(Ledger().logs_values(), ANA).replied_nothing()
    with pytest.raises(AssertionError, match="expected no reply"):
        deliver(greet, ANA).replied_nothing()

    @consumer("Probe")
    def twice(content: str, context: Context) -> list[Reply]:  # noqa: ARG001
        return [Reply("A", "1"), Reply("A", "2")]

    with pytest.raises(AssertionError, match="one reply 'A', found 2"):
        deliver(twice, "").replied("A")


def test_a_large_reply_is_whole() -> None:
    """Also one that the relay would keep in a bucket."""

    @consumer("Probe")
    def page(content: str, context: Context) -> Reply:  # noqa: ARG001
        return Reply("Page", content)

    assert deliver(page, "x" * 300_000).replied("Page") == "x" * 300_000


def test_an_unexpected_exception_shows_its_stack() -> None:
    """In the failure's text: it is what the author needs."""
    with pytest.raises(AssertionError, match="expected Done") as failed:
        deliver(Ledger().trusts_the_payload(), "{}").done()
    assert "KeyError: 'name'" in str(failed.value)
    assert "consumers.py" in str(failed.value)


def test_a_place_remembers_what_was_done_once() -> None:
    """Given to the next delivery, `once` answers from it; another place knows nothing."""
    ledger, place = Ledger(), Place()
    for attempt in (1, 2):
        assert deliver(ledger.pays_once(), ANA, attempt=attempt, place=place).replied("Paid") == {
            "number": 1
        }
    assert deliver(ledger.pays_once(), ANA).replied("Paid") == {"number": 2}


@pytest.mark.parametrize(
    ("around", "fix"),
    [
        ({"now": datetime(2026, 1, 1)}, "now has no time zone"),  # noqa: DTZ001
        ({"attempt": 0}, "attempt is 0: it is 1 to 5"),
        ({"attempt": 6}, "attempt is 6: it is 1 to 5"),
    ],
)
def test_a_wrong_call_is_named(around: Any, fix: str) -> None:  # noqa: ANN401
    """With the fix."""
    with pytest.raises(ValueError, match=fix):
        deliver(greet, ANA, **around)


def test_what_is_no_consumer_is_refused() -> None:
    """The bare function is the mistake that one makes."""
    with pytest.raises(TypeError, match="give the function stamped with @consumer"):
        deliver(greet.function, ANA)  # type: ignore[arg-type]


def test_it_needs_no_test_runner() -> None:
    """It works under unittest alone, and loads no vendor's client: there is nothing to reach."""
    code = (
        "import sys; sys.modules['pytest'] = None; import smartlink.testing; "
        "print([it for it in sys.modules if it.split('.')[0] in ('grpc', 'requests', 'urllib3', "
        "'flask', 'sqlalchemy') or it.startswith(('google.auth', 'google.cloud.'))])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


class GreetBody(BaseModel):
    text: str


def test_a_reply_is_typed() -> None:
    """Without casts: as it was parsed, or as a model that it must fit."""
    outcome = deliver(greet, ANA, audience="APP")
    assert outcome.replied("GreetResponse")["text"].startswith("Hello")
    assert outcome.replies[0].body["text"] == "Hello, Ana"
    greeting: GreetBody = outcome.replied("GreetResponse", GreetBody, audience="APP")
    assert greeting.text == "Hello, Ana"
    texts: dict[str, str] = outcome.replied("GreetResponse", dict[str, str])
    assert texts["text"] == "Hello, Ana"
    with pytest.raises(AssertionError, match=r"to fit .*int[\s\S]*there was:"):
        outcome.replied("GreetResponse", dict[str, int])
