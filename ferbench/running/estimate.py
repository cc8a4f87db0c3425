"""How long a plan will take: from finished cells of the same row, else from a timed probe of each row."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ferbench.running.executor import Slot
from ferbench.running.launch import Launcher
from ferbench.running.planned import PlannedCell
from ferbench.store.files import write_json
from ferbench.store.store import Store

PROBE_SECONDS = 90.0
ABSURD_HOURS = 10.0
"""A single cell beyond this is hardly meant for the device at hand."""


@dataclass(frozen=True)
class Estimate:
    """Seconds of one cell of each row; rows that cannot be timed (estimators, failed probes) are left out."""

    seconds: dict[str, float]

    def total(self, cells: Sequence[PlannedCell], jobs: int) -> float:
        """Seconds of all ``cells`` together, ``jobs`` at a time."""
        return sum(self.seconds.get(cell.record["row_id"], 0.0) for cell in cells) / jobs

    def unknown(self, cells: Sequence[PlannedCell]) -> int:
        """Number of cells that could not be timed."""
        return sum(cell.record["row_id"] not in self.seconds for cell in cells)

    def absurd(self, cells: Sequence[PlannedCell]) -> list[str]:
        """A warning for every row whose cell takes longer than any user means it to."""
        rows = {cell.record["row_id"]: cell for cell in cells}
        return [
            f"{cell.record['row']['model']} takes about {self.seconds[row] / 3600:.0f} h a seed on this device: "
            f"a GPU, fewer epochs (--epochs) or a subset (--limit) would help."
            for row, cell in rows.items()
            if self.seconds.get(row, 0.0) > ABSURD_HOURS * 3600
        ]


def estimate(store: Store | None, cells: Sequence[PlannedCell], launcher: Launcher, slot: Slot) -> Estimate:
    """Estimate the rows of ``cells``; each network's row that has no finished cell is timed for a few seconds."""
    seconds = _finished(store, slot.device) if store else {}
    for cell in {cell.record["row_id"]: cell for cell in cells}.values():
        if cell.record["row_id"] not in seconds and cell.network:
            known = _probe(cell, launcher, slot)
            if known is not None:
                seconds[cell.record["row_id"]] = known
    return Estimate(seconds)


def _finished(store: Store, device: str) -> dict[str, float]:
    """Seconds of finished cells on this kind of device, by row."""
    found: dict[str, float] = {}
    for cell in store.cells:
        if cell.state == "done" and cell.environment.get("device") == device:
            found[cell.record["row_id"]] = float(cell.status.get("seconds", 0.0))
    return found


def _probe(cell: PlannedCell, launcher: Launcher, slot: Slot) -> float | None:
    key = f"probe {cell.id}"
    with TemporaryDirectory(prefix="ferbench-probe-") as folder:
        path, log = Path(folder), Path(folder) / "log.txt"
        write_json(path / "cell.json", cell.record | {"run": cell.record["run"] | {"device": slot.device}})
        launcher.start(key, "probe", str(path), slot.environment, log)
        deadline = time.monotonic() + PROBE_SECONDS
        while key not in (ended := launcher.ended(0.1)):
            if time.monotonic() > deadline:
                launcher.signal(key, signal.SIGKILL)
        if ended[key] != 0:
            return None
        timed = json.loads(log.read_text(encoding="utf-8").strip().splitlines()[-1])
    return _seconds(cell, timed["train"], timed["test"])


def _seconds(cell: PlannedCell, train: float, test: float) -> float:
    """Training, a val pass at every look, and a final pass over val, test and part of train."""
    facts, recipe = cell.record["facts"], cell.record["row"]["recipe"]
    epoch = facts["n_train"] * train + facts["n_val"] * test / recipe["val_every"]
    return float(facts["epochs"] * epoch + 2 * facts["n_test"] * test)
