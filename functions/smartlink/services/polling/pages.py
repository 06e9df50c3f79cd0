"""Reads a tenant's due messages page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from smartlink.domain.identity import Direction
from smartlink.domain.message import Stored
from smartlink.observability import INFO, event
from smartlink.ports import Messages, Place
from smartlink.services.polling.tenant_poll import TenantPoll


@dataclass(frozen=True, slots=True)
class Page:
    """Due messages that are readable, and where the next page begins; None if nothing more is
    due."""

    due: Sequence[Stored]
    end: Place | None


class DuePages:
    """Reads the pages of a tenant's due messages, `size` documents each."""

    def __init__(self, messages: Messages, size: int) -> None:
        self._messages = messages
        self._size = size

    def first(self, poll: TenantPoll, now: datetime) -> dict[Direction, Page]:
        """Returns the first page of each direction.

        One query reads both directions. If its page is full, it may hold nothing of a direction
        that has due messages; so a direction that it does not show gets a query of its own.
        """
        mixed = self._read(poll, now, None, None)
        pages = {
            way: Page([it for it in mixed.due if it.message.direction is way], mixed.end)
            for way in Direction
        }
        if mixed.end is not None:
            hidden = [way for way, page in pages.items() if not page.due]
            pages |= {way: self._read(poll, now, way, None) for way in hidden}
        _tell_due([it for page in pages.values() for it in page.due], now)
        return pages

    def next(self, poll: TenantPoll, now: datetime, way: Direction, after: Place) -> Page:
        """Returns the page of a direction that begins at `after`."""
        return self._read(poll, now, way, after)

    def _read(
        self, poll: TenantPoll, now: datetime, way: Direction | None, after: Place | None
    ) -> Page:
        """Reads a page. What the database returned, readable or not, tells whether a next page
        exists."""
        since = after.due if after else None
        due = self._messages.due(poll.name, now, self._size, way, since, after)
        if due.unreadable:
            poll.pass_over(due.unreadable)
        more = (due.cut or due.returned >= self._size) and due.end != after
        return Page(due, due.end if more else None)


def _tell_due(due: Sequence[Stored], now: datetime) -> None:
    ages = [(now - it.message.due).total_seconds() for it in due if it.message.due]
    if ages:
        text = f"{len(ages)} messages are due, the oldest for {max(ages):.0f} s"
        event("messages_due", text, INFO, due=len(ages), oldestSeconds=round(max(ages)))
