"""What the steps of an activation or a change say, on every screen alike."""

from collections.abc import Callable
from datetime import datetime

from smartlink.i18n import Text, _, data
from smartlink.operations.activation import (
    Adopted,
    Announced,
    ErpChecked,
    FirstPoll,
    OldVersionsDisabled,
    Paused,
    PauseEnded,
    QueueReady,
    SecretStored,
    SendsDue,
    Step,
    Switched,
    TokenGiven,
    VersionStored,
)

Instant = Callable[[datetime], str]


def went_well(step: Step) -> bool:
    """Tells whether nothing is left to do about the step: what was not made is no success."""
    match step:
        case ErpChecked():
            return step.unchecked is None and not step.faults
        case FirstPoll():
            return not step.failed
        case Announced():
            return step.error is None
        case _:
            return True


def words(step: Step, instant: Instant) -> tuple[Text, Text]:  # noqa: C901, PLR0911, PLR0912  (one for each kind)
    """Returns the step's name, and what came of it; `instant` writes an instant for the reader."""
    match step:
        case TokenGiven():
            return _("Token"), _(
                "RAC gave one for tenant id {tenant_id}",
                tenant_id=step.tenant_id or _("(none in the token)"),
            )
        case ErpChecked():
            return data("ERP"), _erp(step)
        case SecretStored():
            return _("Secret"), _("smartlink-tenant-{tenant} stored", tenant=step.tenant)
        case QueueReady():
            return _("Setup"), _("queue ready for {commands}", commands=", ".join(step.commands))
        case FirstPoll():
            return _("First poll"), _polled(step)
        case VersionStored():
            return _("Secret"), _("version {number} stored and read back", number=step.number)
        case OldVersionsDisabled():
            return _("Old versions"), _("{count} disabled", count=step.count)
        case Adopted():
            after = step.after or _("whoever is activated next")
            return _("Adopted"), _("{before} is now {after}", before=step.before, after=after)
        case Switched():
            return _("Tenant"), _switched(step)
        case Paused():
            return _("Pause"), _(
                "{tenant} is paused until {until}", tenant=step.tenant, until=instant(step.until)
            )
        case PauseEnded():
            until = _(", until {until}", until=instant(step.until)) if step.until else ""
            return _("Pause"), _(
                "ended; it had failed {failures} times in a row{until}",
                failures=step.failures,
                until=until,
            )
        case SendsDue():
            return _("Outbox"), _(
                "{messages} messages that waited after failed sends are due now",
                messages=step.messages,
            )
        case Announced():
            if step.error is not None:
                return _("Announced"), _(
                    "no ({error}): the functions see it within 5 minutes", error=step.error
                )
            return _("Announced"), _("the next tick sees it, within a minute")


def _erp(step: ErpChecked) -> Text:
    if step.unchecked is not None:
        return _(
            "not checked ({unchecked}): run smartlink tpd check --tenant NAME where it can be "
            "reached",
            unchecked=step.unchecked,
        )
    return _(
        "map and database checked: no faults, {warnings} warnings (smartlink tpd check)",
        warnings=step.warnings,
    )


def _polled(step: FirstPoll) -> Text:
    if step.delayed:
        return _("left to the next minute (the list of secrets lags)")
    if step.failed:
        return _(
            "failed ({error}); the next minute tries again", error=step.error or _("see the logs")
        )
    return _("the broker answered; {received} messages received", received=step.received)


def _switched(step: Switched) -> Text:
    if step.enabled:
        text = _("{tenant} is enabled already") if step.already else _("{tenant} is enabled")
    else:
        text = _("{tenant} is disabled already") if step.already else _("{tenant} is disabled")
    return text.filled(tenant=step.tenant)
