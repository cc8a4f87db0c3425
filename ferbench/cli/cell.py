"""``ferbench cell``: the entry of a cell's process for executors that start it themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def cell(path: Annotated[Path, typer.Argument(help="Folder of a cell, with its cell.json.")]) -> None:
    """Train the cell in a folder (used by executors).

    Example:  ferbench cell ferbench-runs/cells/0123456789abcdef0123
    """
    from ferbench.errors import StoreError
    from ferbench.running.cell import run_cell

    if not (path / "cell.json").exists():
        raise StoreError(f"{path} is no cell: it has no cell.json.")
    sys.exit(run_cell(path))
