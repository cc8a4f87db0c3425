"""From the files of a store into MLflow, as often as one likes: a cell while a run goes on, or everything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ferbench.errors import StoreError
from ferbench.nouns.metric import Metric
from ferbench.plugins import Installed
from ferbench.reporting.board import Block, Leaderboard, Record
from ferbench.reporting.collecting import is_inner
from ferbench.reporting.leaderboard import build
from ferbench.store.store import Store
from ferbench.tracking.book import Book
from ferbench.tracking.cells import cell_entry, cell_key, read_cell, result_key, weights_of
from ferbench.tracking.database import make_database
from ferbench.tracking.entry import milliseconds
from ferbench.tracking.faults import explained
from ferbench.tracking.lock import Lock, store_id
from ferbench.tracking.results import ENDED, Told, reported_entry, result_entry, run_entry, run_key
from ferbench.tracking.target import Target, require_mlflow, sqlite_path, target_for
from ferbench.tracking.views import experiment_tags

STATE_TAG, WEIGHTS_TAG, RUN_TAG = "ferbench.state", "ferbench.weights", "ferbench.run"


@dataclass(frozen=True)
class Replayed:
    """What MLflow has now.

    ``experiments``: ids by suite, the one of the latest run last. ``written``: how many of its runs were new or
    changed. ``faults``: cells whose files cannot be read, which are left out.
    """

    target: Target
    experiments: Mapping[str, str]
    written: int
    faults: tuple[str, ...]


@dataclass
class _Suite:
    """The runs of one suite, newest first, and which of its rows belongs to which: the newest that has it."""

    runs: list[Mapping[str, Any]] = field(default_factory=list)
    cells: set[str] = field(default_factory=set)


class Replay:
    """Writes a store into MLflow. Raises TrackingError for whatever goes wrong there, StoreError for the store."""

    def __init__(self, out: Path, installed: Installed, weights: bool = False) -> None:
        require_mlflow()
        self.store, self.weights, self.installed = Store(out), weights, installed
        self.target = target_for(out)
        self.lock, self.identity = Lock(out), store_id(out)
        self.books: dict[str, Book] = {}
        self.faults: list[str] = []
        with explained(self.target):
            from mlflow.tracking import MlflowClient

            path = sqlite_path(self.target.uri)
            if path is not None:
                make_database(path)
            self.client = MlflowClient(self.target.uri)

    def cell(self, run_id: str, cell_id: str) -> None:
        """Write a cell that has just ended, before its row is known."""
        run = self.store.run(run_id)
        with explained(self.target), self.lock as stale:
            book = self._book(str(run["suite"]["name"]), stale)
            folder = self.store.cell(cell_id)
            told = Told(folder.record, folder.status)
            if is_inner(told.record):
                return
            if run_key(run_id) not in book.known:
                cells = self._told()
                book.open(run_entry(run, [cells[key] for key in run["cells"] if key in cells], None))
            row = str(told.record["row_id"])
            if result_key(row) not in book.known:
                book.open(result_entry([told], run_id, None))
            if told.state in ENDED:
                book.write(cell_entry(folder, told.record, told.status))

    def everything(self) -> Replayed:
        """Write all runs, rows and cells of the store; what MLflow has already is left as it is."""
        with explained(self.target), self.lock as stale:
            self.faults.clear()
            cells, suites = self._told(), self._suites()
            for name, suite in suites.items():
                self._suite(self._book(name, stale), suite, cells)
        written = sum(book.written for book in self.books.values())
        experiments = {name: self.books[name].id for name in reversed(suites)}
        return Replayed(self.target, experiments, written, tuple(self.faults))

    def _book(self, suite: str, stale: bool) -> Book:
        if stale:
            self.books.clear()
        if suite not in self.books:
            self.books[suite] = Book(self.client, self.target, f"ferbench {suite}", self.identity)
            self.books[suite].read()
        return self.books[suite]

    def _told(self) -> dict[str, Told]:
        found = {}
        for folder in self.store.cells:
            try:
                told = Told(folder.record, folder.status)
                if not is_inner(told.record):
                    found[folder.id] = told
            except StoreError as error:
                self.faults.append(str(error))
        return found

    def _suites(self) -> dict[str, _Suite]:
        """All suites of the store, the one that ran last first."""
        suites: dict[str, _Suite] = {}
        for run_id in reversed(self.store.run_ids()):
            run = self.store.run(run_id)
            suite = suites.setdefault(str(run["suite"]["name"]), _Suite())
            suite.runs.append(run)
            suite.cells |= set(run["cells"])
        return suites

    def _suite(self, book: Book, suite: _Suite, cells: Mapping[str, Told]) -> None:
        rows: dict[str, list[Told]] = {}
        for key in sorted(suite.cells & set(cells)):
            rows.setdefault(str(cells[key].record["row_id"]), []).append(cells[key])
        claimed: set[str] = set()
        for run in suite.runs:
            mine = [cells[key] for key in run["cells"] if key in cells]
            of_run = dict.fromkeys(str(cell.record["row_id"]) for cell in mine)
            own = [row for row in of_run if row not in claimed]
            claimed |= set(own)
            latest = run is suite.runs[0]
            state = _state(run, [cell for row in of_run for cell in rows[row]])
            if not _is_written(book, run, state, own):
                self._run(book, run, mine, {row: rows[row] for row in own}, state, latest)
        for key in sorted(suite.cells & set(cells)):
            if cells[key].state in ENDED:
                self._cell(book, key)

    def _run(
        self,
        book: Book,
        run: Mapping[str, Any],
        cells: Sequence[Told],
        rows: Mapping[str, Sequence[Told]],
        state: str,
        latest: bool,
    ) -> None:
        """Write a run and those of its rows that no newer run has."""
        run_id = str(run["id"])
        board = build([self.store.out], self._metrics(), run_id, reported=self.installed.reported)
        entry = run_entry(run, cells, board)
        book.write(entry)
        places = _places(board)
        for row, of_row in rows.items():
            book.write(result_entry(of_row, run_id, places.get(row)))
        if latest:
            for block in board.blocks:
                for record in block.rows:
                    if record["kind"] == "reported":
                        book.write(reported_entry(block, record, run_id, entry.start))
            book.describe(experiment_tags(board, run, milliseconds(run["started"])))
        book.mark(entry.key, STATE_TAG, state)

    def _cell(self, book: Book, cell_id: str) -> None:
        folder = self.store.cell(cell_id)
        try:
            entry = read_cell(folder.path)
        except StoreError as error:
            self.faults.append(str(error))
            return
        if entry is not None:
            book.write(entry)
            if self.weights:
                book.attach(cell_key(cell_id), weights_of(folder), WEIGHTS_TAG)

    def _metrics(self) -> list[Metric]:
        return [self.installed.metric(name) for name in self.installed.names("metrics")]


def _state(run: Mapping[str, Any], cells: Sequence[Told]) -> str:
    """Changes with whatever the table of a run depends on."""
    from ferbench import __version__

    ends = sorted((str(cell.record["id"]), cell.state, str(cell.status.get("ended"))) for cell in cells)
    return hashlib.sha256(json.dumps([__version__, run, ends], sort_keys=True).encode()).hexdigest()[:20]


def _is_written(book: Book, run: Mapping[str, Any], state: str, rows: Sequence[str]) -> bool:
    known = book.known.get(run_key(str(run["id"])))
    if known is None or known.tags.get(STATE_TAG) != state:
        return False
    results = [book.known.get(result_key(row)) for row in rows]
    return all(item is not None and item.digest and item.tags.get(RUN_TAG) == run["id"] for item in results)


def _places(board: Leaderboard) -> dict[str, tuple[Block, Record]]:
    return {record["row_id"]: (block, record) for block in board.blocks for record in block.rows if record["row_id"]}
