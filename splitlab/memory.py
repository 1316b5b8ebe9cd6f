"""Asks the C library to keep memory that was freed, instead of giving it back and fetching it anew in every step."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST = 32 * 1024**2  # glibc takes no more: larger blocks still come and go
KEPT = 512 * 1024**2


def keep() -> bool:
    """Keep freed blocks in this process from now on; False where the C library is not glibc.

    By default glibc hands blocks of more than 128 KiB back to the system, which clears them page by page the next time:
    copying a tensor of 16 MB then takes ten times as long as copying into memory that is there. A step of training
    needs the same blocks again and again. The price: a process stays as large as it once was.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
