"""Due messages, page by page."""

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
    """Due messages that could be read, and where the next page begins if more may be due."""

    due: Sequence[Stored]
    end: Place | None


class DuePages:
    """Reads what is due for a tenant."""

    def __init__(self, messages: Messages, size: int) -> None:
        self._messages = messages
        self._size = size

    def first(self, poll: TenantPoll, now: datetime) -> dict[Direction, Page]:
        """What is due, by direction: one query while it is little. A full page of one direction
        hides the other's, and so does one of documents that cannot be read."""
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
        """The page of a direction that begins there."""
        return self._read(poll, now, way, after)

    def _read(
        self, poll: TenantPoll, now: datetime, way: Direction | None, after: Place | None
    ) -> Page:
        """Whether more lies behind it is told by what came back, not by what could be read."""
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
