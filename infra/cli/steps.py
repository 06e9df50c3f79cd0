"""Work of several steps: each says what happened; the first that fails says how to mend it."""

from dataclasses import dataclass, field

from infra.cli.screen import Screen


@dataclass
class Steps:
    """What was done so far."""

    screen: Screen
    done: list[dict[str, str]] = field(default_factory=list)

    def tell(self, step: str, text: str) -> None:
        """One step is done."""
        self.done.append({"step": step, "text": text})
        self.screen.say(f"✓ {step}: {text}")

    def finish(self, **more: object) -> None:
        """Write the document of `--json`."""
        if self.screen.as_json:
            self.screen.json({"steps": self.done, **more})
