"""Tells the C library's allocator how much freed memory to keep."""

import ctypes
import sys
from functools import cache

_MMAP_THRESHOLD = -3  # glibc's M_MMAP_THRESHOLD
_LARGE = 131_072  # bytes


@cache
def return_large_blocks() -> None:
    """Makes glibc return large blocks to the system as soon as they are freed.

    After glibc has freed a block of some MiB, it keeps smaller blocks too, for each thread. Eight
    threads that received 60 MiB each, one after the other, held 500 MiB.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGE)
