"""Further data sets on which a run's cells are scored: a suite's ``evaluate_on``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ferbench.errors import FerbenchError
from ferbench.plugins import Installed, discover
from ferbench.running.executor import Slot
from ferbench.running.launch import Launcher
from ferbench.running.planned import PlannedCell
from ferbench.store.files import read_json, write_json
from ferbench.store.store import CellFolder, Store


@dataclass(frozen=True)
class Elsewhere:
    """A data set on which cells are scored too. ``files``: plugins in single files that it may need."""

    name: str
    files: tuple[Path, ...] = ()


def fitting_cells(cells: Sequence[PlannedCell], installed: Installed, name: str) -> list[str]:
    """Ids of the cells whose data set has the task and modality of the one that ``name`` means."""
    other, _ = installed.place(name)
    own = {cell.id: installed.dataset(cell.record["row"]["dataset"]) for cell in cells}
    return [key for key, data in own.items() if (data.task, data.modality) == (other.task, other.modality)]


def score_elsewhere(store: Store, cells: Sequence[str], other: Elsewhere, launcher: Launcher, slot: Slot) -> list[str]:
    """Score finished cells on another data set, in a process of its own; return what went wrong, a line a cell."""
    with TemporaryDirectory(prefix="ferbench-elsewhere-") as folder:
        request, log = Path(folder) / "request.json", Path(folder) / "log.txt"
        told = {"out": str(store.out.absolute()), "cells": list(cells), "device": slot.device}
        write_json(request, {**told, "dataset": other.name, "files": [str(file) for file in other.files]})
        entry = f"ferbench.running.elsewhere:score {request}"
        launcher.start("elsewhere", "call", entry, slot.environment, log)
        while "elsewhere" not in (ended := launcher.ended(0.5)):
            pass
        faults = request.with_suffix(".faults")
        if ended["elsewhere"] == 0 and faults.exists():
            return [str(fault) for fault in json.loads(faults.read_text(encoding="utf-8"))]
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] if log.exists() else []
        return [f"{other.name}: scoring ended with code {ended['elsewhere']} ({''.join(last) or 'no message'})"]


def score(argument: str) -> int:
    """Entry of that process: score the cells that the request file ``argument`` lists, and write what went wrong."""
    from ferbench.evaluating.further import Wanted, evaluate_cell, find_other

    path = Path(argument)
    request = read_json(path)
    store, files = Store(Path(request["out"])), [Path(file) for file in request["files"]]
    other = find_other(discover(files=files), request["dataset"])
    faults = []
    for folder in _concerned(store, request["cells"], other[0].dataset.name, other[1].name):
        try:
            evaluate_cell(folder, Wanted(other=other), request["device"])
        except FerbenchError as error:
            faults.append(f"{folder.record['label']} on {request['dataset']}: {error}")
    path.with_suffix(".faults").write_text(json.dumps(faults), encoding="utf-8")
    return 0


def _concerned(store: Store, cells: Sequence[str], dataset: str, protocol: str) -> Iterator[CellFolder]:
    """Finished cells that have a model here, and whose own test side is another one."""
    from ferbench.evaluating.further import Wanted, misfit

    for key in cells:
        folder = store.cell(key)
        row = folder.record["row"]
        if (row["dataset"], row["protocol"]) != (dataset, protocol) and not misfit(folder, Wanted()):
            yield folder
