"""What a run shows while it works: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ferbench.running.executor import Board, Slot
from ferbench.running.planned import PlannedCell
from ferbench.store.store import State, Store

REFRESH_SECONDS = 0.5
COLOURS = {"done": "green", "failed": "red", "running": "cyan", "planned": "dim"}


class View:
    """Shows a :class:`Board`. ``remaining`` tells the seconds that are left for the cells not yet done."""

    def __init__(self, store: Store, console: Console, total: int, remaining: Callable[[], float | None]) -> None:
        self.store, self.console, self.total, self.remaining = store, console, total, remaining
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self.shown_at = 0.0
        self.ended = 0

    def __enter__(self) -> View:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def show(self, board: Board) -> None:
        """Draw the board, twice a second at most."""
        if self.live is None or time.monotonic() - self.shown_at < REFRESH_SECONDS:
            return
        self.shown_at = time.monotonic()
        self.live.update(self._drawn(board), refresh=True)

    def finished(self, cell: PlannedCell, state: State) -> None:
        """Print a line about a cell that ended."""
        self.ended += 1
        folder = self.store.cell(cell.id)
        line = Text(f"[{self.ended}/{self.total}] ", "dim")
        line.append(f"{state:<7}", COLOURS.get(state, ""))
        line.append(f" {cell.label}")
        tested = "held-out" if cell.record["row"].get("inner") else "test"
        line.append(f"  {_outcome(folder.status, folder.metrics() if state == 'done' else {}, tested)}", "dim")
        self.console.print(line, soft_wrap=True)

    def _drawn(self, board: Board) -> Group:
        counts = Text()
        for state in ("done", "running", "failed", "planned"):
            count = sum(value == state for value in board.states.values())
            counts.append(f"{count} {state}   ", COLOURS[state])
        left = self.remaining()
        elapsed = duration(time.monotonic() - board.started)
        counts.append(f"{elapsed} elapsed" + (f", about {duration(left)} left" if left else ""), "dim")
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for column in ("slot", "cell", "epoch", "images/s", "val score", "left"):
            table.add_column(column, justify="left" if column in ("slot", "cell") else "right")
        for slot in board.slots:
            if slot.cell:
                table.add_row(slot.name, slot.cell.label, *self._progress(slot))
        return Group(counts, table)

    def _progress(self, slot: Slot) -> tuple[str, str, str, str]:
        assert slot.cell is not None
        folder = self.store.cell(slot.cell.id)
        try:
            progress: dict[str, Any] = json.loads((folder.resume / "progress.json").read_text())
        except (OSError, ValueError):
            progress = {}
        rows = folder.history()
        epochs = slot.cell.record["facts"]["epochs"]
        scores = [row["val_score"] for row in rows if row["val_score"]]
        over = int(rows[-1]["epoch"]) + 1 if rows else 0
        epoch = f"{progress.get('epoch', over)}/{epochs}" if epochs else "–"
        speed = f"{float(rows[-1]['images_per_second']):,.0f}" if rows else "–"
        score = f"{float(scores[-1]):.3f}" if scores else "–"
        return epoch, speed, score, self._left(slot, progress)

    def _left(self, slot: Slot, progress: dict[str, Any]) -> str:
        begun, done = progress.get("begun", 0.0), progress.get("done", 0.0)
        elapsed = time.monotonic() - slot.started
        return duration(elapsed * (1 - done) / (done - begun)) if done > begun else "–"


def _outcome(status: dict[str, Any], metrics: dict[str, Any], tested: str) -> str:
    if status.get("state") != "done":
        return str(status.get("cause", "")).partition("\n")[0]
    score = next(((name, value) for name, value in metrics.get("test", {}).items() if isinstance(value, float)), None)
    shown = f"{tested} {score[0]} {score[1]:.3f}, " if score else ""
    return f"{shown}{duration(status.get('seconds', 0.0))}"


def duration(seconds: float) -> str:
    """Seconds for people: ``8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def counted(number: int, noun: str) -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
