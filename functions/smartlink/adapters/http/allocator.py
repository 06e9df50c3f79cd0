"""The C library's allocator: what it keeps of memory that was freed."""

import ctypes
import sys
from functools import cache

_MMAP_THRESHOLD = -3  # glibc's M_MMAP_THRESHOLD
_LARGE = 131_072  # bytes


@cache
def return_large_blocks() -> None:
    """Let large blocks go back to the system as soon as they are freed.

    Once glibc has freed one of some MiB it takes smaller ones for reusable too, and each thread
    keeps its own: eight threads that received 60 MiB each, one after the other, held 500.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGE)
