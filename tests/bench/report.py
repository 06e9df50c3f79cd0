"""Figures and what they come to: medians, ratios of the same round, a table."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

OURS = "ours"


@dataclass(frozen=True)
class Comparison:
    """Contestants that were measured side by side, in rounds: each one's messages per second."""

    name: str
    messages: int
    rates: Mapping[str, Sequence[float]]
    goals: Mapping[str, float] = field(default_factory=dict)
    """The least that we expect ours to be, in times of each other contestant's rate."""
    details: Mapping[str, Any] = field(default_factory=dict)

    def ratios(self, other: str) -> list[float]:
        """Ours in times of the other, round by round: what slows the machine slows both."""
        pairs = zip(self.rates[OURS], self.rates[other], strict=True)
        return [ours / its for ours, its in pairs]

    def met(self, other: str) -> bool | None:
        """Whether the median ratio is what we expect; None if nothing is expected."""
        goal = self.goals.get(other)
        return None if goal is None else median(self.ratios(other)) >= goal

    def others(self) -> list[str]:
        """Name those that ours is compared with."""
        return [name for name in self.rates if name != OURS]

    def json(self) -> dict[str, Any]:
        """Write it for programs."""
        rates = {
            name: {"median": round(median(its), 1), "rounds": [round(rate, 1) for rate in its]}
            for name, its in self.rates.items()
        }
        ratios = {
            other: {
                "median": round(median(self.ratios(other)), 2),
                "rounds": [round(ratio, 2) for ratio in self.ratios(other)],
                "expected": self.goals.get(other),
                "met": self.met(other),
            }
            for other in self.others()
        }
        return {
            "name": self.name,
            "messages": self.messages,
            "messagesPerSecond": rates,
            "oursInTimesOf": ratios,
            **self.details,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: the smallest value that so large a share of all does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def machine() -> dict[str, Any]:
    """Describe what it ran on, and how busy that was at the start."""
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "loadBefore": [round(load, 2) for load in os.getloadavg()],
    }


def table(comparisons: Sequence[Comparison]) -> Table:
    """Lay the comparisons out for people."""
    shown = Table(box=SIMPLE_HEAD, title="Messages per second: medians, and ratios of a round")
    shown.add_column("comparison")
    shown.add_column("beside")
    for column in ("ours", "other", "ratio", "rounds", "expected"):
        shown.add_column(column, justify="right")
    for comparison in comparisons:
        for other in comparison.others():
            shown.add_row(comparison.name, other, *_figures(comparison, other))
    return shown


def _figures(comparison: Comparison, other: str) -> list[str | Text]:
    ratios = comparison.ratios(other)
    colours = {True: "green", False: "red", None: ""}
    goal = comparison.goals.get(other)
    return [
        f"{median(comparison.rates[OURS]):.0f}",
        f"{median(comparison.rates[other]):.0f}",
        Text(f"{median(ratios):.2f}", style=colours[comparison.met(other)]),
        f"{min(ratios):.2f} - {max(ratios):.2f}",
        "" if goal is None else f">= {goal:g}",
    ]


def show(comparisons: Sequence[Comparison], console: Console) -> None:
    """Print the table, and what each detail says in a line."""
    console.print(table(comparisons))
    for comparison in comparisons:
        for title, entries in comparison.details.items():
            for name, figures in entries.items():
                its = ", ".join(f"{key} {value:g}" for key, value in figures.items())
                console.print(Text(f"{comparison.name}, {title}, {name}: {its}"), soft_wrap=True)
