"""Finds lines of `GTotvsLinkLog` that fit a filter, and follows the new ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from smartlink.domain.message import LogLine, LogType
from smartlink.operations.ports import Deployment
from smartlink.operations.select import tenants_of

_AT_A_LOOK = 1_000  # new lines of a tenant in one look


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A log line, its tenant, and a key that no other line has."""

    tenant: str
    key: str
    line: LogLine


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """A filter: a line fits if it has all the values that are set."""

    tenant: str | None = None
    message_id: str | None = None
    least: LogType = LogType.INFORMATION  # this type or a worse one

    def lines(self, deployment: Deployment, since: datetime | None, most: int) -> list[FoundLine]:
        """Returns the lines that fit among the newest `most` lines of each tenant, the oldest
        first."""
        store = deployment.store
        found: list[FoundLine] = []
        for tenant in tenants_of(deployment, self.tenant):
            if self.message_id is not None:
                own = store.lines_of(tenant, self.message_id)
                found += [FoundLine(tenant, f"{it.at}{it.text}", it) for it in own]
            else:
                newest = store.newest_lines(tenant, since, most)
                found += [FoundLine(tenant, key, line) for key, line in newest]
        fit = (it for it in found if it.line.type >= self.least)
        recent = (it for it in fit if since is None or it.line.at >= since)
        return sorted(recent, key=lambda it: it.line.at)


class Follower:
    """Looks for new lines, from the instant of the last line on.

    Lines of one instant come in any order, so it remembers the keys of the lines that it has seen.
    """

    def __init__(
        self, deployment: Deployment, wanted: LogFilter, shown: Sequence[FoundLine]
    ) -> None:
        """`shown` are the lines that were shown already; without them it begins now."""
        self._deployment = deployment
        self._filter = wanted
        self._seen = {it.key for it in shown}
        self._since = shown[-1].line.at if shown else deployment.now()

    def look(self) -> list[FoundLine]:
        """Returns the lines that came since the last look."""
        found = self._filter.lines(self._deployment, self._since, _AT_A_LOOK)
        new = [it for it in found if it.key not in self._seen]
        self._seen |= {it.key for it in new}
        self._since = max([self._since, *(it.line.at for it in new)])
        return new
