"""Shows the retry schedule."""

from infra.cli.screen import Screen, numbers
from smartlink.domain.retry import RetryPolicy
from smartlink.i18n import _, data
from smartlink.operations.retries import in_words, schedule

_SHOWN = 30  # attempts in the table


def show_schedule(screen: Screen, policy: RetryPolicy) -> None:
    """Show the formula, each attempt's delay, and the horizon."""
    formula = f"{policy.interval} * {policy.factor} * {policy.attempts} * n"
    screen.say(data("QtdMinutos = MinutesInterval * FatorTempoExecucao * QtdeTentativasExec * n"))
    screen.say(data(f"           = {formula}"))
    rows = [(it.number, in_words(it.wait), in_words(it.since)) for it in schedule(policy)[:_SHOWN]]
    screen.table(
        (numbers(_("Attempt")), numbers(_("Wait before it")), numbers(_("After the first"))), rows
    )
    if policy.attempts > _SHOWN:
        screen.say(_("… and so on, to attempt {attempts}.", attempts=policy.attempts))
    screen.say(
        _(
            "After attempt {attempts} a message is dead (Morta); total horizon {horizon}.",
            attempts=policy.attempts,
            horizon=in_words(policy.horizon),
        )
    )
