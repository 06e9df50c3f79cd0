"""Counts the messages that were done, that failed and that wait."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartlink.domain.message import Ending, State, Summary
from smartlink.operations.ports import Deployment
from smartlink.operations.select import tenants_of

_MOST = 5_000  # records of a tenant's history, the newest
_VARIABLE = (
    (re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{16,}\b"), "<id>"),
    (re.compile(r"'[^']*'|\"[^\"]*\""), "<text>"),
    (re.compile(r"\d+"), "<n>"),
)


def fingerprint(error: str) -> tuple[str, str]:
    """Returns a short code and the pattern of an error, without ids, quoted texts and numbers."""
    pattern = error.partition("\n")[0]
    for variable, word in _VARIABLE:
        pattern = variable.sub(word, pattern)
    return hashlib.sha256(pattern.encode("utf-8", "replace")).hexdigest()[:8], pattern[:200]


@dataclass
class Failure:
    """Messages whose errors have the same pattern."""

    code: str
    pattern: str
    messages: int = 0
    dead: int = 0
    example: str = ""


@dataclass
class Figures:
    """All figures of a period."""

    since: datetime
    until: datetime
    done: Counter[datetime] = field(default_factory=Counter)  # by the hour
    attempts: Counter[int] = field(default_factory=Counter)  # of done messages
    discarded: int = 0
    states: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Failure] = field(default_factory=dict)
    oldest: tuple[str, Summary] | None = None  # the message that waits the longest, and its tenant
    cut: bool = False  # some tenant's history had more records than were read

    def hours(self) -> list[tuple[datetime, int]]:
        """Returns every hour of the period, with the number of messages done in it."""
        first = self.since.replace(minute=0, second=0, microsecond=0)
        count = int((self.until - first) / timedelta(hours=1)) + 1
        hours = [first + timedelta(hours=number) for number in range(count)]
        return [(hour, self.done[hour]) for hour in hours]

    def worst(self) -> list[Failure]:
        """Returns the failures, the most frequent first."""
        return sorted(self.failures.values(), key=lambda it: (-it.messages, it.code))

    def fail(self, message: Summary) -> None:
        """Counts a message if it has an error."""
        if not message.error:
            return
        code, pattern = fingerprint(message.error)
        failure = self.failures.setdefault(code, Failure(code, pattern, example=message.id))
        failure.messages += 1
        failure.dead += message.state is State.DEAD


def gather(deployment: Deployment, tenant: str | None, period: timedelta) -> Figures:
    """Counts the live messages, and the history of the period."""
    now = deployment.now()
    figures = Figures(now - period, now)
    for name in tenants_of(deployment, tenant):
        _live(figures, name, (it.message for it in deployment.store.live(name, {})))
        ended, odd = deployment.store.scan_ended(name, figures.since, _MOST)
        figures.cut |= len(ended) + len(odd) == _MOST
        for it in ended:
            if it.ending is Ending.DISCARDED:
                figures.discarded += 1
                continue
            figures.done[it.ended.replace(minute=0, second=0, microsecond=0)] += 1
            figures.attempts[it.message.attempt] += 1
    return figures


def _live(figures: Figures, tenant: str, messages: Iterable[Summary]) -> None:
    states: dict[str, int] = defaultdict(int)
    for message in messages:
        states[message.state] += 1
        figures.fail(message)
        waits = message.state is not State.DEAD
        if waits and (figures.oldest is None or message.received < figures.oldest[1].received):
            figures.oldest = (tenant, message)
    figures.states.update(states)
