"""Invariant 8: RM's formula, bit-exact.

QtdMinutos = MinutesInterval * FatorTempoExecucao * QtdeTentativasExec * QtdeTentativaExecCorrente
"""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlink.domain.retry import RetryPolicy
from tests.support.samples import NOW


@pytest.mark.parametrize(
    ("interval", "factor", "attempts", "attempt", "microseconds"),
    [
        # interval * factor * limit * attempt = minutes, worked by hand
        ("3", "1", 5, 1, 900_000_000),  # 3 * 1 * 5 * 1 = 15 min
        ("3", "1", 5, 2, 1_800_000_000),  # 30 min
        ("3", "1", 5, 4, 3_600_000_000),  # 60 min
        ("10", "2", 3, 1, 3_600_000_000),  # 10 * 2 * 3 * 1 = 60 min
        ("10", "2", 3, 2, 7_200_000_000),  # 120 min
        ("1.5", "0.5", 4, 3, 540_000_000),  # 1.5 * 0.5 * 4 * 3 = 9 min
        ("0.1", "0.1", 3, 1, 1_800_000),  # 0.03 min = 1.8 s; binary floats miss this one
        ("0.1", "0.1", 3, 2, 3_600_000),  # 3.6 s
        ("0.7", "1.1", 10, 9, 4_158_000_000),  # 69.3 min
        ("1", "0.333333333", 7, 1, 140_000_000),  # 139.99999986 s, rounded to a microsecond
        ("0.000000001", "1", 25, 1, 2),  # 1.5 microseconds: half to even, up
        ("0.000000001", "1", 25, 3, 4),  # 4.5 microseconds: half to even, down
        ("1", "1", 1000, 999, 59_940_000_000_000),  # 999,000 min
        ("0.25", "1", 2, 1, 30_000_000),  # half a minute
    ],
)
def test_the_wait_is_rms_formula(
    interval: str, factor: str, attempts: int, attempt: int, microseconds: int
) -> None:
    """The wait is the exact product, the limit included, to the microsecond."""
    policy = RetryPolicy(attempts, Decimal(factor), Decimal(interval))
    wait = timedelta(microseconds=microseconds)
    assert policy.delay(attempt) == wait
    assert policy.next_attempt_at(NOW, attempt) == NOW + wait


@pytest.mark.parametrize(("attempts", "last"), [(1, 1), (2, 2), (5, 5), (5, 6), (5, 40), (3, 5)])
def test_the_last_attempt_has_no_next_one(attempts: int, last: int) -> None:
    """From the limit on there is no next attempt, also where the limit was lowered meanwhile."""
    policy = RetryPolicy(attempts)
    assert policy.next_attempt_at(NOW, last) is None
    if attempts > 1:
        assert policy.next_attempt_at(NOW, attempts - 1) is not None


def test_the_defaults_are_our_assumption() -> None:
    """Before any file was read: 5 attempts, 15, 30, 45 and 60 minutes apart."""
    policy = RetryPolicy()
    waits = [policy.delay(attempt) for attempt in range(1, policy.attempts)]
    assert waits == [timedelta(minutes=minutes) for minutes in (15, 30, 45, 60)]
    assert policy.horizon == timedelta(minutes=150)
    assert policy.generation == "default"


@pytest.mark.parametrize(
    ("policy", "minutes"),
    [
        (RetryPolicy(1), 0),
        (RetryPolicy(2, Decimal(1), Decimal(3)), 6),  # 6
        (RetryPolicy(3, Decimal(2), Decimal(10)), 180),  # 60 + 120
        (RetryPolicy(4, Decimal("0.5"), Decimal("1.5")), 18),  # 3 + 6 + 9
    ],
)
def test_the_horizon_is_the_sum_of_the_waits(policy: RetryPolicy, minutes: int) -> None:
    """The horizon, by which retention is measured, reaches the last attempt."""
    assert policy.horizon == timedelta(minutes=minutes)


@given(
    st.decimals("0.001", 500, places=3),
    st.decimals("0.001", 500, places=3),
    st.integers(1, 50),
    st.integers(1, 50),
)
def test_no_binary_rounding(
    interval: Decimal, factor: Decimal, attempts: int, attempt: int
) -> None:
    """Three decimals each make a millionth of a minute, which is 60 microseconds: no rounding."""
    millionths = int(interval * 1_000) * int(factor * 1_000) * attempts * attempt
    wait = RetryPolicy(attempts, factor, interval).delay(attempt)
    assert wait == timedelta(microseconds=60 * millionths)
