"""The logger of a consumer: whole in `GTotvsLinkLog`, the bare template in Cloud Logging."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from smartlink.consumer import Logger, WrongTypeError
from smartlink.domain.message import LogType
from smartlink.domain.outcome import Line
from tests.support.samples import NOW

CANARY = "canary-529"


class Said:
    """A logger, and what of it reaches Cloud Logging."""

    def __init__(self) -> None:
        self.cloud: list[tuple[LogType, str]] = []
        self.log = Logger(lambda *line: self.cloud.append(line), lambda: NOW)


@pytest.fixture
def said() -> Said:
    return Said()


def test_each_kind_of_line(said: Said) -> None:
    """RM's LOGTYPE 0, 1 and 2, each with its time."""
    said.log.info("one")
    said.log.warning("two")
    said.log.error("three", debug="stack")
    assert said.log.lines == [
        Line(LogType.INFORMATION, "one", NOW),
        Line(LogType.WARNING, "two", NOW),
        Line(LogType.ERROR, "three", NOW, "stack"),
    ]


def test_values_stay_out_of_cloud_logging(said: Said) -> None:
    """Invariant 10: Cloud Logging gets the template alone; values and debug data do not leave."""
    said.log.info("Found %s in %d rows", CANARY, 3, debug=CANARY)
    assert [line.text for line in said.log.lines] == [f"Found {CANARY} in 3 rows"]
    assert said.cloud == [(LogType.INFORMATION, "Found %s in %d rows")]
    assert CANARY not in repr(said.log)


@pytest.mark.parametrize("template", ["100 %", "%s", "%(name)s", "{}"])
def test_a_template_without_values_is_a_text(said: Said, template: str) -> None:
    """It is not interpreted."""
    said.log.info(template)
    assert said.log.lines[0].text == template


def test_a_line_has_its_limits(said: Said) -> None:
    """A document stays small: 4,000 characters of text, 16,000 of debug data."""
    said.log.info("%s", "x" * 100_000, debug="y" * 100_000)
    (line,) = said.log.lines
    assert (len(line.text), len(line.debug or "")) == (4_000, 16_000)


@pytest.mark.parametrize(
    ("write", "wrong"),
    [
        (lambda log: log.info("rows", debug=["a"]), "log line 2: debug is a list"),
        (lambda log: log.error("rows", debug=b"a"), "log line 2: debug is a bytes"),
        (lambda log: log.warning(ValueError(CANARY)), "log line 2: its template is a ValueError"),
        (lambda log: log.info({"text": CANARY}), "log line 2: its template is a dict"),
    ],
)
def test_a_line_of_a_wrong_type_fails_where_it_is_written(
    said: Said, write: Callable[[Logger], None], wrong: str
) -> None:
    """By its number and part, and no value; nothing of it is kept."""
    said.log.info("one")
    with pytest.raises(WrongTypeError) as caught:
        write(said.log)
    assert str(caught.value).startswith(wrong)
    assert CANARY not in str(caught.value)
    assert (len(said.log.lines), len(said.cloud)) == (1, 1)


def test_a_consumer_in_a_loop_fills_no_database(said: Said) -> None:
    """At most 100 lines; the last one says that there were more."""
    for number in range(1_000):
        said.log.info("line %d", number, debug=CANARY)
    texts = [line.text for line in said.log.lines]
    assert texts == [*(f"line {number}" for number in range(99)), "Further lines are dropped"]
    assert said.log.lines[-1].debug is None
    assert len(said.cloud) == 100


def test_the_clock_is_the_calls(said: Said) -> None:
    """A line's time is that of its call."""
    times = iter([NOW, NOW + timedelta(seconds=1)])
    log = Logger(lambda *_: None, lambda: next(times))
    log.info("one")
    log.info("two")
    assert [line.at - NOW for line in log.lines] == [timedelta(0), timedelta(seconds=1)]
    assert said.log.lines == []
