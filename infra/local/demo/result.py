"""The result of a demo."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from infra.local.demo.asks import COMMANDS, Ask
from infra.local.demo.simulated import PROCESSED
from infra.local.rest import Json


@dataclass(frozen=True)
class Row:
    """A request, and its status before and after."""

    ask: Ask
    request_id: str
    before: str
    after: str
    problem: str | None

    @property
    def processed(self) -> bool:
        """Whether TPD has got its answer."""
        return self.after == PROCESSED

    def json(self) -> Json:
        """Write it for programs."""
        return {
            "requestId": self.request_id,
            "tenant": self.ask.tenant,
            "command": self.ask.command,
            "style": self.ask.style,
            "toVerify": self.ask.to_verify,
            "before": self.before,
            "after": self.after,
            **({"problem": self.problem} if self.problem else {}),
        }


@dataclass(frozen=True)
class Group:
    """Requests that differ only in the person."""

    command: str
    tenant: str
    to_verify: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Masking:
    """How many people of a tenant were anonymous before, are so now, and must be so."""

    people: int
    before: int
    after: int
    expected: int

    @property
    def right(self) -> bool:
        """Whether as many people became anonymous as requested; dry runs change nothing."""
        return self.after - self.before == self.expected


@dataclass
class Result:
    """The result of a demo, which may have been given up."""

    mode: str
    seconds: dict[str, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    masking: dict[str, Masking] = field(default_factory=dict)
    collections: Mapping[str, int] = field(default_factory=dict)
    retried: list[Json] = field(default_factory=list)  # {"id", "attempts", "errors"}
    clues: list[str] = field(default_factory=list)  # why requests are open, as far as is known
    look: list[str] = field(default_factory=list)

    @property
    def open(self) -> list[Row]:
        """The requests without an answer."""
        return [row for row in self.rows if not row.processed]

    @property
    def ok(self) -> bool:
        """Whether every request was processed and the right number of people are anonymous."""
        done = bool(self.rows) and not self.open
        return done and all(masking.right for masking in self.masking.values())

    def groups(self) -> Iterator[Group]:
        """Group the requests that differ only in the person."""

        def alike(row: Row) -> tuple[int, str, bool]:
            return COMMANDS.index(row.ask.command), row.ask.tenant, row.ask.to_verify

        for (command, tenant, to_verify), rows in groupby(sorted(self.rows, key=alike), alike):
            yield Group(COMMANDS[command], tenant, to_verify, tuple(rows))

    def json(self) -> dict[str, Any]:
        """Write it for programs."""
        return {
            "ok": self.ok,
            "mode": self.mode,
            "seconds": self.seconds,
            "requests": [row.json() for row in self.rows],
            "processed": len(self.rows) - len(self.open),
            "anonymised": {
                tenant: {
                    "people": m.people,
                    "before": m.before,
                    "after": m.after,
                    "asked": m.expected,
                }
                for tenant, m in self.masking.items()
            },
            "collections": dict(self.collections),
            "retried": self.retried,
            "clues": self.clues,
            "lookFurther": self.look,
        }
