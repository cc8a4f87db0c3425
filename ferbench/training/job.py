"""What a training is given, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ferbench.nouns.emotions import LabelKind, Task
from ferbench.nouns.model import Objective, RequiredCell
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.sampler import Sample
from ferbench.training.feed import Feed
from ferbench.training.labels import drawn_labels
from ferbench.training.precision import Numerics
from ferbench.training.prepare import Preparer


@dataclass(frozen=True)
class Part:
    """What a stage trains on: samples on the device, their targets on the host, and what the sampler decided."""

    feed: Feed
    targets: np.ndarray
    sample: Sample
    label_kind: LabelKind = "hard"

    def labels(self, seed: tuple[int, ...]) -> np.ndarray | None:
        """Labels of an epoch, int64 [n], drawn with ``seed`` alone; None where each sample keeps its own."""
        return drawn_labels(self.targets, np.random.default_rng(seed)) if self.label_kind == "drawn" else None


class Watch(Protocol):
    """Keeps what a training has reached, and tells others about it."""

    def resume(self) -> dict[str, Any] | None:
        """The last kept state, or None."""

    def epoch_ended(self, history: list[dict[str, Any]], state: Callable[[], dict[str, Any]]) -> None:
        """An epoch ended; ``state()`` is what to keep."""

    def step_ended(self, epoch: int, step: int, steps: int) -> None:
        """A step ended."""


@dataclass(frozen=True)
class Job:
    """One training, network aside.

    ``parts`` has a :class:`Part` for every combination of sides that a stage names. ``test`` is only there for
    selection ``oracle``. ``size`` is the side of the square picture that the network sees.
    ``compiled``: the network runs through torch.compile.
    """

    recipe: Recipe
    seed: int
    task: Task
    classes: tuple[str, ...]
    numerics: Numerics
    preparer: Preparer
    size: int
    parts: Mapping[tuple[str, ...], Part]
    val: Part
    watch: Watch
    test: Part | None = None
    objective: Objective | None = None
    required: Mapping[str, RequiredCell] = field(default_factory=dict)
    allow_microbatch: bool = False
    compiled: bool = False


@dataclass
class Progress:
    """Where a training stands. ``epoch`` counts over all stages; ``best`` holds the best weights so far, on the CPU."""

    stage: int = 0
    stage_epoch: int = 0
    epoch: int = 0
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    best_score: float = float("-inf")
    best_epoch: int = -1
    stage_best: float = float("-inf")
    stale: int = 0
    micro_batches: int = 1
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Everything but the weights, as plain data."""
        return {key: value for key, value in vars(self).items() if key != "best"}


@dataclass(frozen=True)
class Trained:
    """Weights after the last epoch and those that were selected (state dicts on the CPU), and the way there."""

    best: dict[str, Any]
    last: dict[str, Any]
    best_epoch: int
    history: list[dict[str, Any]]
    micro_batches: int
    images_per_second: float
