"""Logs: one JSON line each, with a stable action, and neither secret nor content."""

import json
import logging
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress

import pytest

from smartlink.observability import (
    DEBUG,
    ERROR,
    INFO,
    WARNING,
    bound,
    configure,
    describe,
    event,
    surprise,
    trace_fields,
    where,
)
from tests.unit.runtime.log_lines import LogLines, loggers_restored

CANARY = "canary-529"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def lines() -> Iterator[LogLines]:
    """Logs as a function's process writes them."""
    collected = LogLines()
    with loggers_restored():
        with redirect_stdout(collected.stream):
            configure()
        yield collected


def fail() -> None:
    raise ValueError(CANARY)


def test_an_event_is_one_line(lines: LogLines) -> None:
    """Whatever the text, it is one line of JSON, as Cloud Logging reads it."""
    event("poll_done", 'Polled "3"\ntenants, ação 😀 \ud800', tenants=3, seconds=0.5, none=None)
    line = lines.one
    assert line.pop("time")
    assert line == {
        "severity": "INFO",
        "message": 'Polled "3"\ntenants, ação 😀 \ud800',
        "action": "poll_done",
        "tenants": 3,
        "seconds": 0.5,
    }


@pytest.mark.parametrize(
    ("severity", "name"), [(INFO, "INFO"), (WARNING, "WARNING"), (ERROR, "ERROR")]
)
def test_severities(lines: LogLines, severity: int, name: str) -> None:
    """As Cloud Logging names them."""
    event("probe", "text", severity)
    assert [line["severity"] for line in lines.all] == [name]


def test_what_is_not_logged(lines: LogLines) -> None:
    """Debug lines are off unless asked for."""
    event("probe", "text", DEBUG)
    assert lines.all == []
    with redirect_stdout(lines.stream):
        configure(DEBUG)
    event("probe", "text", DEBUG)
    assert lines.one["severity"] == "DEBUG"


def test_long_values_are_cut(lines: LogLines) -> None:
    """An entry stays far below Cloud Logging's 256 KB."""
    event("probe", "x" * 1_000_000, value="y" * 1_000_000)
    line = lines.one
    assert len(str(line)) < 10_000


@pytest.mark.parametrize("value", [object(), {"a": object()}, [b"x"], ValueError("x")])
def test_any_value_makes_a_line(lines: LogLines, value: object) -> None:
    """A value that JSON has no form for costs no line."""
    event("probe", "text", value=value)
    line = lines.one
    assert line["value"]


def test_a_percent_sign_is_no_format(lines: LogLines) -> None:
    """A text is a text, also a consumer's template."""
    event("probe", "100 % of %s")
    assert lines.one["message"] == "100 % of %s"


def test_bound_fields_are_on_every_line_inside(lines: LogLines) -> None:
    """Nested ones add up; the innermost and the event's own win."""
    with bound(tenant="acme", attempt=1):
        with bound(attempt=2, messageId="m"):
            event("inner", "text", messageId="own")
        event("outer", "text")
    event("after", "text")
    inner, outer, after = lines.all
    assert (inner["tenant"], inner["attempt"], inner["messageId"]) == ("acme", 2, "own")
    assert (outer["tenant"], outer["attempt"], outer.get("messageId")) == ("acme", 1, None)
    assert not {"tenant", "attempt", "messageId"} & after.keys()


def test_bound_fields_are_wiped_by_an_error(lines: LogLines) -> None:
    """A warm process's next call carries nothing of a call that failed."""
    with suppress(ValueError), bound(tenant="acme"):
        fail()
    event("next", "text")
    assert "tenant" not in lines.one


def test_a_surprise_shows_no_text(lines: LogLines) -> None:
    """Invariant 10: of an unexpected exception the type and the stack are logged."""
    try:
        fail()
    except ValueError as error:
        surprise("call_failed", "Unexpected", error, tenant="acme")
    line = lines.one
    assert CANARY not in json.dumps(line)
    assert (line["severity"], line["action"], line["tenant"]) == ("ERROR", "call_failed", "acme")
    assert str(line["error"]).startswith("ValueError at test_observability.py:")
    assert str(line["stack"]).splitlines()[-1].endswith(" fail")
    assert "raise ValueError" not in str(line["stack"]), "no source line either"


def test_a_librarys_exception_shows_no_text(lines: LogLines) -> None:
    """Flask logs what a function raised: the same line, under the action `library`."""
    try:
        fail()
    except ValueError:
        logging.getLogger("flask.app").exception("Exception on / [POST]")
    line = lines.one
    assert CANARY not in json.dumps(line)
    assert (line["action"], line["message"]) == ("library", "Exception on / [POST]")
    assert str(line["error"]).startswith("ValueError at ")


def test_libraries_are_heard_from_warnings_on(lines: LogLines) -> None:
    """Their chatter is not stored."""
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("100 %s", "trouble")
    assert [line["message"] for line in lines.all] == ["100 trouble"]


def test_an_exception_that_was_not_raised_can_be_described() -> None:
    """It has no place then."""
    assert describe(ValueError(CANARY)) == "ValueError"
    assert where(None) == ""


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (f"00-{TRACE}-{SPAN}-01", SPAN),
        (f"{TRACE}/12345;o=1", None),
        (f"{TRACE}/12345", None),
        (f"{TRACE};o=1", None),
        (TRACE, None),
    ],
)
def test_a_trace_in_either_header_form(header: str, span: str | None) -> None:
    """`traceparent` and `X-Cloud-Trace-Context` both link the lines of a call to its request."""
    fields = trace_fields(header, "project")
    assert fields.pop("logging.googleapis.com/trace") == f"projects/project/traces/{TRACE}"
    assert fields == ({} if span is None else {"logging.googleapis.com/spanId": span})


@pytest.mark.parametrize("header", [None, "", "x", "00-x-y-01", "-" * 40, "00-" + TRACE, "é" * 32])
def test_no_trace(header: str | None) -> None:
    """A header of another form is no error, and no field."""
    assert trace_fields(header, "project") == {}
