"""The report of a run, in Markdown and JSON, to attach to an issue."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.acceptance.probe import Result, Verdict

_NAME = "smartlink-accept"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run."""

    place: str
    run: str
    began: datetime
    results: Sequence[Result]
    left: Sequence[str]
    """What could not be removed."""
    not_asked: Sequence[str] = ()
    """The probes that an interruption left out."""

    def count(self, verdict: Verdict) -> int:
        """Count the results with a verdict."""
        return Counter(result.verdict for result in self.results)[verdict]

    @property
    def accepted(self) -> bool:
        """Whether nothing failed, something was learned, and nothing was left behind."""
        return not (
            self.count(Verdict.FAILS)
            or self.left
            or self.not_asked
            or not self.count(Verdict.HOLDS)
        )

    @property
    def summary(self) -> str:
        """Say how many hold, do not hold, and are not known."""
        counts = [f"{self.count(verdict)} {verdict.value}" for verdict in Verdict]
        more = [f"{len(self.not_asked)} not asked"] if self.not_asked else []
        more += [f"{len(self.left)} left behind"] if self.left else []
        return f"Assumptions asked: {len(self.results)}. {', '.join([*counts, *more])}."

    def document(self) -> dict[str, object]:
        """Return everything as one JSON document."""
        return {
            "place": self.place,
            "run": self.run,
            "began": f"{self.began.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "accepted": self.accepted,
            "counts": {verdict.value: self.count(verdict) for verdict in Verdict},
            "probes": [
                {
                    "name": it.probe.name,
                    "verdict": it.verdict.value,
                    "assumes": it.probe.assumes,
                    "expected": it.probe.expected,
                    "seen": it.seen,
                    "relied": it.probe.relied,
                }
                for it in self.results
            ],
            "left": list(self.left),
            "notAsked": list(self.not_asked),
        }

    def markdown(self) -> str:
        """Write everything as Markdown, what does not hold first."""
        lines = [
            f"# What Google answered: {self.place}",
            "",
            f"Run `{self.run}`, {self.began.astimezone(UTC):%Y-%m-%d %H:%M}Z. {self.summary}",
        ]
        for verdict in (Verdict.FAILS, Verdict.UNKNOWN, Verdict.HOLDS):
            found = [it for it in self.results if it.verdict is verdict]
            if found:
                lines += ["", f"## {verdict.value.capitalize()}", ""]
                lines += ["| probe | assumed | expected | seen | what depends on it |"]
                lines += ["|---|---|---|---|---|"]
                lines += [_row(it) for it in found]
        for title, items in (("Left behind", self.left), ("Not asked", self.not_asked)):
            if items:
                lines += ["", f"## {title}", "", *(f"- {_cell(it)}" for it in items)]
        return "\n".join([*lines, ""])

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write both files into a folder; return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = folder / f"{_NAME}-{self.began.astimezone(UTC):%Y%m%dT%H%M%SZ}-{self.run}"
        page, document = stem.with_suffix(".md"), stem.with_suffix(".json")
        page.write_text(self.markdown(), encoding="utf-8")
        text = json.dumps(self.document(), indent=2, ensure_ascii=False)
        document.write_text(f"{text}\n", encoding="utf-8")
        return page, document


def _row(result: Result) -> str:
    probe = result.probe
    cells = (f"`{probe.name}`", probe.assumes, probe.expected, result.seen, probe.relied)
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Write a text so that it stays in its cell."""
    plain = " ".join(text.split()).replace("|", "\\|")
    return plain.replace("<", "&lt;")
