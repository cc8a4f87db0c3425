"""The memory of a training process: kept between steps, and watched for leaks."""

from __future__ import annotations

import ctypes
import itertools
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

# Parameters of mallopt(3) in the GNU C library.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
GROWTH_BYTES = 64 * 2**20

LEAK_MB, LEAK_EPOCHS = 4.0, 3
"""A leak shows when the peak rises by so much in each of so many epochs, the first two aside."""


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, for the next step to use; return whether that was possible.

    By default the GNU C library returns large blocks to the system at once and asks for them anew in the next step,
    page by page: some 90,000 page faults for 1,000 pictures of a small CNN on the CPU, a tenth of its time. Other C
    libraries stay as they are.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    wanted = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: GROWTH_BYTES}
    return all(mallopt(name, value) for name, value in wanted.items())


def peak_memory() -> float:
    """The most memory that this process held, in MB (10⁶ bytes)."""
    try:  # a process that was started by a large one begins with its parent's value in getrusage
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def leak_note(peaks: Sequence[float]) -> str:
    """What a table says of a training whose peak memory (MB, after each epoch) never stopped rising; else empty.

    A sound one rises in its first epochs alone, and then uses again what it has.
    """
    steps = [after - before for before, after in itertools.pairwise(peaks[1:])]
    if len(steps) < LEAK_EPOCHS or min(steps) < LEAK_MB:
        return ""
    return f"its memory grew by about {median(steps):.0f} MB in every epoch, to {peaks[-1]:,.0f} MB: it leaks"
