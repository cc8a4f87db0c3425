"""Running a plan's cells as processes on this machine's slots."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ferbench.nouns.suite import RunSettings
from ferbench.running.cell_codes import CRASHED, FAILED, HELD, STORE_FAULT
from ferbench.running.launch import Launcher
from ferbench.running.planned import PlannedCell
from ferbench.store.files import write_json
from ferbench.store.store import CellFolder, State, Store

GRACE_SECONDS = 10.0
HELD_SECONDS = 2.0
POLL_SECONDS = 0.2


@dataclass
class Slot:
    """A place where one cell runs: a GPU, or a share of the CPU. ``environment`` is what its process is given."""

    name: str
    environment: Mapping[str, str]
    cell: PlannedCell | None = None
    started: float = 0.0
    terminated: float | None = None

    @property
    def device(self) -> str:
        """The device as the slot's process names it."""
        return "cpu" if self.name.startswith("cpu") else "cuda"


@dataclass
class Board:
    """What the live view shows: where every cell stands."""

    states: dict[str, State]
    slots: list[Slot]
    started: float = field(default_factory=time.monotonic)


def make_slots(run: RunSettings, cuda: Sequence[str]) -> list[Slot]:
    """One slot a job; GPUs are dealt out in turn, CPU threads are divided.

    A cell sees the GPU of its slot alone, as its first; ``cuda`` are the names of those that this process may use.
    """
    if run.device == "cpu" or (run.device == "auto" and not cuda):
        return [Slot(f"cpu {index}", {"CUDA_VISIBLE_DEVICES": ""}) for index in range(run.jobs)]
    wanted = run.device.partition(":")[2]
    indices = [int(wanted)] * run.jobs if wanted else [job % len(cuda) for job in range(run.jobs)]
    return [Slot(f"cuda:{index}", {"CUDA_VISIBLE_DEVICES": visible_name(index)}) for index in indices]


def visible_name(index: int) -> str:
    """How the GPU that this process counts as ``index`` is named in ``CUDA_VISIBLE_DEVICES``."""
    given = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return given[index] if index < len(given) else str(index)


class Executor:
    """Runs cells until none is left; a fault of one never touches another."""

    def __init__(
        self,
        store: Store,
        cells: Sequence[PlannedCell],
        run: RunSettings,
        launcher: Launcher,
        slots: list[Slot],
        finished: Callable[[PlannedCell, State], None],
    ) -> None:
        self.store, self.run, self.launcher, self.finished = store, run, launcher, finished
        self.cells = {cell.id: cell for cell in cells}
        self.board = Board({cell.id: "planned" for cell in cells}, slots)
        self.waiting: deque[PlannedCell] = deque(cells)
        self.not_before: dict[str, float] = {}
        self.tries: dict[str, int] = {}

    def run_all(self, show: Callable[[Board], None]) -> None:
        """Run every cell; ``show`` is called several times a second."""
        while self.waiting or any(slot.cell for slot in self.board.slots):
            self._fill()
            show(self.board)
            for key, code in self.launcher.ended(POLL_SECONDS).items():
                self._ended(key, code)
            self._enforce_timeout()
        show(self.board)

    def stop(self) -> None:
        """End all running cells: first kindly, then for good. What they kept stays."""
        deadline = time.monotonic() + GRACE_SECONDS / 2
        for number in (signal.SIGTERM, signal.SIGKILL):
            for slot in self.board.slots:
                if slot.cell:
                    self.launcher.signal(slot.cell.id, number)
            while any(slot.cell for slot in self.board.slots) and time.monotonic() < deadline:
                for key in self.launcher.ended(POLL_SECONDS):
                    self._free(key)

    def _fill(self) -> None:
        for slot in self.board.slots:
            while slot.cell is None and (cell := self._next()) is not None:
                self._start(slot, cell)

    def _next(self) -> PlannedCell | None:
        """The first waiting cell whose requirements are done; dependants of failed ones fail with that cause."""
        for cell in list(self.waiting):
            states = {needed: self._state(needed) for needed in cell.requires}
            failed = next((needed for needed, state in states.items() if state == "failed"), None)
            if failed:
                self.waiting.remove(cell)
                cause = self.store.cell(failed).status.get("cause", "")
                name = self.store.cell(failed).record["label"]
                self._settle(cell, "failed", f"the required cell {failed} ({name}) failed: {cause}")
                continue
            ready = all(state == "done" for state in states.values())
            if ready and self.not_before.get(cell.id, 0.0) <= time.monotonic():
                self.waiting.remove(cell)
                return cell
        return None

    def _state(self, cell_id: str) -> State:
        return self.board.states.get(cell_id) or self.store.cell(cell_id).state

    def _start(self, slot: Slot, cell: PlannedCell) -> None:
        folder = self.store.cell(cell.id)
        if folder.state == "done":  # another run finished it meanwhile
            self._settle(cell, "done")
            return
        record = cell.record | {"run": cell.record["run"] | {"device": slot.device}}
        write_json(folder.path / "cell.json", record)
        slot.cell, slot.started, slot.terminated = cell, time.monotonic(), None
        self.board.states[cell.id] = "running"
        self.launcher.start(cell.id, "cell", str(folder.path.absolute()), slot.environment, folder.path / "log.txt")

    def _free(self, key: str) -> Slot | None:
        slot = next((slot for slot in self.board.slots if slot.cell and slot.cell.id == key), None)
        if slot:
            slot.cell = None
        return slot

    def _ended(self, key: str, code: int) -> None:
        slot = self._free(key)
        if slot is None:
            return
        cell, folder = self.cells[key], self.store.cell(key)
        if folder.state == "done":  # whatever ended its process afterwards
            self._settle(cell, "done")
        elif slot.terminated is not None:
            self._settle(cell, "failed", f"ran longer than run.timeout_minutes = {self.run.timeout_minutes}")
        elif code == HELD:
            self.not_before[key] = time.monotonic() + HELD_SECONDS
            self.board.states[key] = "planned"
            self.waiting.append(cell)
        elif code == FAILED:
            self._settle(cell, "failed", folder.status.get("cause", ""))
        elif code in (STORE_FAULT, CRASHED):
            self._settle(cell, "failed", last_line(folder))
        else:
            self._retry(cell, code)

    def _retry(self, cell: PlannedCell, code: int) -> None:
        """A fault of the machine, not of the method: try again, from where the cell stood."""
        self.tries[cell.id] = self.tries.get(cell.id, 0) + 1
        if self.tries[cell.id] <= self.run.retries:
            self.board.states[cell.id] = "planned"
            self.waiting.appendleft(cell)
            return
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        often = " (often: the machine ran out of memory)" if code == -signal.SIGKILL else ""
        self._settle(
            cell,
            "failed",
            f"its process was {how}{often}, {self.tries[cell.id]} times: {last_line(self.store.cell(cell.id))}",
        )

    def _settle(self, cell: PlannedCell, state: State, cause: str = "") -> None:
        folder = self.store.cell(cell.id)
        if state == "failed":
            if not (folder.path / "cell.json").exists():
                write_json(folder.path / "cell.json", cell.record)
            folder.set_status("failed", cause=cause)
        self.board.states[cell.id] = state
        self.finished(cell, state)

    def _enforce_timeout(self) -> None:
        if self.run.timeout_minutes is None:
            return
        now = time.monotonic()
        for slot in self.board.slots:
            if slot.cell is None:
                continue
            if slot.terminated is None and now - slot.started > self.run.timeout_minutes * 60:
                slot.terminated = now
                self.launcher.signal(slot.cell.id, signal.SIGTERM)
            elif slot.terminated is not None and now - slot.terminated > GRACE_SECONDS:
                self.launcher.signal(slot.cell.id, signal.SIGKILL)


def last_line(folder: CellFolder) -> str:
    """The last line that a cell wrote into its log."""
    try:
        lines = (folder.path / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else "it left no message"
