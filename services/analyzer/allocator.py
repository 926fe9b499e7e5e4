"""Keeps the process as large as its windows, however long the queue is and however long it runs.

Measured with an endless backlog: what Python holds stays the same, yet the process grows by tens of MiB, all of it free
lists of glibc. Buffers of fetched records (up to a MiB) are allocated among small objects, since glibc takes a freed
large buffer as a reason to put the next ones into its heap, and the consumer's thread has a heap of its own. What is
left between them is never given back.
"""

import ctypes
from typing import Final

_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""Of glibc's malloc.h."""
LARGE_BYTES: Final = 128 * 1024
"""glibc's own value at first; stated, it stays the same."""


def keep_large_buffers_apart() -> bool:
    """Give large buffers pages of their own, and all threads one heap; False where the C library is another.

    Call it before threads are started.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_ARENA_MAX, 1)) and bool(mallopt(_MMAP_THRESHOLD, LARGE_BYTES))
