"""Turns Ctrl-C into an event, so that it never interrupts a commit."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupted() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C sets. A second Ctrl-C interrupts."""
    event = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def stop(_number: int, _frame: FrameType | None) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
