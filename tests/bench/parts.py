"""The parts of the bench that measure the relay by itself: each gives JSON, and shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from infra.deploy.costs import bills
from tests.bench import (
    coldstart,
    console,
    deployment,
    growth,
    latency,
    operations,
    replies,
    stages,
    tpd,
)
from tests.bench.life import measure as life

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks of a part; None: the part's own."""

    quick: bool
    messages: int | None = None
    people: int | None = None  # of TPD's ERP
    rows: int | None = None
    rounds: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its key in the JSON, how it is measured, how it is shown."""

    key: str
    measure: Callable[[Say, Asked], Any]
    show: Callable[[Any, Console], None]


def _stages(_say: Say, asked: Asked) -> Any:  # noqa: ANN401  (JSON)
    return stages.stages(quick=asked.quick)


def _operations(_say: Say, asked: Asked) -> Any:  # noqa: ANN401
    found = operations.operations(quick=asked.quick)
    return {
        "counted": found,
        "differences": operations.differences(found, operations.written()),
        "dollars": bills(),
    }


def _cold_start(say: Say, asked: Asked) -> Any:  # noqa: ANN401
    return [it.json() for it in coldstart.cold_starts(say, quick=asked.quick)]


def _growth(say: Say, asked: Asked) -> Any:  # noqa: ANN401
    return growth.growth(say, quick=asked.quick, messages=asked.messages).json()


def _deployment(say: Say, asked: Asked) -> Any:  # noqa: ANN401
    return deployment.measure(say, quick=asked.quick)


def _latency(say: Say, asked: Asked) -> Any:  # noqa: ANN401
    return latency.as_json(latency.latencies(say, quick=asked.quick))


def _console(say: Say, asked: Asked) -> Any:  # noqa: ANN401
    return console.measure(say, quick=asked.quick)


def _tpd(say: Say, asked: Asked) -> Any:  # noqa: ANN401
    return tpd.measure(say, quick=asked.quick, people=asked.people, rows=asked.rows)


def _life(say: Say, asked: Asked) -> Any:  # noqa: ANN401
    return life.measure(say, quick=asked.quick, rounds=asked.rounds)


def _replies(say: Say, asked: Asked) -> Any:  # noqa: ANN401
    return replies.measure(say, quick=asked.quick, rounds=asked.rounds)


ALONE = {
    "stages": Part("stages", _stages, stages.show),
    "operations": Part(
        "operations", _operations, lambda it, console: operations.show(it["counted"], console)
    ),
    "cold-start": Part("coldStart", _cold_start, coldstart.show),
    "growth": Part("growth", _growth, growth.show),
    "deployment": Part("deployment", _deployment, deployment.show),
    "latency": Part("latency", _latency, latency.show),
    "console": Part("console", _console, console.show),
    "tpd": Part("tpd", _tpd, tpd.show),
    "life": Part("life", _life, life.show),
    "replies": Part("replies", _replies, replies.show),
}
"""By their names on the command line."""
