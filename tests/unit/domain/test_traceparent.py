"""A message's trace: the sender's, the call's, or one of its own."""

from dataclasses import replace

import pytest

from smartlink.domain.traceparent import called_under, joined, traceparent_of, valid_traceparent
from tests.support.samples import pending, upstream

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (GOOD, GOOD),
        (f" {GOOD}\n", GOOD),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"cc-{TRACE}-{SPAN}-01", GOOD),  # a later version is read as this one
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (GOOD.upper(), None),
        (f"{GOOD}-x", None),
        ("", None),
        (None, None),
        (7, None),
        (f"{GOOD}\r\nX: 1", None),
    ],
)
def test_only_what_the_standard_allows_is_taken(text: object, read: str | None) -> None:
    """It becomes a header and a log field."""
    assert valid_traceparent(text) == read


def test_a_call_has_a_trace_in_either_header() -> None:
    """`traceparent` before Google's older one."""
    cloud = f"{TRACE.upper()}/7;o=1"
    assert called_under(GOOD, cloud) == GOOD
    assert called_under("nonsense", cloud) == f"00-{TRACE}-0000000000000007-01"
    assert called_under(None, f"{TRACE}/0") is None
    assert called_under(None, f"{TRACE}/{2**64}") is None
    assert called_under(None, None) is None


def test_what_comes_in_a_call_has_a_span_of_its_own() -> None:
    """Each message the same one at each look."""
    made = joined(GOOD, "D-1")
    assert made == joined(GOOD, "D-1") != joined(GOOD, "D-2")
    assert valid_traceparent(made) == made
    assert made is not None
    assert made[:36] == GOOD[:36]
    assert joined(None, "D-1") is None


def test_a_reply_has_the_trace_of_what_it_answers() -> None:
    """Of the message, tenant by tenant; one that came with a trace keeps it."""
    message = pending()
    reply = replace(upstream(), id=f"{message.document}/reply/2")
    own = traceparent_of("acme", message)
    assert valid_traceparent(own) == own
    assert traceparent_of("acme", reply) == own
    assert traceparent_of("globex", message) != own
    assert traceparent_of("acme", replace(message, trace=GOOD)) == GOOD
