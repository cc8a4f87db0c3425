"""The memory of a training process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ferbench.training.memory import leak_note

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


def test_a_leak_is_a_peak_that_rises_in_every_epoch() -> None:
    assert leak_note([300, 500, 530, 560, 590]) == "its memory grew by about 30 MB in every epoch, to 590 MB: it leaks"
    assert leak_note([300, 500, 530, 560]) == "", "too few epochs to tell"
    assert leak_note([300, 500, 530, 530, 560, 590]) == "", "it used again what it had"
    assert leak_note([]) == ""


def test_the_peak_is_the_process_s_own() -> None:
    large = "import subprocess, sys; kept = b'x' * 400_000_000; print(subprocess.check_output([sys.executable, '-c', "
    small = "'from ferbench.training.memory import peak_memory; print(peak_memory())']).decode())"
    done = subprocess.run([sys.executable, "-c", large + small], capture_output=True, text=True, check=True)
    peak = float(done.stdout)
    assert 1 < peak < 400 or sys.platform != "linux"
