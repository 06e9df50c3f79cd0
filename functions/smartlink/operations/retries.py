"""Tells what a `totvsAppConfig_v2.json` means: each attempt's delay, and whether it can work."""

from dataclasses import dataclass
from datetime import timedelta

from smartlink.domain.config import ConfigError, parse_config
from smartlink.domain.retry import RetryPolicy
from smartlink.i18n import Text, _, joined, span
from smartlink.operations.errors import OperationError
from smartlink.settings import Settings


class InvalidConfigError(OperationError):
    """The configuration cannot be read, or cannot work in this deployment."""


def check(data: bytes, generation: str, settings: Settings) -> RetryPolicy:
    """The policy in a file that can work here. Raises InvalidConfigError, with every problem."""
    try:
        policy = parse_config(data, generation)
    except ConfigError as error:
        message = _("{error}.", error=error)
        raise InvalidConfigError(message) from None
    problems: list[Text] = []
    if policy.horizon > timedelta(days=settings.history_days):
        problems.append(
            _(
                "The attempts spread over {horizon}, but the history is kept for "
                "{history_days} days: lower QtdeTentativasExec, FatorTempoExecucao or "
                "MinutesInterval, or raise SMARTLINK_HISTORY_DAYS.",
                horizon=in_words(policy.horizon),
                history_days=settings.history_days,
            )
        )
    problems += [
        _(
            "A claim's lease ({lease}) is shorter than the time-out of {name} ({timeout} "
            "s): raise functions.consume.timeoutSeconds.",
            lease=in_words(settings.lease),
            name=name,
            timeout=command.timeout,
        )
        for name, command in settings.catalog.commands.items()
        if settings.lease < timedelta(seconds=command.timeout)
    ]
    if problems:
        raise InvalidConfigError(joined(" ", problems))
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


def in_words(value: timedelta) -> Text:
    """Writes a time span as people read it: `2d 3h 15m`, `45m`, `30s`."""
    return span(value)


def roughly(value: timedelta) -> Text:
    """Write a time span in its largest unit alone: `3d`, `12m`."""
    return span(max(value, timedelta(0)), 1)
