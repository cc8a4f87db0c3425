"""What an epoch, or a part of one, adds up to: kept on the device, so that no step waits for it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from ferbench.errors import TrainingError
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.model import StepResult
from ferbench.training.labels import main_class


class Tally:
    """Loss of each step, samples that were right, and means of what the objective logs.

    Right is the class of a hard label, the most probable one of a soft or mixed label, the one that was drawn for this
    epoch, and any accepted one. ``first``: the number of its first step in the epoch.
    """

    def __init__(self, steps: int, device: torch.device, kind: LabelKind = "hard", first: int = 0) -> None:
        self.first = first
        self.losses = torch.zeros(steps, device=device)
        self.right = torch.zeros((), device=device)
        self.samples = self.scored = 0
        self.accepted = kind == "accepted"
        self.logs: dict[str, float | torch.Tensor] = {}
        self.started = time.perf_counter()

    def add(self, step: int, result: StepResult, target: torch.Tensor, samples: int) -> None:
        """Add a step of ``samples`` of the data set; ``target`` is that of its batch, of several crops each or one."""
        self.losses[step] = result.loss
        self.samples, self.scored = self.samples + samples, self.scored + len(target)
        predicted = result.scores.argmax(dim=1)
        right = target.gather(1, predicted[:, None]) > 0 if self.accepted else predicted == main_class(target)
        self.right += right.sum()
        for name, value in result.logs.items():
            self.logs[name] = self.logs.get(name, 0.0) + value / len(self.losses)

    def row(self, epoch: int, task: str) -> dict[str, Any]:
        """The columns of the history. Raises TrainingError when a loss was not finite."""
        losses = self.losses.cpu().double().numpy()
        seconds = time.perf_counter() - self.started
        check_finite(losses, epoch, self.first)
        scored = task in ("single-label", "soft-labels")
        return {
            "samples": self.samples,
            "train_loss": float(losses.mean()),
            "train_score": float(self.right) / self.scored if scored else None,
            "seconds": seconds,
            "images_per_second": self.samples / seconds,
            **{f"log_{name}": float(value) for name, value in self.logs.items()},
        }


def check_finite(losses: np.ndarray, epoch: int, first: int = 0) -> None:
    """Raise TrainingError that names the first step whose loss is not finite; ``first`` is that of ``losses[0]``."""
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        raise TrainingError(
            f"The loss was {losses[bad[0]]} in epoch {epoch}, step {first + bad[0]} (both from 0). "
            'A lower learning rate, or recipe.precision="fp32", usually mends this.'
        )
