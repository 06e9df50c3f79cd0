"""Shows the retry schedule."""

from infra.cli.screen import Screen
from smartlink.domain.retry import RetryPolicy
from smartlink.operations.retries import in_words, schedule

_SHOWN = 30  # attempts in the table


def show_schedule(screen: Screen, policy: RetryPolicy) -> None:
    """Show the formula, each attempt's delay, and the horizon."""
    formula = f"{policy.interval} * {policy.factor} * {policy.attempts} * attempt"
    screen.say("QtdMinutos = MinutesInterval * FatorTempoExecucao * QtdeTentativasExec * n")
    screen.say(f"           = {formula}")
    rows = [(it.number, in_words(it.wait), in_words(it.since)) for it in schedule(policy)[:_SHOWN]]
    screen.table(("#Attempt", "#Wait before it", "#After the first"), rows)
    if policy.attempts > _SHOWN:
        screen.say(f"… and so on, to attempt {policy.attempts}.")
    screen.say(
        f"After attempt {policy.attempts} a message is dead (Morta); "
        f"total horizon {in_words(policy.horizon)}."
    )
