"""Shows the steps of an operation as they are done."""

from dataclasses import dataclass, field

from infra.cli.screen import Screen
from infra.cli.zone import instant
from smartlink.i18n import joined
from smartlink.operations.activation import Step
from smartlink.operations.steps import went_well, words


@dataclass
class Steps:
    """The steps that were done so far."""

    screen: Screen
    done: list[dict[str, str]] = field(default_factory=list)

    def tell(self, step: Step) -> None:
        """Show a step that is done."""
        name, text = words(step, instant)
        self.done.append({"step": name, "text": text})
        mark = "✓ " if went_well(step) else "! "
        self.screen.say(joined("", (mark, name, ": ", text)))

    def finish(self, **more: object) -> None:
        """Write the document of `--json`."""
        if self.screen.as_json:
            self.screen.json({"steps": self.done, **more})
