"""Shows the steps of an operation as they are done."""

from dataclasses import dataclass, field

from infra.cli.screen import Screen
from infra.cli.zone import instant
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


@dataclass
class Steps:
    """The steps that were done so far."""

    screen: Screen
    done: list[dict[str, str]] = field(default_factory=list)

    def tell(self, step: Step) -> None:
        """Show a step that is done."""
        name, text = _words(step)
        self.done.append({"step": name, "text": text})
        self.screen.say(f"✓ {name}: {text}")

    def finish(self, **more: object) -> None:
        """Write the document of `--json`."""
        if self.screen.as_json:
            self.screen.json({"steps": self.done, **more})


def _words(step: Step) -> tuple[str, str]:  # noqa: C901, PLR0911, PLR0912  (one for each kind)
    match step:
        case TokenGiven():
            return "Token", f"RAC gave one for tenant id {step.tenant_id or '(none in the token)'}"
        case ErpChecked():
            return "ERP", _erp(step)
        case SecretStored():
            return "Secret", f"smartlink-tenant-{step.tenant} stored"
        case QueueReady():
            return "Setup", f"queue ready for {', '.join(step.commands)}"
        case FirstPoll():
            return "First poll", _polled(step)
        case VersionStored():
            return "Secret", f"version {step.number} stored and read back"
        case OldVersionsDisabled():
            return "Old versions", f"{step.count} disabled"
        case Adopted():
            after = step.after or "whoever is activated next"
            return "Adopted", f"{step.before} is now {after}"
        case Switched():
            state = "enabled" if step.enabled else "disabled"
            return "Tenant", f"{step.tenant} is {state}{' already' if step.already else ''}"
        case Paused():
            return "Pause", f"{step.tenant} is paused until {instant(step.until)}"
        case PauseEnded():
            until = f", until {instant(step.until)}" if step.until else ""
            return "Pause", f"ended; it had failed {step.failures} times in a row{until}"
        case SendsDue():
            return "Outbox", f"{step.messages} messages that waited after failed sends are due now"
        case Announced():
            if step.error is not None:
                return "Announced", f"no ({step.error}): the functions see it within 5 minutes"
            return "Announced", "the next tick sees it, within a minute"


def _erp(step: ErpChecked) -> str:
    if step.unchecked is not None:
        return f"not checked ({step.unchecked}): run smartlink tpd check where it can be reached"
    return f"map and database checked: no faults, {step.warnings} warnings (smartlink tpd check)"


def _polled(step: FirstPoll) -> str:
    if step.delayed:
        return "left to the next minute (the list of secrets lags)"
    if step.failed:
        return f"failed ({step.error or 'see the logs'}); the next minute tries again"
    return f"the broker answered; {step.received} messages received"
