"""Runs probes, and removes what they made, however the run ends."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from infra.acceptance.place import Place
from infra.acceptance.probe import Probe, Result
from infra.acceptance.report import Report


def ask_all(
    place: Place,
    title: str,
    probes: Iterable[Probe],
    tell: Callable[[Result], None],
    stopped: Callable[[], bool] = lambda: False,
    before: Callable[[], None] = lambda: None,
) -> Report:
    """Ask every probe. `tell` hears each result; `stopped` tells whether to leave out the rest.
    `before` is done first: what it leaves to the place is removed, too.

    An interruption ends the probe at hand and leaves out the rest, and what was made is removed.
    """
    began = datetime.now(UTC)
    waiting = list(probes)
    results: list[Result] = []
    with place.cleaning():
        before()
        while waiting and not stopped():
            try:
                result = waiting[0].result(place)
            except KeyboardInterrupt:
                break
            waiting.pop(0)
            results.append(result)
            tell(result)
    left_out = [probe.name for probe in waiting]
    return Report(title, place.run, began, results, place.left, left_out)
