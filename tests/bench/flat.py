"""Whether time and memory for a message and for a tenant stay flat: ratios between sizes.

What a first batch or a process costs once is left out: a figure is the slope between two sizes, or
is taken when everything has been set up. A ratio is the figure of the larger size in times of the
smaller one's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

GOAL = 1.1  # times the smaller size's figure, at most
_KIB = 1_024  # in a MiB

Found = Mapping[str, Any]
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure at a larger size, in times of the same at a smaller one."""

    what: str
    unit: str
    sizes: tuple[str, str]  # the smaller one, the larger one
    figures: tuple[float, float]

    @property
    def ratio(self) -> float:
        """The larger size's, in times of the smaller one's; 2 if it grew out of nothing.

        A slope may be below 0, where a smaller size happened to take more than a larger one.
        """
        before, after = self.figures
        if before <= 0:
            return 2.0 if after > max(before, 0) else 1.0
        return after / before

    @property
    def met(self) -> bool:
        """Whether it has not grown by more than a tenth."""
        return self.ratio <= GOAL

    def json(self) -> dict[str, Any]:
        """Write it for programs."""
        return {
            "what": self.what,
            "unit": self.unit,
            "smaller": self.sizes[0],
            "larger": self.sizes[1],
            "figures": [round(it, 4) for it in self.figures],
            "ratio": round(self.ratio, 3),
            "met": self.met,
        }


def ratios(found: Found) -> list[Ratio]:
    """All that the figures of growth allow."""
    return [
        *_of_waiting(found.get("waiting", ())),
        *_of_messages(found.get("messages", ())),
        *_of_tenants(found.get("ticks", ())),
    ]


def _of_waiting(sizes: Sequence[Found]) -> Iterator[Ratio]:
    """A tick that sweeps as many of more messages that wait."""
    for larger in sizes[1:]:
        names = _pair([f"{it['waiting']:,} waiting" for it in (sizes[0], larger)])
        for what, unit, *keys in (
            ("CPU", "ms a message", "cpu"),
            ("functions called", "a message", "pythonCalls"),
            ("requests to Firestore", "a message", "requests", "firestore"),
            ("requests over HTTP", "a message", "requests", "http"),
            ("documents asked for", "a tick", "queries", "asked"),
            ("documents returned", "a tick", "queries", "returned"),
            ("peak of memory", "MiB", "peak"),
        ):
            figures = [_at(it, keys) for it in (sizes[0], larger)]
            yield Ratio(what, unit, names, _pair(figures))


def _at(found: Any, keys: Sequence[str]) -> float:  # noqa: ANN401  (JSON)
    for key in keys:
        found = found[key]
    return float(found)


def _of_messages(sizes: Sequence[Found]) -> Iterator[Ratio]:
    """Further messages of one backlog, in processes of the functions."""

    def slope(key: str, less: Found, more: Found) -> float:
        used = more[key] * more["messages"] - less[key] * less["messages"]
        return float(used / (more["messages"] - less["messages"]))

    for first, second, third in zip(sizes, sizes[1:], sizes[2:], strict=False):
        steps = ((first, second), (second, third))
        names = _pair([f"{a['messages']:,} to {b['messages']:,} messages" for a, b in steps])
        for what, key in (("CPU of poll", "pollCpu"), ("CPU of consume", "consumeCpu")):
            yield Ratio(what, "ms a message", names, _pair([slope(key, *it) for it in steps]))
    for last in sizes[-1:]:
        for what, key in (("poll", "pollTenths"), ("consume", "consumeTenths")):
            tenths = last.get(key, ())
            if len(tenths) > 1:
                middle = len(tenths) // 2
                halves = _pair([max(tenths[:middle]), max(tenths[middle:])])
                place = f"half of {last['messages']:,} messages"
                names = (f"first {place}", f"second {place}")
                yield Ratio(f"peak of {what}", "MiB", names, halves)


def _of_tenants(ticks: Sequence[Found]) -> Iterator[Ratio]:
    """Further tenants of a warm tick, in one instance."""
    warm = {
        count: [it for it in ticks if it["kind"] == "warm" and it["tenants"] == count]
        for count in sorted({it["tenants"] for it in ticks if it["kind"] == "warm"})
    }
    sizes = list(warm)

    def slope(key: str, less: int, more: int) -> float:
        figures = {count: median(it[key] for it in warm[count]) for count in (less, more)}
        return float((figures[more] - figures[less]) / (more - less))

    for first, second, third in zip(sizes, sizes[1:], sizes[2:], strict=False):
        steps = ((first, second), (second, third))
        names = _pair([f"{a:,} to {b:,} tenants" for a, b in steps])
        for what, unit, key, scale in (
            ("CPU of a warm tick", "ms a tenant", "cpu", 1e3),
            ("memory", "KiB a tenant", "peak", _KIB),
        ):
            yield Ratio(what, unit, names, _pair([scale * slope(key, *it) for it in steps]))


def _pair(two: Sequence[_Item]) -> tuple[_Item, _Item]:
    before, after = two
    return before, after
