"""RM's retry formula."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

_MICROSECONDS_PER_MINUTE = 60_000_000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What `totvsAppConfig_v2.json` says about retries, and which generation of the file says it.

    No public source gives RM's values. The defaults are our assumption; they hold until a first
    file is read.
    """

    attempts: int = 5  # QtdeTentativasExec: a limit, and a factor of the formula
    factor: Decimal = Decimal(1)  # FatorTempoExecucao
    interval: Decimal = Decimal(3)  # MinutesInterval
    generation: str = "default"
    at_most: int | None = None  # the command's own limit; it lowers the file's, never raises it
    hold_unknown: bool = False  # an unknown outcome waits for a person, without a retry

    @property
    def limit(self) -> int:
        """How often a message is executed at most."""
        return self.attempts if self.at_most is None else min(self.attempts, self.at_most)

    def delay(self, attempt: int) -> timedelta:
        """Returns the wait after attempt number `attempt` failed.

        RM: `QtdMinutos = MinutesInterval * FatorTempoExecucao * QtdeTentativasExec *
        QtdeTentativaExecCorrente`. The formula multiplies by the limit as well as by the attempt.
        RM does so, and therefore we do. The result is exact, then rounded (half to even) to a
        microsecond.
        """
        minutes = Fraction(self.interval) * Fraction(self.factor) * (self.attempts * attempt)
        return timedelta(microseconds=round(minutes * _MICROSECONDS_PER_MINUTE))

    def next_attempt_at(self, now: datetime, attempt: int) -> datetime | None:
        """Returns `DataTentativaExec` after a failed attempt; None if it was the last one."""
        return None if attempt >= self.limit else now + self.delay(attempt)

    @property
    def horizon(self) -> timedelta:
        """The time from the first failure to the last attempt, if every attempt fails at once."""
        return _horizon(self)


@lru_cache(maxsize=64)  # each message asks for it, and it changes only with the configuration
def _horizon(policy: RetryPolicy) -> timedelta:
    return policy.delay(1) * (policy.limit * (policy.limit - 1) // 2)
