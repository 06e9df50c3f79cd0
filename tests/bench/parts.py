"""The parts of the bench that measure the relay by itself: each gives JSON, and shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from tests.bench import coldstart, growth, latency, operations, stages

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its key in the JSON, how it is measured (quick or not), how it is shown."""

    key: str
    measure: Callable[[Say, bool, int | None], Any]
    show: Callable[[Any, Console], None]


def _stages(_say: Say, quick: bool, _messages: int | None) -> Any:  # noqa: ANN401, FBT001  (JSON)
    return stages.stages(quick=quick)


def _operations(_say: Say, quick: bool, _messages: int | None) -> Any:  # noqa: ANN401, FBT001
    found = operations.operations(quick=quick)
    return {
        "counted": found,
        "exceeded": operations.exceeded(found),
        "dollars": operations.dollars(found),
    }


def _cold_start(say: Say, quick: bool, _messages: int | None) -> Any:  # noqa: ANN401, FBT001
    return [it.json() for it in coldstart.cold_starts(say, quick=quick)]


def _growth(say: Say, quick: bool, messages: int | None) -> Any:  # noqa: ANN401, FBT001
    return growth.growth(say, quick=quick, messages=messages).json()


def _latency(say: Say, quick: bool, _messages: int | None) -> Any:  # noqa: ANN401, FBT001
    return latency.as_json(latency.latencies(say, quick=quick))


ALONE = {
    "stages": Part("stages", _stages, stages.show),
    "operations": Part(
        "operations", _operations, lambda it, console: operations.show(it["counted"], console)
    ),
    "cold-start": Part("coldStart", _cold_start, coldstart.show),
    "growth": Part("growth", _growth, growth.show),
    "latency": Part("latency", _latency, latency.show),
}
"""By their names on the command line."""
