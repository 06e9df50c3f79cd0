"""What a peer's poller needs of its task queue."""

from collections.abc import Sequence
from typing import Any, Protocol


class Queue(Protocol):
    """Enqueues, either with the rows (in their transaction) or after they were committed."""

    def stored(self, connection: Any, tenant: str, ids: Sequence[str]) -> None:  # noqa: ANN401 - psycopg's, which is not installed where types are checked
        """Be told of new messages in the transaction that stores them."""

    def acked(self, tenant: str, ids: Sequence[str]) -> None:
        """Be told of new messages that are committed, and have left the broker."""

    def replies(self, connection: Any, batches: Sequence[tuple[str, Sequence[str]]]) -> None:  # noqa: ANN401
        """Enqueue the sending of these replies, each tenant's batch as a task."""
