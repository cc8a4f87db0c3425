"""The memory of a training process."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCK, TIMES, PAGE = 64 * 2**20, 8, 4096

PROGRAM = f"""
import resource
from ferbench.training.memory import keep_freed_memory
kept = keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({TIMES}):
    bytearray({BLOCK})
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep freed memory by rules of their own")
def test_memory_that_was_freed_is_used_again_without_asking_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    kept, faults = map(int, done.stdout.split())
    if not kept:
        pytest.skip("this is not the GNU C library")
    assert faults < 2 * BLOCK // PAGE, "the pages of one block, not of eight"
