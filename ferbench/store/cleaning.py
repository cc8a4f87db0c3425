"""Freeing disk space by a stated policy. Predictions and metrics always stay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ferbench.store.files import disk_faults, remove_tree
from ferbench.store.lease import is_live
from ferbench.store.marks import selection_of
from ferbench.store.store import CellFolder, Store

Policy = Literal["ranked", "none"]
"""``ranked``: keep the chosen weights of finished cells whose rows can be ranked, and of cells that others require;
``none``: keep no weights."""


@dataclass(frozen=True)
class Freed:
    """A file or folder to free, why, and its size in bytes."""

    path: Path
    why: str
    size: int


def to_free(store: Store, policy: Policy) -> list[Freed]:
    """What ``policy`` frees, largest first. Cells that a living process holds are left alone."""
    cells = list(store.cells)
    # Of an inner fold (``role/1-of-5``) others need the predictions alone.
    required = {key for cell in cells for role, key in cell.record["requires"].items() if "/" not in role}
    found: list[Freed] = []
    for cell in cells:
        if not is_live(cell.path / "lease.json"):
            found += _of_cell(cell, policy, required)
    return sorted((item for item in found if item.size), key=lambda item: -item.size)


def free(items: list[Freed]) -> None:
    """Remove what :func:`to_free` found. Raises StoreError when something cannot be removed."""
    for item in items:
        with disk_faults(item.path):
            remove_tree(item.path) if item.path.is_dir() else item.path.unlink(missing_ok=True)


def _of_cell(cell: CellFolder, policy: Policy, required: set[str]) -> list[Freed]:
    best, last = cell.path / "best.safetensors", cell.path / "last.safetensors"
    if cell.state == "failed":
        return [_item(path, "of a failed cell") for path in (best, last, cell.resume)]
    if cell.state != "done":
        return []
    found = [_item(cell.resume, "of a finished training")]
    if policy == "none":
        return [*found, _item(best, "weights"), _item(last, "weights")]
    found.append(_item(last, "last weights of a finished training"))
    if not _can_rank(cell.record) and cell.id not in required:
        inner = bool(cell.record["row"].get("inner"))
        found.append(_item(best, "of an inner fold" if inner else "of a row that is not ranked"))
    return found


def _can_rank(record: dict[str, Any]) -> bool:
    row = record["row"]
    return (
        not row.get("inner")
        and row["limit"] is None
        and not row.get("small")
        and not record["facts"]["partial"]
        and selection_of(record) != "oracle"
    )


def _item(path: Path, why: str) -> Freed:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()] if path.exists() else []
    return Freed(path, why, sum(p.stat().st_size for p in files))
