"""Keep the memory that a training step frees: releasing and allocating it again costs a page fault for every 4 KiB."""

from __future__ import annotations

import ctypes
from typing import Any

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of glibc's malloc.h
LARGEST = 2**31 - 1
PADDING = 1 << 28  # bytes to request at a time


def keep_freed_memory() -> bool:
    """Make glibc's allocator keep large blocks that are freed, for processes that allocate the same sizes repeatedly.

    Updates on the CPU take less time. Peak memory is higher and grows during a run: call `release_freed_memory`
    regularly to bound it.

    Returns:
        False where the C library is another one: nothing is changed then.
    """
    mallopt = _c_function("mallopt")
    if mallopt is None:
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    return all([mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, LARGEST), mallopt(M_TOP_PAD, PADDING)])


def release_freed_memory() -> None:
    """Release the memory that glibc's allocator keeps: batches of different sizes fragment it over many updates."""
    if trim := _c_function("malloc_trim"):
        trim.argtypes = [ctypes.c_size_t]
        trim(0)


def _c_function(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):  # another C library
        return None
