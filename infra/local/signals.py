"""Signals that end the stack: turned into exceptions, held back where one would leave an orphan."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TypeAlias

# SIGHUP: the terminal was closed. Windows has none.
ENDING: tuple[signal.Signals, ...] = tuple(
    it for it in signal.Signals if it.name in {"SIGINT", "SIGTERM", "SIGHUP"}
)
_OTHERS: tuple[signal.Signals, ...] = tuple(it for it in ENDING if it != signal.SIGINT)


# As typeshed has it; None: a handler that was not installed from Python.
Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None


class Terminated(BaseException):
    """SIGTERM or SIGHUP asked this process to end; unwinds the stack as Ctrl-C does."""


def _raise_terminated(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(signal.Signals(number).name)


@contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Let the ending signals unwind the stack, also where a shell started us with them ignored."""
    previous = {number: signal.signal(number, _raise_terminated) for number in _OTHERS}
    previous[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        _restore(previous)


@contextmanager
def ending_signals_held() -> Iterator[None]:
    """Hold ending signals back, and deliver them at the end.

    A signal between the birth of a child and the note of its id would leave an orphan; so would one
    in the middle of the clean-up.
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
