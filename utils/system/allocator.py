"""What memory a CPU run keeps: how the C library hands it back, and how many kernels torch remembers."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator, Mapping

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -3, -4, -8  # glibc's malloc.h
GROWN = 32 * 2**20  # bytes: what glibc's own M_MMAP_THRESHOLD grows to
DEFAULTS = {M_TRIM_THRESHOLD: 128 * 1024, M_MMAP_THRESHOLD: GROWN, M_MMAP_MAX: 65536, M_ARENA_MAX: 0}
PREDICTING = {M_TRIM_THRESHOLD: 2**31 - 1, M_MMAP_MAX: 0, M_ARENA_MAX: 1}
TRAINING = {M_MMAP_THRESHOLD: 128 * 2**20, M_TRIM_THRESHOLD: 2**31 - 1}  # an older glibc refuses the first

KERNELS = 160  # compiled kernels of one to two megabytes; a pass of the bundled network uses 97


@contextlib.contextmanager
def freed_memory_kept(options: Mapping[int, int] = PREDICTING) -> Iterator[bool]:
    """Within it this process keeps memory that it frees; True where the C library can (glibc), False where nothing changes.

    By default every map of more than 32 MB is mapped anew and zeroed page by page, which takes longer than many an operation
    on it: a pass of SwinB at 384 × 384 is a tenth faster with memory kept, a training step up to a fifth. Threads that start
    within it while predicting share one pool: what decoding a large image left would be of no use to the network otherwise.
    TRAINING leaves what is larger than 128 MB to the default: among so many sizes at once it would leave gaps. It is for
    commands, and not for a program that this package is only a part of.
    """
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if library is None or not hasattr(library, "gnu_get_libc_version"):
        yield False
        return
    taken = all(library.mallopt(option, value) for option, value in options.items())  # up to the first that is refused
    try:
        yield taken
    finally:
        for option, value in DEFAULTS.items():
            library.mallopt(option, value)
        library.malloc_trim(0)


def bound_kernel_caches() -> None:
    """Let torch's CPU kernels (oneDNN) remember those of one or two image sizes instead of 1,024 in each of two caches.

    With images of many sizes the process grew by 1 GB. The second cache, torch's own, saves nothing where the first one knows
    a kernel. Both read their size once, when the first network runs; what the user has set stays.
    """
    if "DNNL_PRIMITIVE_CACHE_CAPACITY" not in os.environ:  # the older name, which counts less
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS))
    os.environ.setdefault("LRU_CACHE_CAPACITY", "1")
