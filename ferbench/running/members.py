"""The members of an ensemble: rows or cells of a store, checked to fit together, paired by seed and fold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferbench.errors import Problem, SettingsError, StoreError, UnknownNameError, did_you_mean
from ferbench.reporting.board import Failure
from ferbench.reporting.collecting import collect, is_inner
from ferbench.reporting.rows import Cell, Row, assemble
from ferbench.store.store import Store

CELL_ID = re.compile(r"[0-9a-f]{4,20}")
COMMON = ("dataset", "fingerprint", "protocol", "division", "limit", "small")
"""What members must share."""


@dataclass(frozen=True)
class Member:
    """A row, or one cell of it (``single``), under the name by which it was asked for."""

    name: str
    row: Row
    single: bool = False

    @property
    def cells(self) -> dict[tuple[int, int], Cell]:
        """Its cells by seed and fold."""
        return {(int(cell.record["seed"]), int(cell.record["fold"])): cell for cell in self.row.cells}


def find_members(out: Path, names: Sequence[str], place: str = "", run: str | None = None) -> list[Member]:
    """Look members up: beginnings of cell ids, or models (or named rows) of a run, on the data of ``place`` if given.

    Raises SettingsError when they do not fit together, UnknownNameError or StoreError for one that is not there.
    """
    rows = [row for row in collect([out], run).rows if _at(row, place)]
    members = [_member(Store(out), name, rows) for name in names]
    problems = []
    ids = [(member.row.id, *(cell.id for cell in member.row.cells)) for member in members]
    if len(members) < 2:
        problems.append(Problem("members", "an ensemble has two members or more"))
    if len(set(ids)) < len(ids):
        problems.append(Problem("members", "one is named twice"))
    if len({member.single for member in members}) > 1:
        problems.append(Problem("members", "name rows (by model) or cells (by id), not both"))
    problems += [
        Problem(member.name, f"its labels were not checked here ({member.row.unchecked}), nor would the ensemble's be")
        for member in members
        if member.row.unchecked
    ]
    for member in members[1:]:
        first, other = members[0].row.key, member.row.key
        different = [
            f"{key} {first.get(key)} and {other.get(key)}"
            for key in COMMON
            if (first.get(key) or None) != (other.get(key) or None)  # an older cell does not say that it is not small
        ]
        if different:
            problems.append(Problem(member.name, f"cannot join {members[0].name}: {', '.join(different)}"))
    if problems:
        raise SettingsError(problems, "These members make no ensemble")
    return members


def paired(members: Sequence[Member]) -> dict[tuple[int, int], list[Cell]]:
    """The cells that are joined, by seed and fold: seed i of each member; one without seeds goes with every seed.

    Raises SettingsError where the members share no seed.
    """
    if members[0].single:
        return {(0, 0): [member.row.cells[0] for member in members]}
    seeds = [set(member.row.seeds) for member in members if not _seedless(member)] or [{members[0].row.seeds[0]}]
    common = sorted(set.intersection(*seeds))
    if not common:
        told = ", ".join(f"{member.name}: {', '.join(map(str, member.row.seeds))}" for member in members)
        raise SettingsError([Problem("members", f"they share no seed ({told}); run them with the same --seeds")])
    return {
        (seed, fold): [_cell_of(member, seed, fold) for member in members]
        for seed in common
        for fold in range(members[0].row.folds)
    }


def used_part(member: Member, cells: Sequence[Cell]) -> Row:
    """The member's row, of those of its cells alone that were joined."""
    mine = {cell.id: cell for cell in cells if cell.id in {own.id for own in member.row.cells}}
    row = assemble(member.row.id, list(mine.values()), [])
    assert row is not None  # every cell of a row that was collected is there
    return row


def _seedless(member: Member) -> bool:
    return bool(member.row.facts.get("deterministic")) and len(member.row.seeds) == 1


def _cell_of(member: Member, seed: int, fold: int) -> Cell:
    return member.cells[(member.row.seeds[0] if _seedless(member) else seed, fold)]


def _at(row: Row, place: str) -> bool:
    dataset, protocol = row.key["dataset"], row.key["protocol"]
    return place in ("", dataset, f"@{protocol}", f"{dataset}@{protocol}")


def _member(store: Store, name: str, rows: Sequence[Row]) -> Member:
    found = [row for row in rows if name in (row.model, row.name)]
    if len(found) == 1:
        return Member(name, found[0])
    if found:
        listed = "".join(f"\n  {row.cells[0].record['label']}: cell {row.cells[0].id[:8]}" for row in found)
        raise UnknownNameError(
            f"{name!r} means {len(found)} rows of the run; narrow them with -d NAME@PROTOCOL, or name cells:{listed}"
        )
    if CELL_ID.fullmatch(name):
        folder = store.find(name)
        cell = Cell(folder, store.out, folder.record, folder.status)
        if not cell.done or is_inner(cell.record):
            why = "serves out-of-fold scores alone" if cell.done else f"is {folder.state}"
            raise StoreError(f"Cell {cell.id} ({cell.record['label']}) {why}; members must be finished.")
        if cell.record["folds"] > 1:
            raise StoreError(f"Cell {cell.id} is one of {cell.record['folds']} folds; name rows, which have them all.")
        faults: list[Failure] = []
        row = assemble(cell.record["row_id"], [cell], faults)
        if row is None:
            why = "".join(f" {fault.cause}" for fault in faults)
            raise StoreError(f"Cell {cell.id} ({cell.record['label']}) has no predictions that can be read.{why}")
        return Member(name, row, single=True)
    known: Mapping[str, None] = dict.fromkeys(text for row in rows for text in (row.model, row.name) if text)
    raise UnknownNameError(
        f"The run has no finished row {name!r}.{did_you_mean(name, known)} Rows: {', '.join(known) or 'none'}. "
        "Members may also be named by the beginnings of cell ids."
    )
