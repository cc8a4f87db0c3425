"""What a cell keeps while it trains: history after every epoch, everything needed to go on at most once a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from ferbench.store.files import remove_tree, write_json, write_with
from ferbench.store.store import CellFolder

PROGRESS_SECONDS = 1.0


class Keeper:
    """The :class:`ferbench.training.job.Watch` of a cell."""

    def __init__(self, folder: CellFolder, seconds: float, epochs: int) -> None:
        self.folder, self.seconds, self.epochs = folder, seconds, epochs
        self.kept_at = self.told_at = time.monotonic()
        self.begun: float | None = None

    def resume(self) -> dict[str, Any] | None:
        """The kept state; None where there is none or a kill left it damaged (the cell then starts anew)."""
        path = self.folder.resume / "state.pt"
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            print(f"The kept state is damaged ({error}); training starts anew.", flush=True)
            remove_tree(self.folder.resume)
            return None
        print(f"Going on after epoch {state['progress']['epoch'] - 1}.", flush=True)
        return state

    def epoch_ended(self, history: list[dict[str, Any]], state: Callable[[], dict[str, Any]]) -> None:
        """Write the history; keep the state if the last one is old enough."""
        self.folder.write_history(history)
        row = history[-1]
        shown = " ".join(
            f"{key} {row[key]:.4g}" for key in ("train_loss", "val_loss", "val_score", "images_per_second")
        )
        print(f"epoch {row['epoch']}: {shown}", flush=True)
        if time.monotonic() - self.kept_at < self.seconds:
            return
        write_with(self.folder.resume / "state.pt", lambda path: torch.save(state(), path))
        self.kept_at = time.monotonic()

    def step_ended(self, epoch: int, step: int, steps: int) -> None:
        """Tell the parent's live view, at most once a second."""
        now = time.monotonic()
        if now - self.told_at < PROGRESS_SECONDS:
            return
        self.told_at = now
        done = (epoch + step / steps) / self.epochs
        self.begun = done if self.begun is None else self.begun
        progress = {"epoch": epoch, "epochs": self.epochs, "done": done, "begun": self.begun}
        write_json(self.folder.resume / "progress.json", progress)
