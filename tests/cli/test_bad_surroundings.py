"""Full and read-only disks, clocks that jump, terminals that know little: results are kept, messages stay readable."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ferbench.running import recording
from ferbench.store import store as store_module
from ferbench.store.lease import Lease, is_live
from ferbench.store.store import Store
from tests.cli.conftest import Command, Finished, Outcome
from tests.contract import PLUGIN, Contract

BULKY = """
import torch
from ferbench import Model, hookimpl
from ferbench import Adam, Constant, Recipe

def build(spec):
    class Bulky(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(spec.channels * spec.size**2, spec.classes)
            self.unused = torch.nn.Parameter(torch.zeros(1_000_000))

        def forward(self, x):
            return self.head(x.flatten(1)) + 0 * self.unused.sum()

    return Bulky()

@hookimpl
def ferbench_models():
    yield Model("bulky", build=build, recipe=Recipe(epochs=1, optimizer=Adam(lr=0.001), schedule=Constant()))
"""


@pytest.fixture(scope="module")
def bulky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin with a network of 4 MB."""
    path = tmp_path_factory.mktemp("bulky") / "bulky.py"
    path.write_text(BULKY)
    return path


@pytest.fixture
def run(ferbench: Command, contract: Contract, bulky: Path) -> Callable[..., Outcome]:
    """``run(out, …)`` runs the suite ``contract``, with a network of 4 MB beside its own."""

    def call(out: Path, *arguments: object) -> Outcome:
        fixed = ["--plugin", PLUGIN, "--plugin", bulky, "--device", "cpu", "--seeds", "1"]
        fixed += ["--set", "run.threads=1", "--set", "run.probe=false"]
        return ferbench("run", "--suite", "contract", "--out", out, *fixed, *arguments)

    return call


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = sys.platform == "linux" and mount(disk, "size=3m", "-t", "tmpfs", "tmpfs")
    if not mounted:
        pytest.skip("a small disk can only be mounted on Linux and as root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def mount(disk: Path, options: str, *kind: str) -> bool:
    """Mount, or mount again with other options; False where that is not allowed."""
    done = subprocess.run(["mount", "-o", options, *kind, str(disk)], check=False, capture_output=True)
    return done.returncode == 0


@pytest.mark.parametrize("seconds", [0, 60], ids=["at a checkpoint", "at the weights"])
def test_a_full_disk_fails_what_does_not_fit_and_the_same_command_goes_on(
    run: Callable[..., Outcome], small_disk: Path, seconds: int
) -> None:
    out = small_disk / "out"
    command = ("-m", "nearest", "-m", "bulky", "--set", f"run.checkpoint_seconds={seconds}")
    full = run(out, *command)
    assert full.code == 1
    assert "[1/2] done    nearest" in full.err
    assert "[2/2] failed  bulky" in full.err
    assert "The disk is full: " in full.err
    assert "Free some space (`ferbench gc --out …`" in full.err
    assert "Traceback" not in full.err + full.out
    assert not list((out / "cells").rglob(".*")), "no half-written file takes up the space"
    assert mount(small_disk, "remount,size=50m")
    again = run(out, *command)
    assert again.code == 0
    assert "2 cells, 1 already done" in again.err


def test_a_disk_with_no_room_at_all_ends_the_run_with_what_is_done(
    run: Callable[..., Outcome], small_disk: Path
) -> None:
    out = small_disk / "out"
    assert run(out, "-m", "nearest").code == 0
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (room.f_bavail * room.f_frsize))
    full = run(out, "-m", "nearest", "-m", "tiny")
    assert full.code == 2
    assert full.err.count("The disk is full: ") == 1
    (small_disk / "filler").unlink()
    assert "2 cells, 1 already done" in run(out, "-m", "nearest", "-m", "tiny").err


@pytest.mark.usefixtures("quick_doctor")
def test_a_disk_that_cannot_be_written_is_named_and_still_read(
    run: Callable[..., Outcome], ferbench: Command, small_disk: Path
) -> None:
    out = small_disk / "out"
    assert run(out, "-m", "nearest").code == 0
    assert mount(small_disk, "remount,ro")
    refused = run(out, "-m", "nearest", "-m", "tiny")
    assert refused.code == 2
    assert "cannot be written: Read-only file system. Choose another place" in refused.err
    assert ferbench("leaderboard", "--out", out).code == 0
    assert "✗ results folder" in ferbench("doctor", "--out", out).out


def test_a_clock_that_jumps_back_changes_neither_order_nor_durations(
    run: Callable[..., Outcome], ferbench: Command, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Past(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(1999, 12, 31, tzinfo=UTC)

    for module in (recording, store_module):
        monkeypatch.setattr(module, "datetime", Past)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert run(finished.out, "-m", "centred").code == 0
    store = Store(finished.out)
    assert [name.partition("-")[0] for name in store.run_ids()] == ["0001", "0002"]
    assert "19991231" in store.run_ids()[-1]
    facts = ferbench("leaderboard", "--out", finished.out, "--json").json
    assert [row["model"] for row in facts["rows"]] == ["centred"], "the latest run is the one begun last"
    assert all(float(cell.status["seconds"]) >= 0 for cell in store.cells if cell.state == "done")


@pytest.mark.parametrize("days", [-4000, 4000])
def test_leases_are_judged_without_a_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    with Lease(tmp_path):
        path = tmp_path / "lease.json"
        when = (datetime.now(UTC) + timedelta(days=days)).timestamp()
        os.utime(path, (when, when))
        monkeypatch.setattr(time, "time", lambda: when)
        assert is_live(path, watch_seconds=0.1)
    assert not is_live(path)


@pytest.mark.parametrize(
    "arguments",
    [["list", "models"], ["leaderboard"], ["run", "--suite", "contract", "-m", "nearest", "--plugin", str(PLUGIN)]],
    ids=lambda arguments: arguments[0],
)
def test_a_narrow_terminal_that_knows_ascii_alone_is_enough(finished: Finished, arguments: list[str]) -> None:
    poor = {"LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "COLUMNS": "40"}
    where = [] if arguments[0] == "list" else ["--out", str(finished.out)]
    done = subprocess.run(
        [sys.executable, "-m", "ferbench.cli.main", *arguments, *where],
        env=os.environ | poor,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode("ascii")
    assert "small-cnn" in text or "nearest" in text
    assert b"Traceback" not in done.stderr


def test_a_folder_whose_name_is_no_text_is_refused(run: Callable[..., Outcome], tmp_path: Path) -> None:
    refused = run(tmp_path / os.fsdecode(b"caf\xe9"), "-m", "nearest")
    assert refused.code == 2
    assert "holds bytes that are no Unicode text" in refused.err
    assert run(tmp_path / "café ☕", "-m", "nearest").code == 0
