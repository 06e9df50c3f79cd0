"""Reads a tenant's due messages page by page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from smartlink.domain.identity import Direction
from smartlink.domain.message import Stored
from smartlink.observability import INFO, WARNING, event
from smartlink.ports import BucketPage, DuePage, Messages, Place, PortError
from smartlink.services.polling.buckets import Buckets
from smartlink.services.polling.tenant_poll import TenantPoll


@dataclass(frozen=True, slots=True)
class Page:
    """Due messages that are readable, and where the next page begins; None if nothing more is
    due."""

    due: Sequence[Stored]
    end: Place | None


class DuePages:
    """Reads the pages of a tenant's due messages, `size` documents each."""

    def __init__(self, messages: Messages, size: int, buckets: Buckets) -> None:
        self._messages = messages
        self._size = size
        self._buckets = buckets

    def first(self, poll: TenantPoll, now: datetime) -> dict[Direction, Page]:
        """Returns the first page of each direction.

        One query reads both directions. If its page is full, it may hold nothing of a direction
        that has due messages; so a direction that it does not show gets a query of its own.
        """
        shared = poll.shared.page(now) if poll.shared else None
        mixed = self._own(poll, now) if shared is None else self._out_of(shared, poll, now)
        pages = {
            way: Page([it for it in mixed.due if it.message.direction is way], mixed.end)
            for way in Direction
        }
        if poll.look:
            poll.unlooked = mixed.end
        if mixed.end is not None:
            hidden = [way for way, page in pages.items() if not page.due]
            pages |= {way: self._read(poll, now, way, None) for way in hidden}
        _tell_due([it for page in pages.values() for it in page.due], now)
        return pages

    def next(self, poll: TenantPoll, now: datetime, way: Direction | None, after: Place) -> Page:
        """Returns the page of a direction, or of both, that begins at `after`."""
        return self._read(poll, now, way, after)

    def _own(self, poll: TenantPoll, now: datetime) -> Page:
        """Asks for the tenant alone, from the beginning."""
        page = self._read(poll, now, None, None)
        if page.due:
            self._buckets.seen(poll.name, page.due[0].message.due or now)
        return page

    def _out_of(self, shared: BucketPage, poll: TenantPoll, now: datetime) -> Page:
        """Takes the tenant's part out of its bucket's page.

        If the page is not whole, only what is due before its end is certain. So the tenant is asked
        by itself for the rest, and what was read is not read again.
        """
        its = shared.of.get(poll.name, DuePage())
        if its.unreadable:
            poll.pass_over(its.unreadable)
        if shared.whole:
            return Page(its, None)
        after = its.end if its.end and its.end.due == shared.end else None
        rest = self._read(poll, now, None, after, shared.end)
        known = {it.message.document for it in its}
        return Page([*its, *(it for it in rest.due if it.message.document not in known)], rest.end)

    def _read(
        self,
        poll: TenantPoll,
        now: datetime,
        way: Direction | None,
        after: Place | None,
        since: datetime | None = None,
    ) -> Page:
        """Reads a page. What the database returned, readable or not, tells whether a next page
        exists."""
        since = after.due if after else since
        due = self._messages.due(poll.name, now, self._size, way, since, after)
        if due.unreadable:
            poll.pass_over(due.unreadable)
        more = (due.cut or due.returned >= self._size) and due.end != after
        if due.astray:
            self._lead_back(poll, due, now)  # which may leave some out
        return Page(due, due.end if more else None)

    def _lead_back(self, poll: TenantPoll, due: DuePage, now: datetime) -> None:
        """Writes the bucket to documents that lack it, so that its query finds them from now on.

        They are due, so nobody holds them. One that has changed meanwhile is left to the next tick.
        """
        self._buckets.seen(poll.name, due.astray[0].message.due or now)
        try:
            versions = self._messages.swap(poll.name, due.astray)
        except PortError as error:
            event("bucket_not_written", f"The next look tries again: {error}", WARNING)
            return
        astray = (it.message.document for it in due.astray)
        found = dict(zip(astray, versions, strict=True))
        due[:] = [
            replace(it, version=found.get(it.message.document) or it.version)
            for it in due
            if found.get(it.message.document, it.version) is not None
        ]
        number = sum(it is not None for it in versions)
        text = f"{number} due messages lacked their bucket: an older release or a person wrote them"
        event("bucket_written", text, INFO, number=number)


def _tell_due(due: Sequence[Stored], now: datetime) -> None:
    ages = [(now - it.message.due).total_seconds() for it in due if it.message.due]
    if ages:
        text = f"{len(ages)} messages are due, the oldest for {max(ages):.0f} s"
        event("messages_due", text, INFO, due=len(ages), oldestSeconds=round(max(ages)))
