"""Asks for several things at the same time: an operation's calls wait for the network alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")
_AT_ONCE = 8


def beside(items: Sequence[_Item], ask: Callable[[_Item], _Answer]) -> list[_Answer]:
    """Asks for each at the same time, in the order of the items."""
    if len(items) < 2:  # noqa: PLR2004
        return [ask(it) for it in items]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(ask, items))
