"""Draws the figures as an SVG, and as a page of HTML that needs no other file."""

from html import escape

from smartlink.operations.figures import Figures

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 960, 240, 48, 30
_BLUE = "#3b6ea5"
_ABOUT = (
    'role="img" aria-label="Messages done in each hour" font-family="sans-serif" font-size="11"'
)


def svg(figures: Figures) -> str:
    """Draw the messages done in each hour as bars."""
    hours = figures.hours()
    top = max((number for _, number in hours), default=0) or 1
    step = (_WIDTH - _LEFT) / len(hours)
    room = _HEIGHT - _BOTTOM - 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_ABOUT}>',
        f'<line x1="{_LEFT}" y1="{20 + room}" x2="{_WIDTH}" y2="{20 + room}" stroke="#888"/>',
        f'<text x="{_LEFT - 6}" y="26" text-anchor="end">{top}</text>',
        f'<text x="{_LEFT - 6}" y="{20 + room}" text-anchor="end">0</text>',
    ]
    every = max(1, len(hours) // 8)
    for index, (hour, number) in enumerate(hours):
        x, height = _LEFT + index * step, number / top * room
        title = f"{hour:%Y-%m-%d %H}h UTC: {number}"
        parts.append(
            f'<rect x="{x:.1f}" y="{20 + room - height:.1f}" width="{max(step - 1, 0.5):.1f}" '
            f'height="{height:.1f}" fill="{_BLUE}"><title>{title}</title></rect>'
        )
        if index % every == 0:
            parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 10}">{hour:%m-%d %H}h</text>')
    return "\n".join([*parts, "</svg>"])


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
        f"<h1>{escape(title)}</h1><h2>Messages done in each hour</h2>{svg(figures)}"
        "<h2>Failures</h2><table><tr><th>Messages<th>Dead<th>Fingerprint<th>Error</tr>"
        f"{rows}</table></html>\n"
    )
