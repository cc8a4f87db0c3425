"""The ledger of a store: every time that scores of test samples came into it, and by which cell.

A test set that is looked at again and again is no longer unseen: the best of many tries is too good by chance alone.
Each cell has a file of its own, ``test-uses/<cell-id>.jsonl``, to which a line is added: nothing is ever taken away, so
that cells that are trained anew or removed still count, and runs that share a folder do not disturb each other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ferbench.errors import StoreError
from ferbench.store.files import disk_faults
from ferbench.store.store import CellFolder, Store

Kind = Literal["training", "evaluation", "ensemble", "import", "merge", "unlisted"]
"""How the scores came: ``merge`` and ``import`` from elsewhere; ``unlisted``: a finished cell that has no entry."""


@dataclass(frozen=True)
class Use:
    """One use of a test side; ``times`` is above 1 where each epoch was tested. ``when``: in UTC."""

    cell: str
    kind: Kind
    dataset: str
    protocol: str
    fingerprint: str
    times: int = 1
    when: str = ""


def note_use(out: Path, use: Use) -> None:
    """Add a line to the ledger. Raises StoreError."""
    path = out / "test-uses" / f"{use.cell}.jsonl"
    facts = {**asdict(use), "when": datetime.now(UTC).isoformat(timespec="seconds")}
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, (json.dumps(facts, ensure_ascii=False) + "\n").encode())  # one write, so that none mix
        finally:
            os.close(handle)


def note_cell(folder: CellFolder, kind: Kind) -> None:
    """Add a cell's own test scores. Those of inner folds are of training samples, and no use of a test side."""
    record = folder.record
    row = record["row"]
    if row.get("inner"):
        return
    times = max(1, len(folder.history())) if row["recipe"].get("selection") == "oracle" else 1
    where = (row["dataset"], row["protocol"], row["fingerprint"])
    note_use(folder.path.parent.parent, Use(folder.id, kind, *where, times=times))


def uses_in(store: Store) -> list[Use]:
    """Every use that the ledger has, and finished cells of which it has none. What is damaged in it is left out."""
    folder = store.out / "test-uses"
    found: list[Use] = []
    for path in sorted(folder.glob("*.jsonl")) if folder.exists() else []:
        found += _read(path)
    known = {use.cell for use in found}
    for cell in store.cells:
        if cell.id in known:
            continue
        try:
            row, done = cell.record["row"], cell.state == "done"
        except StoreError:
            continue  # the leaderboard names it among the failures
        if done and not row.get("inner"):
            found.append(Use(cell.id, "unlisted", row["dataset"], row["protocol"], row["fingerprint"]))
    return found


def _read(path: Path) -> Sequence[Use]:
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            facts: Any = json.loads(line)
            found.append(Use(**{**facts, "times": int(facts["times"])}))
        except (ValueError, TypeError, KeyError):
            continue  # a line that a crash cut short
    return found
