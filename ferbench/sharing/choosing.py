"""Which cells of a store go into a pack, and why others do not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ferbench.errors import StoreError, UnknownNameError, did_you_mean
from ferbench.nouns.dataset import split_protocol
from ferbench.store.store import CellFolder, Store


@dataclass
class Chosen:
    """``cells``: those that go in, by id. ``left_out``: pairs of a cell's label and why it does not.

    ``missing``: ids of required cells that are not there or not done, and the label of a cell that requires each.
    """

    cells: dict[str, CellFolder] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def choose(
    store: Store,
    names: Sequence[str] = (),
    run: str | None = None,
    models: Sequence[str] = (),
    datasets: Sequence[str] = (),
    failed: bool = False,
) -> Chosen:
    """Choose finished cells, and those that they require.

    ``names``: beginnings of cell ids, or names of rows of a suite; ``run``: an id or ``latest``. What is named twice
    must fit both. What was trained for out-of-fold scores alone stays, and so do ensembles, which ``ferbench ensemble``
    joins again from their members. Raises UnknownNameError for a name that fits nothing, StoreError where nothing is
    left.
    """
    chosen = Chosen()
    known: dict[str, CellFolder] = {}
    for folder in store.cells:
        if folder.damaged():
            chosen.left_out.append((folder.id, f"{folder.damaged()[0].name} is damaged"))
        else:
            known[folder.id] = folder
    records = {key: folder.record for key, folder in known.items()}
    wanted = set(records)
    if run is not None:
        wanted &= set(store.run(None if run == "latest" else run)["cells"])
    if names:
        rows = _rows(store)
        wanted &= {key for name in names for key in _named(name, records, rows)}
    for option, given, full in (("-m", models, _model), ("-d", datasets, _place)):
        if given:
            wanted &= {key for name in given for key in _filtered(option, name, records, full)}
    for key in sorted(wanted):
        status = known[key].status
        if records[key]["row"].get("inner"):
            continue
        if records[key]["facts"].get("ensemble"):
            chosen.left_out.append((str(records[key]["label"]), "`ferbench ensemble` joins it again from its members"))
        elif status["state"] == "done" or (status["state"] == "failed" and failed):
            chosen.cells[key] = known[key]
        else:
            why = "failed" if status["state"] == "failed" else f"not finished ({status['state']})"
            chosen.left_out.append((str(records[key]["label"]), why))
    _add_required(chosen, known, records)
    if not chosen.cells:
        reasons = "".join(f"\n  {label}: {why}" for label, why in chosen.left_out[:10])
        raise StoreError(f"No finished cell in {store.out} is to be packed.{reasons}")
    return chosen


def _add_required(chosen: Chosen, known: Mapping[str, CellFolder], records: Mapping[str, Mapping[str, Any]]) -> None:
    waiting = list(chosen.cells)
    while waiting:
        record = records[waiting.pop()]
        for role, needed in record["requires"].items():
            if "/" in role or needed in chosen.cells:
                continue
            if needed in known and known[needed].state == "done":
                chosen.cells[needed] = known[needed]
                waiting.append(needed)
            else:
                chosen.missing[needed] = str(record["label"])


def _rows(store: Store) -> dict[str, set[str]]:
    """Row ids by the names that suites give them."""
    rows: dict[str, set[str]] = {}
    for run_id in store.run_ids():
        for row, names in store.run(run_id).get("rows", {}).items():
            for name in str(names).split(", "):
                rows.setdefault(name, set()).add(str(row))
    return rows


def _named(name: str, records: Mapping[str, Mapping[str, Any]], rows: Mapping[str, set[str]]) -> set[str]:
    if name in rows:
        return {key for key, record in records.items() if record["row_id"] in rows[name]}
    found = {key for key in records if key.startswith(name)} if re.fullmatch(r"[0-9a-f]{2,}", name) else set()
    if len(found) != 1:
        hint = did_you_mean(name, rows) or (f" Its rows are {', '.join(rows)}." if rows else "")
        what = f"{len(found)} cells have ids that begin with {name!r}" if found else f"{name!r} is no cell and no row"
        raise UnknownNameError(f"{what}.{hint} Cells are named by the beginning of their id; -m and -d choose more.")
    return found


def _filtered(
    option: str,
    name: str,
    records: Mapping[str, Mapping[str, Any]],
    full: Callable[[Mapping[str, Any]], str],
) -> Iterable[str]:
    """Cells whose model (data set) is called so, with or without its variant (protocol)."""
    names = {key: full(record["row"]) for key, record in records.items()}
    found = {key for key, each in names.items() if name in (each, split_protocol(each)[0])}
    if not found:
        known = sorted({text for each in names.values() for text in (each, split_protocol(each)[0])})
        there = f"{did_you_mean(name, known)} There are {', '.join(known)}."
        raise UnknownNameError(f"{option} {name}: no cell is of it.{there}")
    return found


def _model(row: Mapping[str, Any]) -> str:
    return f"{row['model']}@{row['variant']}" if row["variant"] else str(row["model"])


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['dataset']}@{row['protocol']}"
