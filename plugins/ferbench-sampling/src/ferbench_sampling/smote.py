"""SMOTE on pictures: new ones between neighbours of one class (Chawla et al. 2002)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from imblearn.over_sampling import SMOTE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from ferbench import DataError, Sample, SampleContext, Split
from ferbench_sampling import SmoteOptions
from ferbench_sampling.classes import class_counts, drawn_seed


def smote(train: Split, context: SampleContext) -> Sample:
    """Add pictures to the smaller classes until all are as large as the largest.

    Each lies at a random place on the line between a random picture of its class and one of that picture's nearest
    neighbours there; neighbours are looked for among pixels or features, and what is mixed is always pixels.
    """
    options = context.options
    assert isinstance(options, SmoteOptions)
    counts = class_counts(train, context, "smote")
    wanted = counts.max() - counts
    _check_enough(counts, wanted, options.neighbours, context.classes)
    inputs = _pictures(train)
    features = context.required["features"].features() if options.space == "features" and wanted.any() else None
    made, targets = [], []
    for label in np.flatnonzero(wanted):
        rows = np.flatnonzero(train.targets == label)
        pixels = np.concatenate([values[rows].reshape(len(rows), -1) for values in inputs.values()], axis=1)
        if (pixels == pixels[0]).all():
            raise DataError(
                f"smote makes pictures between different ones, but all {len(rows):,} training samples of "
                f"{context.classes[label]} are the same picture. Remove the copies, or use random-oversampling."
            )
        near = None if features is None else features[rows]
        made.append(_between(pixels, near, int(wanted[label]), options.neighbours, drawn_seed(context.rng)))
        targets.append(np.full(wanted[label], label))
    if not made:
        return Sample()
    return Sample(extra_inputs=_divided(np.concatenate(made), inputs), extra_targets=np.concatenate(targets))


def _between(pixels: np.ndarray, features: np.ndarray | None, wanted: int, neighbours: int, seed: int) -> np.ndarray:
    """New rows uint8 [wanted, d] between rows of one class, ``pixels`` uint8 [n, d]; ``features``: float32 [n, f].

    A class at a time, since all pictures as numbers with a fraction would take many times the memory.
    """
    count, width = pixels.shape
    columns = pixels if features is None else np.concatenate([pixels, features], axis=1, dtype=np.float32)
    # imbalanced-learn wants to see two classes; one row of zeros stands for all others, and is in nobody's way.
    points = np.zeros((count + 1, columns.shape[1]), np.float32)
    points[:count] = columns
    nearest = NearestNeighbors(n_neighbors=neighbours + 1)
    if features is not None:
        nearest = InLastColumns(n_neighbors=neighbours + 1, first=width)
    sampler = SMOTE(sampling_strategy={0: count + wanted}, k_neighbors=nearest, random_state=seed)
    with threadpool_limits(1):  # of equally near pictures, the number of threads decides which are taken
        mixed, _ = sampler.fit_resample(points, np.append(np.zeros(count, np.int64), 1))
    return np.asarray(np.rint(mixed[count + 1 :, :width]).astype(np.uint8))


class InLastColumns(NearestNeighbors):  # type: ignore[misc]
    """Neighbours by the columns from ``first`` on, for rows of which all columns are mixed."""

    def __init__(self, n_neighbors: int = 5, first: int = 0) -> None:
        super().__init__(n_neighbors=n_neighbors)
        self.first = first

    def fit(self, rows: np.ndarray, y: None = None) -> InLastColumns:
        """Remember ``rows`` float32 [n, d]."""
        super().fit(rows[:, self.first :])
        return self

    def kneighbors(self, rows: np.ndarray, n_neighbors: int | None = None, return_distance: bool = True) -> np.ndarray:
        """The nearest remembered rows of each row."""
        found: np.ndarray = super().kneighbors(rows[:, self.first :], n_neighbors, return_distance)
        return found


def _check_enough(counts: np.ndarray, wanted: np.ndarray, neighbours: int, classes: Sequence[str]) -> None:
    short = [int(label) for label in np.flatnonzero(wanted) if counts[label] <= neighbours]
    if not short:
        return
    told = ", ".join(f"{classes[label]} has {counts[label]}" for label in short)
    most = int(counts[short].min()) - 1
    lower = f"--set sampler.options.neighbours={most}, " if most else ""
    raise DataError(
        f"smote mixes a picture with one of its {neighbours} nearest neighbours in its class, which takes "
        f"{neighbours + 1} training samples; {told}. Use {lower}more training samples (--limit), or "
        "random-oversampling."
    )


def _pictures(train: Split) -> Mapping[str, np.ndarray]:
    """Every input of the training side, uint8 [n, ...]. Raises DataError for anything else."""
    inputs = train.arrays
    if inputs is None:
        raise DataError("smote compares all training samples with each other; these stream from files.")
    for name, values in inputs.items():
        if values.dtype != np.uint8:
            raise DataError(
                f"smote mixes the pixels of pictures (uint8); the input {name} is {values.dtype}. Use "
                "random-oversampling or class-weights."
            )
    return inputs


def _divided(rows: np.ndarray, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rows uint8 [e, d] as the inputs that were joined into them."""
    shapes = {name: values.shape[1:] for name, values in inputs.items()}
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(rows, ends[:-1], axis=1)
    return {name: part.reshape(-1, *shapes[name]) for name, part in zip(shapes, parts, strict=True)}
