"""What the consumers did, as their journal says: a line for each beginning and each end."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

Key = tuple[str, str]
"""A message: its tenant and its id."""


@dataclass(slots=True)
class Effect:
    """One run of a consumer on a message. Instants are of the monotonic clock."""

    key: Key
    asked: str  # whom the content named: the tenant and the id that were offered with it
    attempt: int
    pid: int
    started: float
    overdue: bool = False  # it ran past its time-out, and its process ended itself
    finished: float | None = None  # None: it failed, was killed, or ran past its time-out


def read_journal(path: Path) -> list[Effect]:
    """Read the whole journal."""
    return effects(path.read_text(encoding="utf-8").splitlines() if path.is_file() else ())


def effects(lines: Iterable[str]) -> list[Effect]:
    """Pair the lines of each run."""
    found: dict[str, Effect] = {}
    for line in map(json.loads, lines):
        if line["event"] == "started":
            key = (line["tenant"], line["id"])
            found[line["run"]] = Effect(
                key, line["asked"], line["attempt"], line["pid"], line["at"]
            )
        elif line["event"] == "overdue":
            found[line["run"]].overdue = True
        else:
            found[line["run"]].finished = line["at"]
    return list(found.values())
