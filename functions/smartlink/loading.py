"""How modules and clients are loaded: without Python's garbage collector."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Keep the collector away from what is imported or made in the block, then and later.

    An import makes some hundred thousand objects that live as long as the process. The collector
    would look through them again and again, a tenth of a cold start, and later at each of its
    full rounds. What little of it is garbage stays: so only for what happens once in a process.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
