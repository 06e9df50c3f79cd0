"""Tells what a `totvsAppConfig_v2.json` means: each attempt's delay, and whether it can work."""

from dataclasses import dataclass
from datetime import timedelta

from smartlink.domain.config import ConfigError, parse_config
from smartlink.domain.retry import RetryPolicy
from smartlink.operations.errors import OperationError
from smartlink.settings import Settings


class InvalidConfigError(OperationError):
    """The configuration cannot be read, or cannot work in this deployment."""


def check(data: bytes, generation: str, settings: Settings) -> RetryPolicy:
    """The policy in a file that can work here. Raises InvalidConfigError, with every problem."""
    try:
        policy = parse_config(data, generation)
    except ConfigError as error:
        message = f"{error}."
        raise InvalidConfigError(message) from None
    problems: list[str] = []
    if policy.horizon > timedelta(days=settings.history_days):
        problems.append(
            f"The attempts spread over {in_words(policy.horizon)}, but the history is kept for "
            f"{settings.history_days} days: lower QtdeTentativasExec, FatorTempoExecucao or "
            f"MinutesInterval, or raise SMARTLINK_HISTORY_DAYS."
        )
    problems += [
        f"A claim's lease ({in_words(settings.lease)}) is shorter than the time-out of "
        f"{name} ({command.timeout} s): raise functions.consume.timeoutSeconds."
        for name, command in settings.catalog.commands.items()
        if settings.lease < timedelta(seconds=command.timeout)
    ]
    if problems:
        raise InvalidConfigError(" ".join(problems))
    return policy


@dataclass(frozen=True, slots=True)
class ScheduledAttempt:
    """An attempt, as the policy schedules it."""

    number: int
    wait: timedelta  # before this attempt
    since: timedelta  # since the first attempt


def schedule(policy: RetryPolicy) -> list[ScheduledAttempt]:
    """Returns each attempt and its delay, if every attempt fails at once."""
    since = timedelta(0)
    rows = [ScheduledAttempt(1, timedelta(0), since)]
    for failed in range(1, policy.attempts):
        since += policy.delay(failed)
        rows.append(ScheduledAttempt(failed + 1, policy.delay(failed), since))
    return rows


def in_words(span: timedelta) -> str:
    """Writes a time span as people read it: `2d 3h 15m`, `45m`, `30s`."""
    seconds = int(span.total_seconds())
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")]
    shown = [f"{number}{unit}" for number, unit in parts if number]
    return " ".join(shown[:3]) or "0s"


def roughly(span: timedelta) -> str:
    """Write a time span in its largest unit alone: `3d`, `12m`."""
    words = in_words(max(span, timedelta(0)))
    return words.partition(" ")[0]
