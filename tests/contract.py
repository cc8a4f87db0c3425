"""Runs of the contract plugin (``contract_plugin.py``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ferbench
from ferbench.running.api import RunResult
from ferbench.running.launch import Launcher
from ferbench.store.store import CellFolder, Store

PLUGIN = Path(__file__).with_name("contract_plugin.py")


class Borrowed:
    """A launcher that several runs use in turn, and none of them closes."""

    def __init__(self, launcher: Launcher) -> None:
        self.start, self.ended, self.signal = launcher.start, launcher.ended, launcher.signal

    def close(self) -> None:
        """Leave it to its owner."""


class Contract:
    """Runs of the suite ``contract`` in one folder."""

    def __init__(self, folder: Path, launcher: Callable[[], Launcher]) -> None:
        self.launcher = launcher
        self.out = folder / "out"
        self.seen = folder / "seen.json"

    def run(self, out: Path | None = None, **arguments: Any) -> RunResult:
        """Run the suite with these arguments, on the CPU with one thread."""
        settings = {"run.threads": 1, "run.probe": False} | arguments.pop("set", {})
        plugins = [PLUGIN, *arguments.pop("plugins", ())]
        return ferbench.run("contract", out=out or self.out, plugins=plugins, device="cpu", set=settings, **arguments)

    def cells(self, result: RunResult) -> list[CellFolder]:
        """All cells of a run."""
        store = Store(result.out)
        return [store.cell(key) for key in store.run(result.run_id)["cells"]]

    def cell(self, result: RunResult, **wanted: Any) -> CellFolder:
        """The first cell whose row key has these values."""
        return next(c for c in self.cells(result) if all(c.record["row"][k] == v for k, v in wanted.items()))
