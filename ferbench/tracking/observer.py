"""The plugin ``mlflow``: tells a process of its own what a run has reached. Neither imports MLflow nor waits for it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ferbench.nouns.event import CellEvent, RunEvent
from ferbench.nouns.family import hookimpl
from ferbench.store.store import Store
from ferbench.tracking.target import installed

LAST_SECONDS = 20.0
"""How long a run that is over waits for what has not been written yet."""
QUIET_SECONDS = 1.5
"""Of these, how long it says nothing about that."""


@dataclass
class Writer:
    """The process that writes. It gets the ids of cells as lines; it dies with this one, whose end closes the pipe."""

    out: Path
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, out: Path, run_id: str) -> Writer:
        """Start it, in a session of its own: Ctrl-C in the terminal is the run's to deal with."""
        command = [sys.executable, "-P", "-m", "ferbench.tracking.writer", str(out), run_id]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        return cls(out, process)

    def tell(self, line: str) -> bool:
        """Send a line; whether the process still listens."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except (OSError, ValueError):
            return False
        return self.process.poll() is None

    def is_slow(self, seconds: float) -> bool:
        """Whether the process is still there after some seconds."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def last_words(self, seconds: float) -> str:
        """Wait for the process to end, for ``seconds`` at most, and return what it had to say."""
        try:
            said, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            return f"MLflow did not take everything within {seconds:.0f} s."
        except (OSError, ValueError):
            said = ""
        if self.process.returncode and not said.strip():
            return f"Tracking stopped (exit code {self.process.returncode})."
        return said.strip()

    def stop(self) -> None:
        """End the process at once."""
        self.process.kill()
        with suppress(OSError, ValueError):
            self.process.communicate()


@dataclass
class Observer:
    """Follows one run at a time."""

    writer: Writer | None = None

    @hookimpl
    def ferbench_run_started(self, event: RunEvent) -> None:
        """Start writing, unless the run says never or MLflow is missing."""
        self._let_go()
        if Store(event.out).run(event.run_id)["run"].get("track") == "never":
            return
        if not installed():
            _say("Not tracked: MLflow is not installed (`pip install 'ferbench[mlflow]'`).")
            return
        self.writer = Writer.start(event.out.absolute(), event.run_id)

    @hookimpl
    def ferbench_cell_finished(self, event: CellEvent) -> None:
        """Pass a cell's id on."""
        if self.writer is not None and not self.writer.tell(event.cell_id):
            self._give_up(self.writer.last_words(1.0))

    @hookimpl
    def ferbench_run_finished(self, event: RunEvent) -> None:
        """Let the rest be written, the rows of the table included."""
        if self.writer is None:
            return
        self.writer.tell("finish")
        if self.writer.is_slow(QUIET_SECONDS):
            _say("Telling MLflow of the results …")
        fault = self.writer.last_words(LAST_SECONDS)
        if fault:
            self._give_up(fault)
        else:
            _say(f"Tracked in MLflow: `ferbench ui --out {event.out}` shows it.")
        self.writer = None

    def _give_up(self, why: str) -> None:
        assert self.writer is not None
        _say(f"{why}\nThe run goes on; `ferbench track --out {self.writer.out}` tells MLflow of it later.")
        self._let_go()

    def _let_go(self) -> None:
        if self.writer is not None:
            self.writer.stop()
            self.writer = None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


observer = Observer()
