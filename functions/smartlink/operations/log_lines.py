"""Finds lines of `GTotvsLinkLog` that fit a filter, and follows the new ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from smartlink.domain.message import LogLine, LogType
from smartlink.operations.names import tenants_of
from smartlink.operations.ports import Deployment

_PAGE = 300
_NEAR = timedelta(minutes=1)
"""How far each look goes back: for commits that take a while, and for clocks that differ."""
_FAR = timedelta.max
_FAR_EVERY = timedelta(minutes=1)


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
        """Returns the newest `most` lines that fit, the oldest first: the database filters them.

        Raises UnknownTenantError.
        """
        found: list[FoundLine] = []
        for tenant in tenants_of(deployment, self.tenant):
            found += islice(self._newest(deployment, tenant, since, most), most)
        return sorted(found, key=lambda it: it.line.at)[-most:]

    def _newest(
        self, deployment: Deployment, tenant: str, since: datetime | None, most: int
    ) -> Iterator[FoundLine]:
        store = deployment.store
        if self.message_id is None:
            page = min(most, _PAGE)
            for key, line in store.newest_lines(tenant, since, self.least, page=page):
                yield FoundLine(tenant, key, line)
            return
        for key, line in reversed(store.keyed_lines_of(tenant, self.message_id)):
            if self.fits(line) and (since is None or line.at >= since):
                yield FoundLine(tenant, key, line)

    def fits(self, line: LogLine) -> bool:
        """Tells whether a line has the type and the message that are wanted."""
        return line.type >= self.least and self.message_id in {None, line.message_id}


class Follower:
    """Reads on from where it was, page after page to the end, so no line is left out at any rate.

    A line is dated when it is said, and stored when its message's attempt has ended. So each look
    goes back by a minute, and once a minute by as long as an attempt can take. What was there at
    the beginning, or has been shown, is not shown again.
    """

    def __init__(self, deployment: Deployment, wanted: LogFilter) -> None:
        """Begins now: what is read of the lines after this may be shown with `show`."""
        self._deployment = deployment
        self._filter = wanted
        self._longest = deployment.settings.lease + _NEAR
        self._begun = self._far_at = deployment.now()
        self._at: dict[str, datetime] = {}  # tenant → its newest line
        self._seen: dict[tuple[str, str], datetime] = {}
        self._follow()
        for tenant in self._at:
            for _, line in deployment.store.newest_lines(tenant, page=1):
                self._at[tenant] = min(line.at, self._begun)
                break
            for key, line in deployment.store.lines_from(tenant, self._since(tenant, _FAR)):
                self._seen[tenant, key] = line.at

    def shown(self, lines: Sequence[FoundLine]) -> None:
        """Notes what has been shown since the beginning."""
        self._seen.update({(it.tenant, it.key): it.line.at for it in lines})

    def look(self) -> Iterator[FoundLine]:
        """Yields the lines that came since the last look, as they are read."""
        now = self._deployment.now()
        far = now - self._far_at >= _FAR_EVERY
        if far:
            self._far_at = now
            self._follow()
            self._forget()
        for tenant in self._at:
            since = self._since(tenant, _FAR if far else _NEAR)
            for key, line in self._deployment.store.lines_from(tenant, since, page=_PAGE):
                self._at[tenant] = max(self._at[tenant], min(line.at, now))
                if (tenant, key) not in self._seen:
                    self._seen[tenant, key] = line.at
                    if self._filter.fits(line):
                        yield FoundLine(tenant, key, line)

    def _follow(self) -> None:
        """Takes in the tenants that are there by now; the one that is named may come later."""
        named = self._filter.tenant
        for tenant in [named] if named is not None else tenants_of(self._deployment, None):
            self._at.setdefault(tenant, self._begun)

    def _since(self, tenant: str, back: timedelta) -> datetime:
        """Where the next look begins. What was said before a line that is old by now is stored."""
        at = self._at[tenant]
        old = self._deployment.now() - at > self._longest
        return at if old else at - min(back, self._longest)

    def _forget(self) -> None:
        for (tenant, key), at in list(self._seen.items()):
            if at < self._at[tenant] - self._longest:
                del self._seen[tenant, key]
