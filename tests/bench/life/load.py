"""What comes when: bursts at seeded instants, the same for each contestant of a round."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.report import percentile
from tests.bench.workload import Offer, offers

NOISY, TIMES = "noisy", 100
TENANTS = (NOISY, *(f"quiet-{number:02}" for number in range(1, 50)))
Key = tuple[str, str]
"""A message: its tenant and its id."""


@dataclass(frozen=True)
class Load:
    """Sizes, for a full run or a quick one."""

    seconds: float  # in which bursts begin
    each: int  # messages of a quiet tenant; the noisy one gets TIMES as many
    bursts: int = 3  # of each tenant
    burst_seconds: float = 1.5  # in which a burst's messages come

    def schedule(self, seed: int) -> list[tuple[float, str, Offer]]:
        """Who gets what when, the latest first."""
        dice = random.Random(f"life {seed}")
        coming: list[tuple[float, str, Offer]] = []
        for tenant in TENANTS:
            count = self.each * (TIMES if tenant == NOISY else 1)
            begins = [dice.uniform(0, self.seconds) for _ in range(self.bursts)]
            for offer in offers(count):
                at = dice.choice(begins) + dice.uniform(0, self.burst_seconds)
                coming.append((at, tenant, offer))
        return sorted(coming, key=lambda it: -it[0])


FULL, QUICK = Load(seconds=60, each=8), Load(seconds=12, each=2)


@dataclass(frozen=True)
class Passed:
    """A message's way, by the clock of the machine that all share."""

    tenant: str
    arrived: float
    settled: float
    sent: float  # when its reply reached the broker

    def by_the_minute(self, looks: Sequence[float], interval: float) -> tuple[float, float]:
        """Reckon arrival to settled and to sent with a look a minute instead of each interval.

        Only what was waited for a look is stretched. One that came while its tenant was being
        received, or whose reply left before the next look, waited for none.
        """
        scale = 60 / interval
        wait, settled = _stretched(self.arrived, self.settled, looks, scale)
        wait_to_send, sent = _stretched(self.settled, self.sent, looks, scale)
        return wait + settled, wait + settled + wait_to_send + sent


def _stretched(
    start: float, end: float, looks: Sequence[float], scale: float
) -> tuple[float, float]:
    look = next((it for it in looks if it >= start), end)
    if look >= end:
        return 0, end - start
    return (look - start) * scale, end - look


def figures(passed: Sequence[Passed]) -> Mapping[str, Mapping[str, float]]:
    """p50 and p99, of all tenants and of the quiet ones."""
    return {
        whose: waits([(it.settled - it.arrived, it.sent - it.arrived) for it in its])
        for whose, its in (("all", passed), ("quiet", [it for it in passed if it.tenant != NOISY]))
    }


def waits(both: Sequence[tuple[float, float]]) -> Mapping[str, float]:
    """p50 and p99 of the seconds to settled, and of those to sent."""
    settled, sent = zip(*both, strict=True)
    return {
        "settledP50": percentile(settled, 0.5),
        "settledP99": percentile(settled, 0.99),
        "sentP50": percentile(sent, 0.5),
        "sentP99": percentile(sent, 0.99),
    }
