"""Made-up samples and labels on which models and samplers are tried: patches of colour, clips of them, oscillations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ferbench.data.fingerprint import pixel_hashes
from ferbench.data.in_memory import ArraySplit
from ferbench.data.streaming import StreamSplit
from ferbench.nouns.emotions import LABEL_KIND_OF_TASK, LabelKind, Modality, Task
from ferbench.nouns.model import Model, NetSpec
from ferbench.nouns.split import View

PATCHES = 6
"""A picture is six by six patches: a network that sees only coarse structure can still tell two apart."""

FRAMES = 8
"""Frames of the longest clip, where a model's reference says nothing; the shortest has half of them."""

SAMPLES_ARE: Mapping[Modality, str] = {"image": "pictures", "video": "clips", "eeg": "windows"}
"""What samples are called."""


def class_names(count: int) -> tuple[str, ...]:
    """As many classes as asked for."""
    return tuple(f"class-{index}" for index in range(count))


def spec_of(
    model: Model, *, classes: int | None = None, channels: int | None = None, size: int | None = None
) -> NetSpec:
    """What a model's network is built for: its reference, with channels as the recipe gives them, or as asked for.

    Inputs of the reference's own channels and size follow, frames of clips too; others keep their shape.
    """
    reference = model.reference
    channels = channels or model.recipe.input.channels or reference.channels
    size = size or reference.size
    axes = 1 if model.modality == "eeg" else 2
    own, wanted = (reference.channels, *[reference.size] * axes), (channels, *[size] * axes)
    usual = (FRAMES, *own) if model.modality == "video" else own
    given: Mapping[str, tuple[int, ...]] = reference.inputs or dict.fromkeys(model.inputs, usual)

    def followed(shape: tuple[int, ...]) -> tuple[int, ...]:
        before, last = shape[: -len(own)], shape[-len(own) :]
        return (*before, *wanted) if last == own else shape

    return replace(
        reference,
        classes=classes or reference.classes,
        channels=channels,
        size=size,
        task=task_of(model),
        inputs={name: followed(tuple(shape)) for name, shape in given.items()},
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
    arrays, count = _arrays(inputs, len(targets), seed), len(targets)
    return ArraySplit(
        inputs=arrays,
        rows=np.arange(count),
        ids=np.array([f"sample-{index:03d}" for index in range(count)]),
        targets=targets,
        hashes=pixel_hashes(arrays),
        classes=class_names(classes),
        label_kind=kind,
    )


def streamed_split_of(
    inputs: Mapping[str, tuple[int, ...]],
    targets: np.ndarray,
    classes: int,
    kind: LabelKind = "hard",
    seed: int = 0,
) -> StreamSplit:
    """The same, read one by one; clips [frames, channels, size, size] have half of their frames to all of them."""
    arrays, count = _arrays(inputs, len(targets), seed), len(targets)

    def decode(path: Path, view: View, rng: np.random.Generator) -> dict[str, np.ndarray]:
        row = int(path.name)
        return {name: _length(values[row], row, view, rng) for name, values in arrays.items()}

    return StreamSplit(
        root=Path(),
        files=tuple(str(row) for row in range(count)),
        decode=decode,
        ids=np.array([f"sample-{index:03d}" for index in range(count)]),
        targets=targets,
        hashes=pixel_hashes(arrays),
        classes=class_names(classes),
        label_kind=kind,
    )


def _length(sample: np.ndarray, row: int, view: View, rng: np.random.Generator) -> np.ndarray:
    """The frames of a view of a clip, whose length follows from its row; anything else is whole."""
    if sample.ndim != 4:
        return sample
    frames = len(sample)
    chosen: np.ndarray = sample[view.chosen(frames - row % (frames // 2 + 1), rng)]
    return chosen


def _arrays(inputs: Mapping[str, tuple[int, ...]], count: int, seed: int) -> dict[str, np.ndarray]:
    return {
        name: _input(shape, count, np.random.default_rng((seed, 2, index)))
        for index, (name, shape) in enumerate(sorted(inputs.items()))
    }


def _input(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> np.ndarray:
    if len(shape) == 4 and shape[1] in (1, 3):
        still = _input(shape[1:], count, rng)[:, None]
        moving = rng.integers(-16, 16, (count, shape[0], *still.shape[2:]))
        clips: np.ndarray = np.clip(still + moving, 0, 255).astype(np.uint8)
        return clips
    if len(shape) == 2:
        return _oscillations(shape, count, rng)
    if len(shape) != 3 or shape[0] not in (1, 3):
        return rng.standard_normal((count, *shape)).astype(np.float32)
    channels, height, width = shape
    coarse = rng.integers(0, 224, (count, PATCHES, PATCHES, channels))
    rows, columns = np.arange(height) * PATCHES // height, np.arange(width) * PATCHES // width
    pictures: np.ndarray = coarse[:, rows][:, :, columns] + rng.integers(0, 32, (count, height, width, channels))
    return pictures.astype(np.uint8)


def _oscillations(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> np.ndarray:
    """Signals of unit noise, float32 [n, channels, samples]; each has an oscillation and a topography of its own."""
    channels, samples = shape
    cycles = rng.uniform(2, max(3, samples / 8), (count, 1, 1))
    wave = np.sin(2 * np.pi * (cycles * np.arange(samples) / samples + rng.random((count, 1, 1))))
    signals: np.ndarray = 3 * rng.standard_normal((count, channels, 1)) * wave + rng.standard_normal((count, *shape))
    return signals.astype(np.float32)
