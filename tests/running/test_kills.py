"""kill -9 of a cell, of the parent, of both: nothing finished is lost, nobody is left behind, the end is the same.

FERBENCH_TEST_KILLS says at how many moments each is tried (3; the figures of the project were made with 10).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferbench.store.lease import read_holder
from ferbench.store.store import CellFolder, Store

PLUGIN = Path(__file__).with_name("kills_plugin.py")
KILLS = int(os.environ.get("FERBENCH_TEST_KILLS", "3"))
EPOCHS = 60
LIMIT_SECONDS = 100.0

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks for orphans in /proc"),
    pytest.mark.slow,
    pytest.mark.timeout(120 + 60 * KILLS),
]


class Victim:
    """A run in a process of its own, whose processes can all be found by a mark in their environment."""

    def __init__(self, folder: Path, slow: bool = False) -> None:
        self.out, self.mark = folder / "out", f"FERBENCH_TEST_MARK={uuid.uuid4().hex}"
        self.brake, self.log = folder / "brake", folder / "log.txt"
        name, _, value = self.mark.partition("=")
        paths = {"FERBENCH_DATA": str(folder / "data"), "FERBENCH_TEST_BRAKE": str(self.brake)}
        self.environment = os.environ | {name: value} | paths
        if slow:
            self.brake.touch()

    def start(self) -> subprocess.Popen[bytes]:
        """Start (or go on with) the run: a quick cell, and one that the brake can make slow."""
        arguments = ["run", "--suite", "kills", "--plugin", str(PLUGIN), "--out", str(self.out)]
        arguments += ["--device", "cpu", "--set", f"slow:recipe.epochs={EPOCHS}"]
        for setting in ("threads=1", "checkpoint_seconds=0", "retries=100", "probe=false"):
            arguments += ["--set", f"run.{setting}"]
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "ferbench.cli.main", *arguments]
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)

    def cell(self) -> CellFolder | None:
        """The slow cell, once its folder is there."""
        if not (self.out / "store.json").exists():
            return None
        return next((c for c in Store(self.out).cells if c.record["row"]["model"] == "slow"), None)

    def epochs(self) -> int:
        """Epochs that the slow cell has written down."""
        cell = self.cell()
        return len(cell.history()) if cell else 0

    def can_go_on(self) -> bool:
        """Whether the slow cell is being trained and has kept a state."""
        cell = self.cell()
        return cell is not None and self.holder() is not None and (cell.resume / "state.pt").exists()

    def holder(self) -> int | None:
        """The process that trains the slow cell."""
        cell = self.cell()
        found = read_holder(cell.path / "lease.json") if cell else None
        return int(str(found["pid"])) if found else None

    def processes(self) -> list[int]:
        """All living processes of this run."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                state = (path / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and self.mark.encode() in (path / "environ").read_bytes():
                    found.append(int(path.name))
            except OSError:
                continue
        return found


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def finish(victim: Victim, parent: subprocess.Popen[bytes] | None = None) -> np.ndarray:
    """Let the run end, at full speed; return the slow cell's predictions."""
    victim.brake.unlink(missing_ok=True)
    parent = parent or victim.start()
    assert parent.wait(LIMIT_SECONDS) == 0, victim.log.read_text()[-2000:]
    wait_for(lambda: not victim.processes(), "the end of all processes")
    cell = victim.cell()
    assert cell is not None
    assert len(cell.history()) == EPOCHS
    return cell.predictions().scores


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return finish(Victim(tmp_path_factory.mktemp("whole")))


def moments() -> list[int]:
    return [1 + round((EPOCHS - 4) * i / KILLS) for i in range(KILLS)]


def test_a_cell_that_is_killed_goes_on_where_it_stopped(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    victim = Victim(tmp_path, slow=True)
    parent = victim.start()
    for moment in moments():
        wait_for(lambda m=moment: victim.epochs() >= m and victim.can_go_on(), f"epoch {moment}")  # type: ignore[misc]
        holder = victim.holder()
        assert holder is not None
        os.kill(holder, signal.SIGKILL)
        wait_for(lambda h=holder: victim.holder() not in (None, h), "the next try")  # type: ignore[misc]
    np.testing.assert_array_equal(finish(victim, parent), uninterrupted)
    cell = victim.cell()
    assert cell is not None
    assert (cell.path / "log.txt").read_text().count("Going on after epoch") == len(moments())


@pytest.mark.parametrize("both", [False, True], ids=["parent", "parent and cell"])
def test_a_parent_that_is_killed_leaves_nobody_and_loses_nothing(
    tmp_path: Path, uninterrupted: np.ndarray, both: bool
) -> None:
    victim = Victim(tmp_path, slow=True)
    for moment in moments():
        parent = victim.start()
        wait_for(lambda m=moment: victim.epochs() >= m and victim.can_go_on(), f"epoch {moment}")  # type: ignore[misc]
        holder = victim.holder()
        if both and holder:
            os.kill(holder, signal.SIGKILL)
        parent.kill()
        parent.wait()
        wait_for(lambda: not victim.processes(), "the end of all processes")
        states = {c.record["row"]["model"]: c.state for c in Store(victim.out).cells}
        assert states["majority"] == "done"
        assert victim.epochs() >= moment
    np.testing.assert_array_equal(finish(victim), uninterrupted)
    log = victim.log.read_text()
    assert "Suite kills: 2 cells, 1 already done, 1 to go on where it stopped" in log


def test_a_fork_server_that_is_killed_is_replaced(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    victim = Victim(tmp_path, slow=True)
    parent = victim.start()
    wait_for(lambda: victim.epochs() >= 3, "epoch 3")
    server = next(
        pid
        for pid in victim.processes()
        if b"ferbench.running.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes() and pid != victim.holder()
    )
    os.kill(server, signal.SIGKILL)
    np.testing.assert_array_equal(finish(victim, parent), uninterrupted)


def test_an_interrupt_stops_cleanly_and_says_how_to_go_on(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    victim = Victim(tmp_path, slow=True)
    parent = victim.start()
    wait_for(lambda: victim.epochs() >= 3, "epoch 3")
    parent.send_signal(signal.SIGINT)
    assert parent.wait(30) == 130
    wait_for(lambda: not victim.processes(), "the end of all processes")
    assert "The same command goes on from there" in victim.log.read_text()
    assert "Traceback" not in victim.log.read_text()
    np.testing.assert_array_equal(finish(victim), uninterrupted)


def test_two_runs_on_one_folder_train_each_cell_once(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    victim = Victim(tmp_path, slow=True)
    parents = [victim.start(), victim.start()]
    wait_for(lambda: victim.log.read_text().count("Suite kills: ") == 2, "both runs")
    victim.brake.unlink()
    assert [parent.wait(LIMIT_SECONDS) for parent in parents] == [0, 0], victim.log.read_text()[-2000:]
    cell = victim.cell()
    assert cell is not None
    assert cell.status["attempts"] == 1
    np.testing.assert_array_equal(cell.predictions().scores, uninterrupted)
