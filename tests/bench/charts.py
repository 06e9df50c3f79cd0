"""The figures as SVG, in `.bench/`: bars and lines, drawn by hand, readable on black and white."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log10
from pathlib import Path
from typing import Any

_WIDTH, _LEFT, _RIGHT = 720, 230, 90
_TOP, _ROW, _BAR, _HEIGHT = 48, 24, 16, 320
_COLOURS = ("#1a6fb4", "#b9bec4", "#3a9d6e", "#d98a29", "#8d5fb0", "#c0504d")


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar; those of one series have one colour."""

    label: str
    value: float
    series: str = ""


def bars(title: str, unit: str, rows: Sequence[Bar], mark: float | None = None) -> str:
    """Draw horizontal bars; `mark` is a goal, drawn across them."""
    series = list(dict.fromkeys(row.series for row in rows))
    most = max([*(row.value for row in rows), mark or 0, 1e-9])
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    drawn = []
    for number, row in enumerate(rows):
        y = _TOP + number * _ROW
        colour = _COLOURS[series.index(row.series) % len(_COLOURS)]
        width = max(row.value * scale, 0.5)
        drawn += [
            _text(_LEFT - 8, y + 12, f"{row.label} {row.series}".strip(), "end"),
            f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>',
            _text(_LEFT + width + 6, y + 12, f"{row.value:.4g}"),
        ]
    height = _TOP + len(rows) * _ROW + 12
    if mark is not None:
        x = _LEFT + mark * scale
        drawn.append(_line(x, _TOP - 6, x, height - 12, "#c0504d", dashed=True))
    return _svg(f"{title} ({unit})", height, drawn)


def lines(
    title: str, across: str, up: str, series: Mapping[str, Sequence[tuple[float, float]]]
) -> str:
    """Draw lines over a logarithmic axis; what stays flat is a flat line."""
    points = [point for its in series.values() for point in its]
    low, high = (log10(pick(x for x, _ in points)) for pick in (min, max))
    most = max(y for _, y in points) * 1.1 or 1
    left, bottom = 70, _HEIGHT - 50

    def place(x: float, y: float) -> tuple[float, float]:
        share = (log10(x) - low) / ((high - low) or 1)
        return left + share * (_WIDTH - left - 200), bottom - y / most * (bottom - _TOP)

    drawn = [_line(left, bottom, _WIDTH - 190, bottom), _line(left, _TOP, left, bottom)]
    drawn.append(_text((left + _WIDTH - 200) / 2, _HEIGHT - 12, across, "middle"))
    drawn.append(_text(8, _TOP - 8, up))
    drawn += [
        _text(place(x, 0)[0], bottom + 18, f"{x:,.0f}", "middle")
        for x in sorted({x for x, _ in points})
    ]
    for tick in range(5):
        y = most * tick / 4
        drawn.append(_text(left - 6, place(10**low, y)[1] + 4, f"{y:.3g}", "end"))
    for number, (name, its) in enumerate(series.items()):
        drawn += _series(name, [place(*point) for point in its], _COLOURS[number % len(_COLOURS)])
    return _svg(title, _HEIGHT, drawn)


def _series(name: str, points: Sequence[tuple[float, float]], colour: str) -> Iterator[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
    x, y = points[-1]
    yield _text(x + 10, y + 4, name, colour=colour)


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#222") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{escape(text)}</text>"


def _line(
    x: float, y: float, to_x: float, to_y: float, colour: str = "#222", *, dashed: bool = False
) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} stroke="{colour}"{dash}/>'


def _svg(title: str, height: float, drawn: Sequence[str]) -> str:
    size = f'width="{_WIDTH}" height="{height:.0f}" viewBox="0 0 {_WIDTH} {height:.0f}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    )
    named = f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="white"/>'
    heading = f'<text x="8" y="22" font-size="15" fill="#222">{escape(title)}</text>'
    return "\n".join([head, named, heading, *drawn, "</svg>", ""])


# What the bench draws.


def draw(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write a chart of each part that the results hold; answer the files."""
    written = []
    for key, draws in _CHARTS.items():
        for name, svg in draws(results[key]) if results.get(key) else ():
            path = folder / f"{name}.svg"
            path.write_text(svg, encoding="utf-8")
            written.append(path)
    return written


def _comparisons(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    rows = [
        Bar(it["name"], rate["median"], contestant)
        for it in found
        for contestant, rate in it["messagesPerSecond"].items()
    ]
    yield "throughput", bars("Throughput", "messages per second", rows)


def _cold_starts(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for name, title, unit, figure in (
        ("cold-start", "Process start to first answer", "ms", "milliseconds"),
        ("cold-start-memory", "Memory after the first answer", "MiB", "mebibytes"),
    ):
        rows = [Bar(it["name"], it[figure][who], who) for it in found for who in ("ours", "bare")]
        yield name, bars(title, unit, rows)


def _stages(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rows = [Bar(name, its) for name, its in found["microseconds"].items()]
    yield "cpu-stages", bars("CPU of the application by stage", "µs per message", rows)


def _growth(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    ticks: dict[str, dict[float, float]] = {}
    memory: dict[str, dict[float, float]] = {}
    for it in found["ticks"]:
        ticks.setdefault(it["kind"], {})[it["tenants"]] = 1e3 * it["seconds"] / it["tenants"]
        memory.setdefault(it["kind"], {})[it["tenants"]] = it["peak"]
    for name, title, up, its in (
        ("growth-ticks", "A tick's time for each tenant", "ms", ticks),
        ("growth-memory", "Memory of the poll's instance", "MiB", memory),
    ):
        series = {kind: sorted(points.items()) for kind, points in its.items() if len(points) > 1}
        if series:
            yield name, lines(title, "tenants", up, series)
    fast: dict[str, list[tuple[float, float]]] = {}
    for name, figures in found["inMemory"].items():
        number, _, kind = name.partition(" ")
        fast.setdefault(kind, []).append((float(number), figures["microseconds"]))
    yield "growth-cpu", lines("CPU of the services alone, for each", "number", "µs", fast)


def _latency(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    rows = [
        Bar(f"{it['kind']}, {it['broker']}"[:36], it[share], share)
        for it in found
        for share in ("p50", "p99")
    ]
    yield "latency", bars("Arrival to settled", "s", rows)


_CHARTS: Mapping[str, Callable[[Any], Iterator[tuple[str, str]]]] = {
    "comparisons": _comparisons,
    "coldStart": _cold_starts,
    "stages": _stages,
    "growth": _growth,
    "latency": _latency,
}
