"""Commands as users give them, and a folder with a finished run."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ferbench.cli.main import main
from ferbench.running import checkup
from ferbench.store.store import CellFolder, Store
from tests.contract import Contract


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.out)


Command = Callable[..., Outcome]


@pytest.fixture
def ferbench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """``ferbench("list", "models")`` runs that command in this process, as its entry point would."""
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ferbench", *map(str, arguments)])
        capsys.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    yield call
    signal.signal(signal.SIGTERM, handler)


@dataclass(frozen=True)
class Finished:
    """A folder with one finished run of two seeds; every test gets a copy of its own."""

    out: Path
    run_id: str

    def cell(self, model: str, seed: int = 0) -> CellFolder:
        """The cell of a model and seed."""
        return next(
            cell
            for cell in Store(self.out).cells
            if cell.record["row"]["model"] == model and cell.record["seed"] == seed
        )


@pytest.fixture(scope="session")
def finished_once(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A network, one that requires it, an estimator, and a method that fails."""
    out = tmp_path_factory.mktemp("finished") / "out"
    result = contract.run(out, models=["tiny", "student", "nearest", "raising"], seeds=2)
    return Finished(out, result.run_id)


@pytest.fixture
def finished(finished_once: Finished, tmp_path: Path) -> Finished:
    """A copy of the finished run, to do with as one likes."""
    shutil.copytree(finished_once.out, tmp_path / "out")
    return Finished(tmp_path / "out", finished_once.run_id)


@pytest.fixture
def quick_doctor(monkeypatch: pytest.MonkeyPatch, contract: Contract) -> None:
    """A doctor who borrows the launcher of the other tests: one of his own takes seconds to start."""
    monkeypatch.setattr(checkup, "make_launcher", contract.launcher)
