"""Turns signals that end the stack into exceptions, and delays them where they would do harm."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TypeAlias

# SIGHUP comes when the terminal is closed. Windows has no such signal.
ENDING: tuple[signal.Signals, ...] = tuple(
    it for it in signal.Signals if it.name in {"SIGINT", "SIGTERM", "SIGHUP"}
)
_OTHERS: tuple[signal.Signals, ...] = tuple(it for it in ENDING if it != signal.SIGINT)


# As in typeshed. None is a handler that was not installed from Python.
Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None


class Terminated(BaseException):
    """SIGTERM or SIGHUP asked this process to end. It unwinds the stack as Ctrl-C does."""


def _raise_terminated(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(signal.Signals(number).name)


@contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Make the ending signals raise exceptions, even if the shell started us with them ignored."""
    previous = {number: signal.signal(number, _raise_terminated) for number in _OTHERS}
    previous[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        _restore(previous)


@contextmanager
def ending_signals_held() -> Iterator[None]:
    """Delay ending signals until the end of the block.

    A signal after a child has started and before its id is noted would leave an orphan. So would a
    signal during the clean-up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs signal handlers on the main thread only
        return
    caught: list[int] = []
    previous = {number: signal.signal(number, lambda n, _: caught.append(n)) for number in ENDING}
    try:
        yield
    finally:
        _restore(previous)
        for number in caught[:1]:
            signal.raise_signal(number)


def _restore(handlers: dict[signal.Signals, Handler]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
