"""The C library's allocator: memory that nobody uses goes back to the system.

A busy minute takes tens of megabytes that it gives back in pieces, between others that stay; glibc keeps these for
itself, and as no two minutes are alike a process grows for days. Other C libraries are left alone.
"""

from __future__ import annotations

import ctypes
import platform

_TRIM = ctypes.CDLL(None).malloc_trim if platform.libc_ver()[0] == "glibc" else None


def give_back() -> None:
    """Give back what is free, wherever it lies: some milliseconds, in which other threads run.

    https://man7.org/linux/man-pages/man3/malloc_trim.3.html, 2026-11.
    """
    if _TRIM is not None:
        _TRIM(0)
