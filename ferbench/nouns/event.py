"""What observers of a run are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunEvent:
    """A run began or ended. ``cells`` are the ids of all its cells, ``out`` the folder of the store."""

    out: Path
    run_id: str
    suite: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class CellEvent:
    """A cell ended. ``state`` is ``done``, ``failed`` or ``skipped``; everything else is in its folder."""

    out: Path
    run_id: str
    cell_id: str
    state: str
    folder: Path
