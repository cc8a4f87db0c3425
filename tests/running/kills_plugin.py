"""A run to interrupt: a quick cell, and one that is slow while a file is there. Light, as every start imports it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ferbench import (
    Adam,
    Constant,
    Dataset,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Parsed,
    ProtocolRule,
    ReadContext,
    Recipe,
    Samples,
    Suite,
    given_split,
    hookimpl,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

CLASSES = ("happiness", "sadness", "anger", "fear")
SECONDS = 0.02
"""That each step takes longer while the file is there that FERBENCH_TEST_BRAKE names."""


def read_squares(path: Path | None, context: ReadContext) -> Parsed:
    """Read 240 noisy pictures of 8 × 8, each with a bright quadrant."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 4, 240)
    pictures = rng.integers(0, 120, (240, 8, 8))
    for picture, label in zip(pictures, labels, strict=True):
        y, x = divmod(int(label), 2)
        picture[y * 4 : y * 4 + 4, x * 4 : x * 4 + 4] += 100
    origin = np.repeat(["train", "val", "test"], [160, 40, 40])
    ids = np.array([f"square-{index:03d}" for index in range(240)])
    return Parsed(Samples(ids, labels, origin), {"image": pictures.astype(np.uint8)})


def build_slow(spec: NetSpec) -> nn.Module:
    from torch import nn

    brake = Path(os.environ["FERBENCH_TEST_BRAKE"])

    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            body = nn.Conv2d(spec.channels, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
            self.layers = nn.Sequential(*body, nn.Dropout(0.1), nn.Linear(16, spec.classes))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training and brake.exists():
                time.sleep(SECONDS)
            return self.layers(x)  # type: ignore[no-any-return]

    return Slow()


@hookimpl
def ferbench_datasets() -> Iterator[Dataset]:
    rule = ProtocolRule("official", given_split("train", "val", "test"))
    yield Dataset("squares", "bright quadrants", CLASSES, (rule,), read_squares, embedded=True, synthetic=True)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    chance = {"augmentation": (HorizontalFlip(p=0.5),), "input": Input(normalise="signed")}
    recipe = Recipe(epochs=4, batch_size=32, optimizer=Adam(lr=0.02), schedule=Constant())
    yield Model("slow", build=build_slow, recipe=recipe.model_copy(update=chance))


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    yield Suite(name="kills", datasets=("squares",), models=("majority", "slow"), seeds=(0,), metrics=("accuracy",))
