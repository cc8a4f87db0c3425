"""One process holds a cell; a dead holder loses it, whatever the clocks say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ferbench.store import lease
from ferbench.store.lease import Lease, LeaseHeldError, is_live, process_start, read_holder, this_host


def holder(path: Path, **changes: object) -> None:
    facts = {"host": this_host(), "pid": os.getpid(), "start": process_start(os.getpid()), "beat": 1}
    path.write_text(json.dumps(facts | changes))


def test_a_lease_is_held_inside_and_free_afterwards(tmp_path: Path) -> None:
    with Lease(tmp_path):
        assert is_live(tmp_path / "lease.json")
        with pytest.raises(LeaseHeldError, match=str(os.getpid())), Lease(tmp_path):
            pass
    assert not (tmp_path / "lease.json").exists()


def test_the_lease_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    holder(tmp_path / "lease.json", pid=int(process.stdout), start="123")
    assert not is_live(tmp_path / "lease.json")
    with Lease(tmp_path):
        assert (read_holder(tmp_path / "lease.json") or {})["pid"] == os.getpid()


def test_a_reused_pid_is_not_taken_for_the_holder(tmp_path: Path) -> None:
    holder(tmp_path / "lease.json", start="1")
    assert not is_live(tmp_path / "lease.json")


def test_a_damaged_lease_is_free(tmp_path: Path) -> None:
    (tmp_path / "lease.json").write_text("{")
    assert not is_live(tmp_path / "lease.json")


def test_a_holder_elsewhere_lives_while_its_heartbeat_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lease.json"
    holder(path, host="elsewhere", beat=5)
    os.utime(path, (0, 0))
    assert is_live(path), "without watching, a holder elsewhere is taken at its word"
    assert not is_live(path, watch_seconds=0.2), "its heartbeat stands still"

    def beating(seconds: float) -> None:
        holder(path, host="elsewhere", beat=6)

    monkeypatch.setattr(time, "sleep", beating)
    assert is_live(path, watch_seconds=0.2)


def test_the_heartbeat_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.01)
    with Lease(tmp_path):
        deadline = time.monotonic() + 20
        while (read_holder(tmp_path / "lease.json") or {}).get("beat", 0) == 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        beat = (read_holder(tmp_path / "lease.json") or {})["beat"]
    assert isinstance(beat, int)
    assert beat > 1


def test_a_holder_that_lost_its_lease_is_told_and_leaves_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.01)
    lost = threading.Event()
    with Lease(tmp_path, lost.set):
        holder(tmp_path / "lease.json", pid=1, beat=7)
        assert lost.wait(20)
    assert (read_holder(tmp_path / "lease.json") or {})["pid"] == 1
