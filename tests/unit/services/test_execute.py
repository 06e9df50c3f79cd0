"""One message, one consumer: whatever happens in it is an outcome, and harms nobody else."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import field_validator

from smartlink.consumer import Context, FatalError, Payload, RetryableError
from smartlink.domain.outcome import HandBack, Reject, Retry
from smartlink.domain.payload import Style
from smartlink.ports import Unavailable
from tests.support.world import START
from tests.unit.services.execution import Call

CANARY = "canary-529"


class Request(Payload):
    name: str
    number: int


def seen(content: str, **parts: object) -> tuple[str, Context]:
    """What a raw consumer gets."""
    got: list[tuple[str, Context]] = []

    def look(text: str, context: Context) -> None:
        got.append((text, context))

    Call().done(look, content, **parts)
    return got[0]


@pytest.mark.parametrize(
    "content", ["", "{}", "opaque", "a\x00b", "\ud800", "ação 😀", "x" * 300_000]
)
def test_a_raw_consumer_gets_the_content_as_it_came(content: str) -> None:
    """Whole, whatever it is, also from the bucket."""
    assert seen(content)[0] == content


def test_the_context() -> None:
    """All that is known of the message; the content's header is for typed consumers."""
    context = seen("{}", correlation_id="c-1", audience="APP")[1]
    assert (context.tenant, context.message_id, context.command) == ("acme", "m-1", "Probe")
    assert (context.attempt, context.attempts) == (1, 5)
    assert (context.correlation_id, context.audience) == ("c-1", "APP")
    assert (context.received, context.now) == (START, START)
    assert (context.style, context.header) == (None, {})


@pytest.mark.parametrize(
    ("content", "style"),
    [
        ('{"name": "ana", "number": 7}', Style.JSON),
        ('{"HEADER": {"Locale": "pt"}, "Content": {"Name": "ana", "NUMBER": 7}}', Style.TOTVS),
        (
            '{"specversion": "1.0", "locale": "pt", "data": {"name": "ana", "number": 7}}',
            Style.CLOUD_EVENTS,
        ),
    ],
)
def test_a_typed_consumer_gets_the_body(content: str, style: Style) -> None:
    """In each style, parsed; header and style are in the context."""
    got: list[object] = []

    def look(request: Request, context: Context) -> None:
        got.extend([request, context.style, context.header.get("locale")])

    Call().done(look, content)
    assert got == [Request(name="ana", number=7), style, None if style is Style.JSON else "pt"]


def take(request: Request, context: Context) -> None:
    """Take it."""


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (f'{{"name": ["{CANARY}"]}}', ["name", "number"]),
        (f'{{"name": "ana", "number": "{CANARY}"}}', ["number"]),
        (f'"{CANARY}"', ["the body"]),
        ("null", ["the body"]),
        (CANARY, ["JSON"]),
        (f'{{"name": "{CANARY}', ["JSON", "line 1"]),
    ],
)
def test_a_content_that_does_not_fit_is_dead_at_once(content: str, named: list[str]) -> None:
    """It will never fit: the reason names each field, and no value."""
    reject = Call().reject(take, content)
    assert all(name in reject.error for name in named)
    assert CANARY not in f"{reject.error} {reject.debug}"


class Fussy(Payload):
    name: str

    @field_validator("name")
    @classmethod
    def _check(cls, value: str) -> str:
        raise KeyError(value)


def test_a_validator_that_fails_is_a_failed_attempt() -> None:
    """Invariant 6: an author's mistake in a model ends neither the thread nor the process."""

    def fuss(request: Fussy, context: Context) -> None:
        """Never reached."""

    assert "KeyError" in Call().unknown(fuss, '{"name": "ana"}').error


def raising(error: BaseException) -> Any:  # noqa: ANN401
    def fail(content: str, context: Context) -> None:  # noqa: ARG001
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RetryableError("the database is locked"), Retry("the database is locked")),
        (RetryableError(), Retry("RetryableError without a text")),
        (FatalError("no such employee"), Reject("no such employee")),
    ],
)
@pytest.mark.parametrize("personal", [False, True])
def test_the_authors_errors(error: Exception, outcome: object, *, personal: bool) -> None:
    """Their texts are for the operator, and are stored also of a personal command."""
    assert Call(personal=personal).finish(raising(error)).outcome == outcome


def test_a_fatal_error_that_lost_its_reason_still_has_one() -> None:
    """A subclass may forget to hand it on."""

    class LostError(FatalError):
        def __init__(self) -> None:
            Exception.__init__(self)

    assert Call().reject(raising(LostError())).error


class Mute(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise ValueError


def recurse(content: str, context: Context) -> None:
    recurse(content, context)


UNEXPECTED = [
    raising(ValueError(CANARY)),
    raising(SystemExit(CANARY)),
    raising(KeyboardInterrupt(CANARY)),
    raising(MemoryError(CANARY)),
    raising(ExceptionGroup(CANARY, [ValueError(CANARY)])),
    raising(Mute()),
    recurse,
]


@pytest.mark.parametrize("function", UNEXPECTED)
def test_any_other_exception_is_a_failed_attempt(function: Any) -> None:  # noqa: ANN401
    """Also SystemExit and RecursionError: type, place and stack tell the operator."""
    retry = Call().unknown(function)
    assert retry.error.startswith("Unexpected ")
    assert ".py:" in retry.error
    assert "Traceback" in (retry.debug or "")
    assert len(retry.error) <= 1_000
    assert len(retry.debug or "") <= 16_000


@pytest.mark.parametrize("function", UNEXPECTED)
def test_of_a_personal_command_no_text_is_stored(function: Any) -> None:  # noqa: ANN401
    """An exception's text may quote the content: type and stack alone are kept."""
    retry = Call(personal=True).unknown(function, CANARY)
    assert CANARY not in f"{retry.error} {retry.debug}"
    assert ".py:" in retry.error
    assert "execute.py" in (retry.debug or "")


@pytest.mark.parametrize(
    "error", [None, RetryableError("down"), FatalError("no"), KeyError("x"), SystemExit(1)]
)
def test_lines_are_kept_whatever_the_outcome(error: BaseException | None) -> None:
    """What the consumer logged before it failed says how far it came."""

    def fail(content: str, context: Context) -> None:
        context.log.warning("Half of %s", content)
        if error is not None:
            raise error

    finished = Call().finish(fail, "it")
    assert [(line.text, line.at) for line in finished.lines] == [("Half of it", START)]


@pytest.mark.parametrize(("seconds", "runs"), [(0, True), (-1, True), (1, False)])
def test_a_message_is_started_only_in_time(seconds: int, *, runs: bool) -> None:
    """Invariant 6: what could not end before its lease does is handed back, not run."""
    call = Call(now=START + timedelta(minutes=5, seconds=seconds))
    ran: list[str] = []
    outcome = call.finish(noting(ran)).outcome
    assert (outcome != HandBack(), len(ran)) == (runs, int(runs))


def noting(ran: list[str]) -> Any:  # noqa: ANN401
    def run(content: str, context: Context) -> None:  # noqa: ARG001
        ran.append(content)

    return run


def test_a_content_that_is_not_to_be_had_now_returns_the_attempt() -> None:
    """The bucket's trouble is not the message's."""
    call = Call()
    call.contents.faults.fail("get", Unavailable("the bucket is down"))
    outcome = call.finish(noting([]), "x" * 300_000).outcome
    assert outcome == HandBack("the bucket is down")


def test_a_content_that_is_gone_is_dead() -> None:
    """The reason names the object."""

    class Forgetful(Call):
        def message(self, content: str, **parts: Any) -> Any:  # noqa: ANN401
            message = Call.message(self, content, **parts)
            self.contents.objects.clear()
            return message

    assert "acme/D-m-1/" in Forgetful().reject(noting([]), "x" * 300_000).error


def test_the_erps_secret() -> None:
    """It is read when the consumer asks; a secret that cannot be read is no message's fault."""
    got: list[bytes] = []

    def ask(content: str, context: Context) -> None:  # noqa: ARG001
        got.append(context.erp_secret())

    call = Call()
    assert "smartlink-erp-acme" in call.retry(ask).error
    call.secrets.put_erp("acme", CANARY.encode())
    call.done(ask)
    assert got == [CANARY.encode()]


@pytest.mark.parametrize(
    ("personal", "last"), [(True, "raise ZeroDivisionError"), (False, "ZeroDivisionError")]
)
def test_of_a_deep_stack_the_innermost_frames_are_kept(last: str, *, personal: bool) -> None:
    """Twenty: it says where, and is short enough to be stored."""

    def ping(left: int) -> None:
        pong(left - 1)

    def pong(left: int) -> None:
        if left:
            ping(left)
        raise ZeroDivisionError

    def fail(_content: str, _context: Context) -> None:
        ping(40)

    lines = (Call(personal=personal).unknown(fail).debug or "").splitlines()
    places = [line for line in lines if line.startswith("  File ")]
    assert len(places) == 20
    assert {line.split()[-1] for line in places} == {"ping", "pong"}
    assert lines[-1].strip() == last


def test_the_time_left_is_what_the_runners_watch_leaves() -> None:
    """It falls from the command's time-out, in real seconds, and never below nothing."""
    left: list[float] = []

    def look(content: str, context: Context) -> None:  # noqa: ARG001
        left.append(context.time_left)
        while context.time_left == left[0]:
            pass
        left.append(context.time_left)

    Call(timeout=timedelta(seconds=40)).done(look)
    assert 39 < left[1] < left[0] <= 40

    def late(content: str, context: Context) -> None:  # noqa: ARG001
        left.append(context.time_left)

    Call(timeout=timedelta(0)).done(late)
    assert left[-1] == 0
