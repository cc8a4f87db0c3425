"""A training small enough to be repeated often: made-up pictures, a smooth network, a watch that keeps all in memory.

Pictures and initial weights come from formulas, so that they are the same whatever draws random numbers elsewhere.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ferbench import Input, Objective, Recipe, Sample
from ferbench.training.feed import ResidentFeed
from ferbench.training.inference import score_samples
from ferbench.training.job import Job, Part, Trained
from ferbench.training.loop import train
from ferbench.training.precision import Numerics
from ferbench.training.prepare import Preparer

CLASSES = ("anger", "fear", "joy")
CPU = torch.device("cpu")
SIDE = 12
NUMERICS = Numerics(CPU, "fp32")
SIGNED = Input(normalise="signed")


def pictures(count: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise uint8 [count, 12, 12] with a brighter band of four rows, and which of the three bands it is."""
    mixed: np.ndarray = np.arange(first * SIDE**2 + 1, (first + count) * SIDE**2 + 1, dtype=np.uint32)
    for _ in range(2):
        mixed = (mixed ^ (mixed >> 16)) * np.uint32(0x45D9F3B)
    noise = (mixed >> 24).reshape(count, SIDE, SIDE) * 3 // 4
    which = np.arange(first, first + count)
    labels = (which * 5 + which // 4) % 3
    for picture, label in zip(noise, labels, strict=True):
        picture[4 * label : 4 * label + 4] += 40
    return noise.astype(np.uint8), labels


class TinyNet(nn.Module):
    """A convolution, batch normalisation unless ``norm`` is false, SiLU, means over a grid of nine, a linear layer."""

    def __init__(self, norm: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        # A bias before the normalisation has no gradient but rounding, which Adam would blow up.
        self.conv = nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(54, len(CLASSES))
        with torch.no_grad():
            for number, weight in enumerate((self.conv.weight, self.head.weight)):
                weight.copy_(torch.sin(torch.arange(weight.numel()) * (1.3 + number)).view_as(weight) * 0.2)
            self.head.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, 3] of pictures [n, 1, h, w]."""
        features = F.adaptive_avg_pool2d(F.silu(self.norm(self.conv(x))), 3)
        logits: torch.Tensor = self.head(self.dropout(features.flatten(1)))
        return logits


class Memory:
    """A watch that keeps the state after every epoch, and goes on from ``begin``."""

    def __init__(self, begin: bytes | None = None) -> None:
        self.begin, self.kept, self.steps = begin, list[bytes](), 0

    def resume(self) -> dict[str, Any] | None:
        """The state to go on from."""
        return None if self.begin is None else loaded(self.begin)

    def epoch_ended(self, history: list[dict[str, Any]], state: Callable[[], dict[str, Any]]) -> None:
        """Keep the state, as a file would hold it."""
        buffer = io.BytesIO()
        torch.save(state(), buffer)
        self.kept.append(buffer.getvalue())

    def step_ended(self, epoch: int, step: int, steps: int) -> None:
        """Count."""
        self.steps += 1


def loaded(kept: bytes) -> dict[str, Any]:
    """A kept state, read as the runner reads it."""
    state: dict[str, Any] = torch.load(io.BytesIO(kept), map_location="cpu", weights_only=True)
    return state


def part(recipe: Recipe, values: np.ndarray, labels: np.ndarray, sample: Sample | None = None) -> Part:
    """Samples in memory."""
    return Part(ResidentFeed({"image": values}, labels, recipe.input, CPU), labels, sample or Sample())


def make_job(
    recipe: Recipe,
    watch: Memory | None = None,
    *,
    objective: Objective | None = None,
    sample: Sample | None = None,
    val_shift: int = 0,
    test: bool = False,
    size: int = SIDE,
) -> Job:
    """Train on 48 pictures in batches of the recipe, judge on 24 others.

    ``val_shift`` is added to the labels of val (modulo 3), so that training makes the val score worse.
    """
    values, labels = pictures(24, first=48)
    train_part = part(recipe, *pictures(48), sample=sample)
    return Job(
        recipe=recipe,
        seed=3,
        task="single-label",
        classes=CLASSES,
        numerics=NUMERICS,
        preparer=Preparer(recipe.input),
        size=size,
        parts=dict.fromkeys({stage.sides for stage in recipe.planned_stages()}, train_part),
        val=part(recipe, values, (labels + val_shift) % 3),
        watch=watch or Memory(),
        test=part(recipe, *pictures(24, first=72)) if test else None,
        objective=objective,
    )


def trained(recipe: Recipe, watch: Memory | None = None, net: nn.Module | None = None, **settings: Any) -> Trained:
    """Train a tiny network with one thread."""
    torch.set_num_threads(1)
    return train(net or TinyNet(), make_job(recipe, watch, **settings))


def scores_of(weights: dict[str, Any], recipe: Recipe, samples: Part, net: nn.Module | None = None) -> np.ndarray:
    """Scores [n, 3] of a tiny network with these weights, seen as the recipe's ``tta`` says."""
    net = net or TinyNet()
    net.load_state_dict(weights)
    preparer = Preparer(recipe.input)
    return score_samples(net, samples.feed, preparer, recipe, NUMERICS, "single-label", SIDE, recipe.tta)
