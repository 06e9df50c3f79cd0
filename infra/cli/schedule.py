"""What a `totvsAppConfig_v2.json` means: each attempt's delay, and whether it can work."""

from datetime import timedelta

from infra.cli.errors import CliError
from infra.cli.screen import Screen
from smartlink.domain.config import ConfigError, parse_config
from smartlink.domain.retry import RetryPolicy
from smartlink.settings import Settings

_SHOWN = 30  # attempts in the table; the rest goes on alike


def checked(data: bytes, generation: str, settings: Settings) -> RetryPolicy:
    """The policy in a file that can work here. Raises CliError, which says what cannot."""
    try:
        policy = parse_config(data, generation)
    except ConfigError as error:
        message = f"{error}."
        raise CliError(message) from None
    kept = timedelta(days=settings.history_days)
    if policy.horizon > kept:
        message = (
            f"The attempts spread over {lasting(policy.horizon)}, but the history is kept for "
            f"{settings.history_days} days: lower QtdeTentativasExec, FatorTempoExecucao or "
            f"MinutesInterval, or raise SMARTLINK_HISTORY_DAYS."
        )
        raise CliError(message)
    for name, command in settings.catalog.commands.items():
        if settings.lease < timedelta(seconds=command.timeout):
            message = (
                f"A claim's lease ({lasting(settings.lease)}) is shorter than the time-out of "
                f"{name} ({command.timeout} s): raise functions.consume.timeoutSeconds."
            )
            raise CliError(message)
    return policy


def schedule(policy: RetryPolicy) -> list[tuple[int, timedelta, timedelta]]:
    """Each attempt: its number, the wait before it, and when it comes after the first."""
    since = timedelta(0)
    rows = [(1, timedelta(0), since)]
    for failed in range(1, policy.attempts):
        since += policy.delay(failed)
        rows.append((failed + 1, policy.delay(failed), since))
    return rows


def schedule_view(policy: RetryPolicy) -> dict[str, object]:
    """For programs."""
    return {
        "generation": policy.generation,
        "QtdeTentativasExec": policy.attempts,
        "FatorTempoExecucao": str(policy.factor),
        "MinutesInterval": str(policy.interval),
        "horizonMinutes": policy.horizon.total_seconds() / 60,
        "attempts": [
            {"attempt": number, "waitMinutes": wait.total_seconds() / 60}
            for number, wait, _ in schedule(policy)
        ],
    }


def show_schedule(screen: Screen, policy: RetryPolicy) -> None:
    """Draw it."""
    formula = f"{policy.interval} * {policy.factor} * {policy.attempts} * attempt"
    screen.say("QtdMinutos = MinutesInterval * FatorTempoExecucao * QtdeTentativasExec * n")
    screen.say(f"           = {formula}")
    rows = [
        (number, lasting(wait), lasting(since)) for number, wait, since in schedule(policy)[:_SHOWN]
    ]
    screen.table(("#Attempt", "#Wait before it", "#After the first"), rows)
    if policy.attempts > _SHOWN:
        screen.say(f"… and so on, to attempt {policy.attempts}.")
    screen.say(
        f"After attempt {policy.attempts} a message is dead (Morta); "
        f"total horizon {lasting(policy.horizon)}."
    )


def lasting(span: timedelta) -> str:
    """Write a time span: `2d 03h 15m`, `45m`, `30s`."""
    seconds = int(span.total_seconds())
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")]
    shown = [f"{number}{unit}" for number, unit in parts if number]
    return " ".join(shown[:3]) or "0s"
