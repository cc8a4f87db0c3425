"""Made-up pictures and labels on which models and samplers are tried: patches of colour, each sample its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ferbench.data.fingerprint import pixel_hashes
from ferbench.data.in_memory import ArraySplit
from ferbench.nouns.emotions import LABEL_KIND_OF_TASK, LabelKind, Task
from ferbench.nouns.model import Model, NetSpec

PATCHES = 6
"""A picture is six by six patches: a network that sees only coarse structure can still tell two apart."""


def class_names(count: int) -> tuple[str, ...]:
    """As many classes as asked for."""
    return tuple(f"class-{index}" for index in range(count))


def spec_of(
    model: Model, *, classes: int | None = None, channels: int | None = None, size: int | None = None
) -> NetSpec:
    """What a model's network is built for: its reference, with channels as the recipe gives them, or as asked for."""
    reference = model.reference
    channels = channels or model.recipe.input.channels or reference.channels
    size = size or reference.size
    own = (reference.channels, reference.size, reference.size)
    picture = (channels, size, size)
    given: Mapping[str, tuple[int, ...]] = reference.inputs or dict.fromkeys(model.inputs, own)
    return replace(
        reference,
        classes=classes or reference.classes,
        channels=channels,
        size=size,
        task=task_of(model),
        inputs={name: picture if tuple(shape) == own else tuple(shape) for name, shape in given.items()},
    )


def task_of(model: Model) -> Task:
    """The task for which a model is tried: that of its reference where it takes it, else its first."""
    return model.reference.task if model.reference.task in model.tasks else model.tasks[0]


def kind_of(task: Task, kinds: tuple[LabelKind, ...]) -> LabelKind:
    """The form of the targets on which a model is tried: the task's own, or else the first that it takes."""
    own = LABEL_KIND_OF_TASK[task]
    return own if own in kinds or not kinds else kinds[0]


def labels(kind: LabelKind, count: int, classes: int, seed: int = 0) -> np.ndarray:
    """Targets of ``count`` samples; every class occurs. int64 [n] for hard labels, float32 [n, k] otherwise."""
    rng = np.random.default_rng((seed, 1))
    hard = np.arange(count) % classes
    if kind == "hard":
        return hard.astype(np.int64)
    if kind == "real":
        return rng.uniform(-1, 1, (count, classes)).astype(np.float32)
    one_hot: np.ndarray = np.eye(classes, dtype=np.float32)[hard]
    if kind == "multi-hot":
        flags: np.ndarray = np.maximum(one_hot, rng.random((count, classes)) < 0.3).astype(np.float32)
        return flags
    return one_hot if kind in ("accepted", "drawn") else one_hot * np.float32(0.9) + np.float32(0.1 / classes)


def split_of(
    inputs: Mapping[str, tuple[int, ...]],
    targets: np.ndarray,
    classes: int,
    kind: LabelKind = "hard",
    seed: int = 0,
) -> ArraySplit:
    """A split in memory: patterns where an input is a picture [channels, size, size], noise of another shape else."""
    count = len(targets)
    arrays = {
        name: _input(shape, count, np.random.default_rng((seed, 2, index)))
        for index, (name, shape) in enumerate(sorted(inputs.items()))
    }
    return ArraySplit(
        inputs=arrays,
        rows=np.arange(count),
        ids=np.array([f"sample-{index:03d}" for index in range(count)]),
        targets=targets,
        hashes=pixel_hashes(arrays),
        classes=class_names(classes),
        label_kind=kind,
    )


def _input(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> np.ndarray:
    if len(shape) != 3 or shape[0] not in (1, 3):
        return rng.standard_normal((count, *shape)).astype(np.float32)
    channels, height, width = shape
    coarse = rng.integers(0, 224, (count, PATCHES, PATCHES, channels))
    rows, columns = np.arange(height) * PATCHES // height, np.arange(width) * PATCHES // width
    pictures: np.ndarray = coarse[:, rows][:, :, columns] + rng.integers(0, 32, (count, height, width, channels))
    return pictures.astype(np.uint8)
