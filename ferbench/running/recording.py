"""What a run writes into a store before it trains, and what of former runs it takes away."""

from __future__ import annotations

from datetime import UTC, datetime

from ferbench.auditing.keeping import join_results
from ferbench.data.table import write_table
from ferbench.running.planned import Plan, PlannedCell
from ferbench.store.files import is_parquet, remove_tree, write_json
from ferbench.store.lease import is_live
from ferbench.store.store import Store


def record_run(plan: Plan, store: Store, command: str = "") -> str:
    """Write data set tables and ``runs/<id>.json``; ids count up, so that a clock that jumps changes nothing."""
    rows = [cell.record["row"] for cell in plan.cells]
    for loaded in plan.tables.values():
        path = store.dataset_table(loaded.fingerprint)
        if not is_parquet(path):
            path.unlink(missing_ok=True)
        used = dict.fromkeys(row["protocol"] for row in rows if row["dataset"] == loaded.dataset.name)
        write_table(loaded, path, tuple(used))
        join_results(loaded, store)
    run_id = store.new_run_id()
    store.write_run(
        {
            "schema": 1,
            "id": run_id,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "suite": plan.suite.model_dump(mode="json"),
            "run": plan.run.model_dump(mode="json"),
            "cells": [cell.id for cell in plan.cells],
            "rows": plan.names,
            "skipped": [{"what": item.what, "why": item.why} for item in plan.skipped],
        }
    )
    return run_id


def mend(store: Store, cell: PlannedCell) -> list[str]:
    """Remove a cell's damaged files, so that the run makes them anew, and write ``cell.json`` if it is not there.

    Returns the names of what was damaged. A cell that another run is training is left alone.
    """
    folder = store.cell(cell.id)
    broken = [] if is_live(folder.path / "lease.json") else folder.damaged()
    for path in broken:
        path.unlink(missing_ok=True)
    if not (folder.path / "cell.json").exists():
        write_json(folder.path / "cell.json", cell.record)
    return [path.name for path in broken]


def discard(store: Store, cell: PlannedCell) -> None:
    """Forget a cell's results (``--fresh``), unless another run is training it right now."""
    folder = store.cell(cell.id)
    if not is_live(folder.path / "lease.json"):
        remove_tree(folder.path)
