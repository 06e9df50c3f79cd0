"""What a run saw of its hundred messages, for the probes to judge."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infra.acceptance.flow.kinds import DONE, Offered
from smartlink.domain.identity import DERIVED, Direction
from smartlink.domain.message import Attempt, DeadReason, EndedSummary, Ending, State, Summary


@dataclass
class Observed:
    """A run. It is filled while it goes on, and judged also if it broke off."""

    offered: list[Offered] = field(default_factory=list)
    ended: Sequence[EndedSummary] = ()
    live: Sequence[Summary] = ()
    unreadable: int = 0
    sent: Sequence[Mapping[str, Any]] = ()  # what the simulator received
    queue: Mapping[str, Any] = field(default_factory=dict)
    stats: Mapping[str, Any] = field(default_factory=dict)
    strangers: Mapping[str, int] = field(default_factory=dict)
    published: Counter[int] = field(default_factory=Counter)  # statuses of `publish`
    unpublished: str = ""  # why it could not be called
    kept: str = ""  # of a personal message's content, in the history
    gap: float = 0.0  # seconds without a message
    began: datetime | None = None
    minutes: float = 0.0
    trouble: str = ""  # why it broke off
    done: bool = False

    def of(self, kind: str) -> list[Offered]:
        """Return the messages of a kind."""
        return [it for it in self.offered if it.kind == kind]

    @property
    def answers(self) -> Counter[str]:
        """How often each request was answered."""
        found = (_request(it.get("content")) for it in self.sent)
        return Counter(it for it in found if it)

    @property
    def derived(self) -> int:
        """How many messages ended as done under an id that was derived."""
        return sum(it.message.id.startswith(DERIVED) for it in self.downstream)

    @property
    def downstream(self) -> list[EndedSummary]:
        """What came from the broker and was done."""
        return [
            it
            for it in self.ended
            if it.message.direction is Direction.DOWNSTREAM and it.ending is Ending.DONE
        ]

    @property
    def upstream(self) -> list[EndedSummary]:
        """What was sent to the broker."""
        return [it for it in self.ended if it.message.direction is Direction.UPSTREAM]

    def outcomes(self, offered: Offered) -> list[str]:
        """How the documents of a message ended, or where they stand; of one without id: whether
        it was answered."""
        if offered.id is None:
            return [DONE] if self.answers[offered.request] else ["not answered"]
        found = [str(it.ending) for it in self.ended if it.message.id == offered.id]
        found = [DONE if it == str(Ending.DONE) else it for it in found]
        # What came later under its id, with another content, is another message.
        other = offered.kind != "reused"
        live = [it for it in self.live if it.id == offered.id]
        kept = [it for it in live if not (other and it.dead_reason is DeadReason.ID_REUSED)]
        return [*found, *map(_stands, kept)] or ["nowhere"]

    def attempts(self, kind: str) -> list[tuple[Attempt, ...]]:
        """The attempts of each message of a kind that has ended."""
        ids = {it.id for it in self.of(kind)}
        return [it.message.attempts for it in self.downstream if it.message.id in ids]


def _stands(message: Summary) -> str:
    if message.state is State.DEAD:
        return str(message.dead_reason)
    tries = f", {message.attempt} attempts" if message.attempt else ""
    return f"{message.state}{tries}"


def _request(content: object) -> str | None:
    try:
        found = json.loads(str(content))["content"]["requestID"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None
