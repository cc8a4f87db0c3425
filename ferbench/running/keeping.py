"""What a cell keeps while it trains: history after every epoch, everything needed to go on at most once a minute."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ferbench.errors import TrainingError
from ferbench.store.files import write_with
from ferbench.store.store import CellFolder
from ferbench.training.memory import peak_memory

PROGRESS_SECONDS = 1.0
DAMAGE = (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, ValueError)
"""What torch raises for a file that is cut or altered; a fault of the disk is none of these."""


class Keeper:
    """The :class:`ferbench.training.job.Watch` of a cell."""

    def __init__(self, folder: CellFolder, seconds: float, epochs: int) -> None:
        self.folder, self.seconds, self.epochs = folder, seconds, epochs
        self.kept_at = self.told_at = time.monotonic()
        self.begun: float | None = None
        self.peaks: list[float] = []

    def goes_on(self) -> bool:
        """Whether there is a state to go on from."""
        return self._kept() is not None

    def resume(self) -> dict[str, Any] | None:
        """The kept state; None where there is none or a kill left it damaged (the cell then starts anew)."""
        state = self._kept()
        if state is not None:
            print(f"Going on after epoch {state['progress']['epoch'] - 1}.", flush=True)
        return state

    def _kept(self) -> dict[str, Any] | None:
        path = self.folder.resume / "state.pt"
        if not path.exists():
            return None
        try:
            return load_state(path)
        except DAMAGE as error:
            path.replace(path.with_name("state.damaged"))
            print(f"The kept state is damaged ({error}); it is set aside, and training starts anew.", flush=True)
            return None

    def epoch_ended(self, history: list[dict[str, Any]], state: Callable[[], dict[str, Any]]) -> None:
        """Write the history; keep the state if the last one is old enough."""
        self.folder.write_history(history)
        self.peaks.append(peak_memory())
        row = history[-1]
        columns = ("train_loss", "val_loss", "val_score", "images_per_second")
        shown = " ".join(f"{key} {row[key]:.4g}" for key in columns if row[key] is not None)
        print(f"epoch {row['epoch']}: {shown}", flush=True)
        if time.monotonic() - self.kept_at < self.seconds:
            return
        path = self.folder.resume / "state.pt"
        first = not path.exists()
        write_with(path, lambda temporary: torch.save(state(), temporary))
        self.kept_at = time.monotonic()
        if first:
            self._check_readable(path)

    def _check_readable(self, path: Path) -> None:
        """Refuse a state that could not be read again, before hours depend on it."""
        try:
            load_state(path)
        except pickle.UnpicklingError as error:
            path.unlink()
            raise TrainingError(
                f"The objective's state_dict holds more than tensors and plain data, so the cell could not go on after "
                f"a kill: {str(error).partition(chr(10))[0]}"
            ) from None

    def step_ended(self, epoch: int, step: int, steps: int) -> None:
        """Tell the parent's live view, at most once a second."""
        now = time.monotonic()
        if now - self.told_at < PROGRESS_SECONDS:
            return
        self.told_at = now
        done = (epoch + step / steps) / self.epochs
        self.begun = done if self.begun is None else self.begun
        progress = {"epoch": epoch, "epochs": self.epochs, "done": done, "begun": self.begun}
        with suppress(OSError):  # only the live view reads it
            self.folder.resume.mkdir(parents=True, exist_ok=True)
            temporary = self.folder.resume / ".progress.json"
            temporary.write_text(json.dumps(progress), encoding="utf-8")
            temporary.replace(self.folder.resume / "progress.json")


def load_state(path: Path) -> dict[str, Any]:
    """Read a kept state: tensors and plain data, never code. Raises one of ``DAMAGE`` for a file that is damaged."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    state["progress"]["epoch"]
    return state
