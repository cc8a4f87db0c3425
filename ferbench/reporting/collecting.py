"""From the cells of one or several stores to rows: all cells that differ only in seed and fold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ferbench.errors import StoreError
from ferbench.reporting.board import Failure
from ferbench.reporting.rows import Cell, Row, assemble
from ferbench.store.store import Store


@dataclass
class Collected:
    """Everything that the stores hold of the wanted rows."""

    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unfinished: int = 0
    planned: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    suites: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Names that the suite gives its rows, by row id."""


def collect(outs: Sequence[Path], run: str | None = None, beside: Sequence[Path] = ()) -> Collected:
    """Read the rows of a run (default: each store's latest) from one or several stores.

    A row also takes cells of earlier runs that differ from the run's own only in seed and fold. Cells of other code
    are never mixed in: the run's own code wins where it has results, else the newest that finished. All finished rows
    of the stores ``beside`` come with them. Raises StoreError when a folder is no store, or when none knows the run.
    """
    found = Collected()
    wanted: dict[str, None] = {}
    cells: dict[str, Cell] = {}
    stores = [Store(out) for out in outs]
    if run is not None and not any(run in store.run_ids() for store in stores):
        known = sorted({run_id for store in stores for run_id in store.run_ids()})
        raise StoreError(f"There is no run {run!r}. Known: {', '.join(known) or 'none'}.")
    for store in stores:
        here = _read_cells(store, found.failures)
        wanted |= dict.fromkeys(_wanted(store, run, here, found))
        for cell in here:
            if cell.id not in cells or (cell.done and not cells[cell.id].done):
                cells[cell.id] = cell
    asked = [cells[identity] for identity in wanted if identity in cells]
    found.planned = len(wanted)
    found.unfinished = sum(identity not in cells or _open(cells[identity]) for identity in wanted)
    for store in map(Store, beside):
        others = {cell.id: cell for cell in _read_cells(store, []) if cell.done and cell.id not in cells}
        cells |= others
        asked += others.values()
    by_row: dict[str, list[Cell]] = {}
    for cell in cells.values():
        by_row.setdefault(cell.record["row_id"], []).append(cell)
    for cell in asked:
        if is_inner(cell.record) and cell.status["state"] == "failed":
            found.failures.append(Failure(cell.id, str(cell.record["label"]), str(cell.status.get("cause", ""))))
    for row_id in dict.fromkeys(cell.record["row_id"] for cell in asked if not is_inner(cell.record)):
        _add_row(row_id, by_row[row_id], set(wanted), cells, found)
    return found


def is_inner(record: Mapping[str, Any]) -> bool:
    """Whether a cell only serves out-of-fold scores: its test samples are training samples of its row's others."""
    return bool(record["row"].get("inner"))


def _open(cell: Cell) -> bool:
    return cell.status["state"] in ("planned", "running")


def _read_cells(store: Store, failures: list[Failure]) -> list[Cell]:
    cells = []
    for folder in store.cells:
        try:
            record = folder.record
            cells.append(Cell(folder, store.out, record, folder.status))
        except StoreError as error:
            failures.append(Failure(folder.id, folder.id, str(error)))
    return cells


def _wanted(store: Store, run: str | None, cells: Iterable[Cell], found: Collected) -> list[str]:
    """Ids of the run's cells; all cells of a store that has no run."""
    known = store.run_ids()
    if not known:
        return [cell.id for cell in cells]
    if run is not None and run not in known:
        return []
    facts = store.run(run)
    found.runs.append(str(facts["id"]))
    found.names |= {str(row): str(name) for row, name in facts.get("rows", {}).items()}
    suite = facts.get("suite", {})
    found.suites.append(str(suite.get("name", "")))
    found.metrics += [str(name) for name in suite.get("metrics", []) if name not in found.metrics]
    found.skipped += [(str(item["what"]), str(item["why"])) for item in facts.get("skipped", [])]
    return [str(identity) for identity in facts["cells"]]


def _code_of(cell: Cell, cells: Mapping[str, Cell]) -> str:
    """What a cell ran: engine and source hashes, its own and those of the cells that it requires."""
    record = cell.record
    required = {role: cells[i] for role, i in record["requires"].items() if i in cells}
    parts = {role: _code_of(needed, cells) for role, needed in required.items()}
    return json.dumps([record["engine"], record["sources"], parts], sort_keys=True)


def _add_row(row_id: str, same: list[Cell], wanted: set[str], cells: Mapping[str, Cell], found: Collected) -> None:
    by_code: dict[str, list[Cell]] = {}
    for cell in same:
        by_code.setdefault(_code_of(cell, cells), []).append(cell)

    def freshness(group: list[Cell]) -> tuple[bool, bool, str]:
        done = [cell for cell in group if cell.done]
        return bool(done), any(cell.id in wanted for cell in done), max((_ended(cell) for cell in done), default="")

    chosen = max(by_code.values(), key=freshness)
    shown = {cell.id: cell for cell in same if cell.id in wanted} | {cell.id: cell for cell in chosen}
    failed = [cell for cell in shown.values() if cell.status["state"] == "failed"]
    found.failures += [
        Failure(cell.id, str(cell.record["label"]), str(cell.status.get("cause", ""))) for cell in failed
    ]
    row = assemble(row_id, chosen, found.failures)
    if row is not None:
        found.rows.append(replace(row, name=found.names.get(row_id, "")))


def _ended(cell: Cell) -> str:
    return str(cell.status.get("ended") or "")
