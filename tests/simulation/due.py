"""Whether a poll's first pages show all that was due when the poll began."""

from datetime import datetime

from smartlink.domain.identity import Direction
from smartlink.services.polling.buckets import MARGIN
from smartlink.services.polling.pages import DuePages, Page
from smartlink.services.polling.tenant_poll import TenantPoll
from tests.simulation.claims import SKEW
from tests.simulation.kernel import Kernel, Process
from tests.simulation.ledger import WatchedMessages

TOGETHER = ("acme", "globex-34", "globex-47")  # tenants of one bucket


class WatchedPages:
    """Calls the good one, and looks at what it leaves out.

    Left out may be what an older release wrote, or was written so long after its due instant that
    the watermark had passed it: the tenant's own look finds that.
    """

    def __init__(
        self, pages: DuePages, kernel: Kernel, process: Process, store: WatchedMessages
    ) -> None:
        self._good = pages.first
        self._kernel = kernel
        self._process = process
        self._store = store

    def __call__(self, poll: TenantPoll, now: datetime) -> dict[Direction, Page]:
        """See DuePages.first."""
        astray = self._store.astray()
        pages = self._good(poll, now)
        began = self._process.polls
        until = self._kernel.at(began) + self._process.skew
        for document, stored in self._store.live(poll.name).items():
            message, key = stored.message, (poll.name, document)
            page, written = pages[message.direction], self._store.written[key]
            shown = {it.message.document for it in page.due} | poll.unreadable.keys()
            if page.end is not None or document in shown or key in astray:
                continue
            if message.due is None or message.due > until or written >= began:
                continue
            if self._kernel.at(written) - message.due < MARGIN - 2 * SKEW:
                self._store.hidden(key)
        return pages
