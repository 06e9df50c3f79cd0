"""Draws the figures as an SVG, and as a page of HTML that needs no other file."""

from datetime import timedelta
from html import escape

from infra.cli.zone import hour, zone_name
from smartlink.i18n import Language, Text, _, current, joined, told
from smartlink.operations.figures import Figures

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 960, 260, 48, 30
_TOP = 40
_SERIES = (
    # the figure's name, what it is called, its colour
    ("done", _("done"), "#3b6ea5"),
    ("failed", _("failed"), "#b3413a"),
    ("retried", _("retried"), "#c9a227"),
)
_WAITS = "#555"
_ABOUT = _(
    "Messages done, attempts failed and repeated, and the longest wait in each hour",
)


def svg(figures: Figures) -> str:
    """What was done, failed and was tried again in each hour, as bars; waits, as a line."""
    hours = figures.hours()
    top = (
        max((getattr(its, name) for _at, its in hours for name, *_more in _SERIES), default=0) or 1
    )
    longest = max((its.waited for _at, its in hours), default=timedelta())
    step = (_WIDTH - _LEFT) / len(hours)
    room = _HEIGHT - _BOTTOM - _TOP
    foot = _TOP + room
    label = escape(told(_ABOUT), quote=True)
    about = f'role="img" aria-label="{label}" font-family="sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {about}>',
        *_legend(longest),
        f'<line x1="{_LEFT}" y1="{foot}" x2="{_WIDTH}" y2="{foot}" stroke="#888"/>',
        f'<text x="{_LEFT - 6}" y="{_TOP + 6}" text-anchor="end">{told(top)}</text>',
        f'<text x="{_LEFT - 6}" y="{foot}" text-anchor="end">0</text>',
    ]
    every = max(1, len(hours) // 8)
    width = max(step / len(_SERIES) - 0.5, 0.5)
    for index, (at, its) in enumerate(hours):
        left = _LEFT + index * step
        for number, (name, word, colour) in enumerate(_SERIES):
            height = getattr(its, name) / top * room
            title = escape(
                told(
                    joined("", (hour(at), " ", zone_name(at), ": ", getattr(its, name), " ", word))
                )
            )
            parts.append(
                f'<rect x="{left + number * step / len(_SERIES):.1f}" y="{foot - height:.1f}" '
                f'width="{width:.1f}" height="{height:.1f}" fill="{colour}">'
                f"<title>{title}</title></rect>"
            )
        if index % every == 0:
            parts.append(f'<text x="{left:.1f}" y="{_HEIGHT - 10}">{told(hour(at))}</text>')
    if longest:
        points = " ".join(
            f"{_LEFT + (index + 0.5) * step:.1f},{foot - its.waited / longest * room:.1f}"
            for index, (_at, its) in enumerate(hours)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{_WAITS}"/>')
    return "\n".join([*parts, "</svg>"])


def _legend(longest: timedelta) -> list[str]:
    words = [(joined("", ("■ ", word)), colour) for _name, word, colour in _SERIES]
    if longest:
        words.append((_("— longest wait (at most {longest})", longest=longest), _WAITS))
    return [
        f'<text x="{_LEFT + number * 100}" y="16" fill="{colour}">{escape(told(text))}</text>'
        for number, (text, colour) in enumerate(words)
    ]


def html(figures: Figures, title: Text) -> str:
    """Write a page with the chart and the failures."""
    rows = "".join(
        f"<tr><td>{told(it.messages)}</td><td>{told(it.dead)}</td><td><code>{it.code}</code></td>"
        f"<td>{escape(it.pattern)}</td></tr>"
        for it in figures.worst()
    )
    heads = (_("Messages"), _("Dead"), _("Fingerprint"), _("Error"))
    head = "".join(f"<th>{escape(told(it))}" for it in heads)
    hours, failures = _("What happened in each hour"), _("Failures")
    language = "pt-BR" if current() is Language.PORTUGUESE else "en"
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        f"<title>{escape(told(title))}</title>"
        "<style>body{font-family:sans-serif;max-width:62em;margin:2em auto}"
        "td,th{text-align:left;padding:.2em 1em .2em 0;vertical-align:top}</style>"
        f"<h1>{escape(told(title))}</h1>"
        f"<h2>{escape(told(hours))}</h2>{svg(figures)}"
        f"<h2>{escape(told(failures))}</h2><table><tr>{head}</tr>"
        f"{rows}</table></html>\n"
    )
