"""What a peer's poller needs of its task queue."""

from collections.abc import Sequence
from typing import Any, Protocol


class Queue(Protocol):
    """Enqueues, either with the rows (in their transaction) or after they were committed."""

    def stored(self, connection: Any, ids: Sequence[str]) -> None:  # noqa: ANN401 - psycopg's, which is not installed where types are checked
        """Be told of new messages in the transaction that stores them."""

    def acked(self, ids: Sequence[str]) -> None:
        """Be told of new messages that are committed, and have left the broker."""

    def replies(self, connection: Any, batches: Sequence[Sequence[str]]) -> None:  # noqa: ANN401
        """Enqueue the sending of these replies, each batch as a task."""
