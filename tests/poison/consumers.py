"""The consumer of poison: it does to its process what its message says."""

import os
import signal
import sys
from collections.abc import Callable

from smartlink.consumer import Context, Reply, consumer


def _exit() -> None:
    os._exit(3)


def _kill() -> None:
    """As the kernel does when a container has eaten its memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def _eat() -> None:
    """Beyond the limit (RLIMIT_AS) that `process.py` sets: MemoryError, wherever it strikes."""
    eaten = []
    while True:
        eaten.append(bytes(64_000_000))


def _loop() -> None:
    while True:
        pass


def _recurse() -> None:
    _recurse()


def _overflow() -> None:
    """A recursion that nothing stops ends the process by a fault of the stack."""
    sys.setrecursionlimit(10**9)
    nested: list[object] = []
    for _ in range(300_000):
        nested = [nested]
    repr(nested)


_POISONS: dict[str, Callable[[], None]] = {
    "exit": _exit,
    "kill": _kill,
    "eat": _eat,
    "loop": _loop,
    "recurse": _recurse,
    "overflow": _overflow,
}


@consumer("PoisonCommand")
def swallow(content: str, context: Context) -> Reply:
    """Die of it, or answer."""
    _POISONS.get(content, lambda: None)()
    return Reply("Answer", f"{content} {context.attempt}")
