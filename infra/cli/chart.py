"""Draws the figures as an SVG, and as a page of HTML that needs no other file."""

from datetime import timedelta
from html import escape

from infra.cli.zone import local, zone_name
from smartlink.operations.figures import Figures
from smartlink.operations.retries import in_words

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 960, 260, 48, 30
_TOP = 40
_SERIES = (("done", "#3b6ea5"), ("failed", "#b3413a"), ("retried", "#c9a227"))
_WAITS = "#555"
_ABOUT = (
    'role="img" aria-label="Messages done, attempts failed and repeated, and the longest wait in '
    'each hour" font-family="sans-serif" font-size="11"'
)


def svg(figures: Figures) -> str:
    """What was done, failed and was tried again in each hour, as bars; waits, as a line."""
    hours = figures.hours()
    top = max((getattr(its, name) for _, its in hours for name, _ in _SERIES), default=0) or 1
    longest = max((its.waited for _, its in hours), default=timedelta())
    step = (_WIDTH - _LEFT) / len(hours)
    room = _HEIGHT - _BOTTOM - _TOP
    foot = _TOP + room
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_ABOUT}>',
        *_legend(longest),
        f'<line x1="{_LEFT}" y1="{foot}" x2="{_WIDTH}" y2="{foot}" stroke="#888"/>',
        f'<text x="{_LEFT - 6}" y="{_TOP + 6}" text-anchor="end">{top}</text>',
        f'<text x="{_LEFT - 6}" y="{foot}" text-anchor="end">0</text>',
    ]
    every = max(1, len(hours) // 8)
    width = max(step / len(_SERIES) - 0.5, 0.5)
    for index, (hour, its) in enumerate(hours):
        left = _LEFT + index * step
        for number, (name, colour) in enumerate(_SERIES):
            height = getattr(its, name) / top * room
            title = f"{local(hour):%Y-%m-%d %H}h {zone_name(hour)}: {getattr(its, name)} {name}"
            parts.append(
                f'<rect x="{left + number * step / len(_SERIES):.1f}" y="{foot - height:.1f}" '
                f'width="{width:.1f}" height="{height:.1f}" fill="{colour}">'
                f"<title>{title}</title></rect>"
            )
        if index % every == 0:
            parts.append(f'<text x="{left:.1f}" y="{_HEIGHT - 10}">{local(hour):%m-%d %H}h</text>')
    if longest:
        points = " ".join(
            f"{_LEFT + (index + 0.5) * step:.1f},{foot - its.waited / longest * room:.1f}"
            for index, (_, its) in enumerate(hours)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{_WAITS}"/>')
    return "\n".join([*parts, "</svg>"])


def _legend(longest: timedelta) -> list[str]:
    words = [(f"■ {name}", colour) for name, colour in _SERIES]
    if longest:
        words.append((f"— longest wait (at most {in_words(longest)})", _WAITS))
    return [
        f'<text x="{_LEFT + number * 100}" y="16" fill="{colour}">{text}</text>'
        for number, (text, colour) in enumerate(words)
    ]


def html(figures: Figures, title: str) -> str:
    """Write a page with the chart and the failures."""
    rows = "".join(
        f"<tr><td>{it.messages}</td><td>{it.dead}</td><td><code>{it.code}</code></td>"
        f"<td>{escape(it.pattern)}</td></tr>"
        for it in figures.worst()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        "<style>body{font-family:sans-serif;max-width:62em;margin:2em auto}"
        "td,th{text-align:left;padding:.2em 1em .2em 0;vertical-align:top}</style>"
        f"<h1>{escape(title)}</h1><h2>What happened in each hour</h2>{svg(figures)}"
        "<h2>Failures</h2><table><tr><th>Messages<th>Dead<th>Fingerprint<th>Error</tr>"
        f"{rows}</table></html>\n"
    )
