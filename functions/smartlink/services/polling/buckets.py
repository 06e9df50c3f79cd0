"""One due query for all tenants of a bucket, instead of one for each tenant and minute.

A page that is whole answers for every tenant of the bucket. Nobody is hidden by it:

- After a page that is not whole, each tenant is asked by itself for the rest (see pages.py).
- Every 61 ticks each tenant is asked by itself, from the beginning to the end. So a document that
  does not carry its bucket, or is due behind the watermark, is late by minutes and never lost.

A query begins at the bucket's *watermark*: Firestore scans the index entries of what was deleted,
and a bucket has those of all its tenants. Before the watermark nothing is due. For the page before
returned the earliest due documents, so all that it left out is due after its first one. And what
was written since is due no earlier than its writer's clock showed when it decided, which is at most
MARGIN before the write: a settlement is tried until its lease is over, and clocks differ. An
operator's command does write instants that are long past, and then announces a change: a mark that
is not known yet takes all watermarks away. What a caller dates back in its own transaction, or a
recovery brings back, the tenant's own query finds.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256

from smartlink.domain.bucket import EVERY_BUCKET, bucket_of
from smartlink.observability import ERROR, event, surprise
from smartlink.ports import Beside, BucketPage, Messages, PortError, Unavailable

LOOK_EVERY = 61
"""Ticks, of a minute each, after which a tenant is asked by itself. The number is a prime, so that
a Scheduler with another rhythm reaches every tenant, too."""

MARGIN = timedelta(minutes=15)
"""Longer than a lease of `consume`, the tries of a commit and what clocks differ, together."""


def looks(tenant: str, tick: datetime) -> bool:
    """Tells whether the tenant is asked by itself in this tick. The tenants are spread over the
    ticks, and no process has to remember anything."""
    minute = round(tick.timestamp() / 60)  # Scheduler's minute, though the call is a little off it
    return (minute + sha256(tenant.encode()).digest()[1]) % LOOK_EVERY == 0


class Buckets:
    """Asks for the due messages of buckets, and keeps the watermarks of this process."""

    def __init__(self, messages: Messages, size: int, beside: Beside) -> None:
        self._messages = messages
        self._size = size
        self._beside = beside
        self._watermarks: dict[str, datetime] = {}
        self._changes = ""  # the last mark
        self._resets: Counter[str] = Counter()  # by bucket: a query before it leaves no watermark
        self._lock = threading.Lock()

    def shared(
        self, tenants: Sequence[str], tick: datetime, changes: str
    ) -> dict[str, "SharedDue"]:
        """Returns, for each tenant that is not asked by itself, what its bucket's tenants share.

        A tenant that is alone in its bucket is asked by itself: that costs the same.
        """
        self._note(changes)
        buckets: defaultdict[str, list[str]] = defaultdict(list)
        for tenant in tenants:
            if not looks(tenant, tick):
                buckets[bucket_of(tenant)].append(tenant)
        shared: dict[str, SharedDue] = {}
        unanswered = threading.Event()
        for bucket, its in buckets.items():
            if len(its) > 1:
                ask = partial(self._ask, bucket, unanswered)
                shared |= dict.fromkeys(its, SharedDue(self._beside, ask))
        return shared

    def _note(self, changes: str) -> None:
        with self._lock:
            if changes and changes != self._changes:
                self._changes = changes
                self._watermarks.clear()
                self._resets.update(EVERY_BUCKET)

    def seen(self, tenant: str, due: datetime) -> None:
        """Notes what a tenant's own query found first. If the watermark hides it from the bucket's
        query, the watermark is taken away. Where there is none, the bucket may just be asked for,
        and that query leaves none."""
        bucket = bucket_of(tenant)
        with self._lock:
            watermark = self._watermarks.get(bucket)
            if watermark is None or due < watermark:
                self._watermarks.pop(bucket, None)
                self._resets[bucket] += 1

    def _ask(self, bucket: str, unanswered: threading.Event, now: datetime) -> BucketPage | None:
        """Returns the bucket's page; None if the query failed: then each tenant is asked.

        All turns of a bucket wait for its query. So once the database does not answer one, this
        poll asks for no further bucket: it would wait for each of them as long again.
        """
        if unanswered.is_set():
            return None
        with self._lock:
            since, resets = self._watermarks.pop(bucket, None), self._resets[bucket]
        if since is not None and since > now - MARGIN:
            since = None  # the clock went back: what was written since may be due before it
        try:
            page = self._messages.due_in_bucket(bucket, now, self._size, since)
        except PortError as error:
            if isinstance(error, Unavailable):
                unanswered.set()
            text = f"Each tenant of the bucket is asked by itself: {error}"
            event("bucket_not_asked", text, ERROR, bucket=bucket)
            return None
        except Exception as error:  # noqa: BLE001  (one bucket's surprise is not its tenants')
            text = "Unexpected: each tenant of the bucket is asked by itself"
            surprise("bucket_not_asked", text, error, bucket=bucket)
            return None
        with self._lock:
            if resets == self._resets[bucket]:
                self._watermarks[bucket] = min(now - MARGIN, page.begin or now)
        return page


class SharedDue:
    """The due messages of a bucket in one poll, which the bucket's tenants share."""

    def __init__(self, beside: Beside, ask: Callable[[datetime], BucketPage | None]) -> None:
        self._beside = beside
        self._ask = ask
        self._asked: Callable[[], BucketPage | None] | None = None
        self._lock = threading.Lock()

    def page(self, now: datetime) -> BucketPage | None:
        """Returns the page. The first tenant's turn asks for it, and the others wait for that.

        A query that failed is not made again for each tenant.
        """
        with self._lock:
            if self._asked is None:
                self._asked = self._beside(lambda: self._ask(now))
        return self._asked()
