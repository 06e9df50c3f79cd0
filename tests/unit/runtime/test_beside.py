"""What runs beside the caller: the threads' and its twin keep the same promises."""

import threading

import pytest

from smartlink.adapters.in_memory import at_once
from smartlink.adapters.threads import beside
from smartlink.observability import bound, configure, event
from smartlink.ports import Beside, Unavailable
from tests.unit.runtime.log_lines import log_lines


@pytest.mark.parametrize("begin", [at_once, beside])
class TestBeside:
    def test_the_answer_waits_for_the_result(self, begin: Beside) -> None:
        """And gives it as often as it is asked."""
        result = begin(lambda: 40 + 2)
        assert [result(), result()] == [42, 42]

    def test_an_error_reaches_the_caller(self, begin: Beside) -> None:
        """With the work, or with its result."""

        def fail() -> None:
            message = "no answer"
            raise Unavailable(message)

        with pytest.raises(Unavailable, match="no answer"):
            begin(fail)()


def test_it_goes_on_while_the_caller_does() -> None:
    """The work ends only because its caller went on after it had begun."""
    went_on = threading.Event()
    result = beside(lambda: went_on.wait(10))
    went_on.set()
    assert result()


def test_its_log_lines_have_the_caller_s_fields() -> None:
    """The trace of a call is that of all it does."""
    with log_lines() as lines:
        configure()
        with bound(trace="t-1"):
            beside(lambda: event("looked", "Looked"))()
    assert lines.of("looked")["trace"] == "t-1"
