"""Loads modules and clients without Python's garbage collector."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Keeps the garbage collector away from the objects that the block makes, then and later.

    An import makes some hundred thousand objects that live as long as the process. The collector
    would look at them again and again, which takes a tenth of a cold start. The block's own garbage
    is never freed, so use this only for what happens once in a process.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
