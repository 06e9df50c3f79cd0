"""Draws the hours as bars. All its colours come from the style sheet: no style is inline."""

from collections.abc import Sequence
from dataclasses import dataclass

from smartlink.operations.hours import Hour

WIDTH, HEIGHT, ROOM = 720, 150, 124
_SERIES = ("done", "retried", "dead")


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    hour: Hour


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws."""

    bars: Sequence[Bar]
    top: int
    marks: Sequence[tuple[float, Hour]]
    width: int = WIDTH
    height: int = HEIGHT
    room: int = ROOM


def bars(hours: Sequence[Hour]) -> Chart:
    """Lays the bars out: three side by side for each hour."""
    top = max((getattr(it, name).number or 0 for it in hours for name in _SERIES), default=0)
    step = WIDTH / max(len(hours), 1)
    wide = step / (len(_SERIES) + 1)
    drawn = []
    for number, hour in enumerate(hours):
        for place, name in enumerate(_SERIES):
            count = getattr(hour, name).number
            if count:
                high = max(count / top * (ROOM - 12), 2)
                left = number * step + place * wide
                drawn.append(
                    Bar(
                        name,
                        round(left, 1),
                        round(ROOM - high, 1),
                        round(wide, 1),
                        round(high, 1),
                        hour,
                    )
                )
    every = max(len(hours) // 6, 1)
    marks = [(round(i * step, 1), it) for i, it in enumerate(hours) if i % every == 0]
    return Chart(drawn, top, marks)
