"""Makes the demo data set: drawn faces with everything that goes wrong in real ones, and the truth beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ferbench.builtin.demo_faces import draw_faces
from ferbench.builtin.demo_people import draw_people, draw_shots
from ferbench.builtin.demo_random import Draws, Ints
from ferbench.builtin.demo_units import UNITS, draw_units
from ferbench.nouns.dataset import Parsed, ReadContext, Samples
from ferbench.nouns.emotions import EMOTIONS

CLASSES = EMOTIONS[:7]

SIDES: Mapping[str, tuple[int, ...]] = {
    "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "val": (467, 56, 496, 895, 653, 415, 607),
    "test": (491, 55, 528, 879, 594, 416, 626),
}
"""Images per class of FER2013's Training, PublicTest and PrivateTest (Goodfellow et al. 2013), whose shares we keep."""

SHARES = {"train": 4, "val": 1, "test": 1}
"""How the demo's faces are shared out. FER2013 keeps 8:1:1; more faces in the tests make differences easier to see."""

NOISE = {"train": 0.06, "val": 0.03, "test": 0.03}
"""Share of faces of each side whose label is wrong, besides copies with contradictory labels."""

COPIES = 0.02
"""Share of faces of each side that are pixel-exact copies of a face in train."""

CONTRADICTORY = 0.25
"""Share of the copies whose label differs from the original's."""

CONFUSED: Mapping[str, tuple[str, ...]] = {
    "anger": ("disgust", "sadness", "neutral"),
    "disgust": ("anger", "sadness", "anger"),
    "fear": ("surprise", "sadness", "surprise"),
    "happiness": ("neutral", "surprise", "neutral"),
    "sadness": ("neutral", "fear", "anger"),
    "surprise": ("fear", "happiness", "fear"),
    "neutral": ("sadness", "anger", "happiness"),
}
"""What a face that was wrongly given a label shows in truth."""


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Draw the 3,000 faces of the demo; ``path`` and ``context`` are not used, since nothing is read from disk."""
    return make_demo()


def make_demo(n: int = 3000, persons: int = 60, seed: int = 2013) -> Parsed:
    """Draw a demo data set of ``n`` faces of ``persons`` persons; the same arguments give the same bytes everywhere.

    Columns: ``true_label`` (int64, index into the classes, what the face shows), ``duplicate_of`` (id of the original
    of an exact copy, else empty), ``au_1`` … ``au_26`` (float32, intensity of each action unit from 0 to 5).
    """
    draws = Draws(seed)
    origin, labels = _sides(n, draws)
    subjects = np.minimum((persons * (1 - np.sqrt(1 - 0.9 * draws.unit(n))) / 0.6838).astype(np.int64), persons - 1)
    truth = _truth(origin, labels, draws)
    originals = _originals(origin, labels, draws)
    truth, subjects = truth[originals], subjects[originals]
    units = draw_units(draws, truth, CLASSES)
    pictures = draw_faces(draw_people(draws, persons), subjects, draw_shots(draws, n), units, draws)
    ids = np.array([f"demo-{i:05d}" for i in range(n)])
    columns = {f"au_{unit}": 5 * units[originals, i] for i, unit in enumerate(UNITS)}
    columns["true_label"] = truth
    columns["duplicate_of"] = np.where(originals == np.arange(n), "", ids[originals])
    groups = {"subject": np.array([f"person-{s:02d}" for s in subjects])}
    samples = Samples(ids=ids, targets=labels, origin=origin, groups=groups, columns=columns)
    return Parsed(samples=samples, inputs={"image": pictures[originals]})


def _shared_out(n: int, weights: tuple[int, ...]) -> Ints:
    """Divide ``n`` in proportion to whole-number weights, by largest remainder; int64, sums to ``n``."""
    exact = np.array(weights, np.int64) * n
    counts, rest = exact // sum(weights), exact % sum(weights)
    counts[np.argsort(-rest, kind="stable")[: n - counts.sum()]] += 1
    return counts


def _sides(n: int, draws: Draws) -> tuple[np.ndarray, Ints]:
    """Name the side of each face and give it a label, in FER2013's proportions."""
    sizes = _shared_out(n, tuple(SHARES.values()))
    labels = []
    for size, counts in zip(sizes.tolist(), SIDES.values(), strict=True):
        ordered = np.repeat(np.arange(len(CLASSES)), _shared_out(size, counts))
        labels.append(ordered[draws.order(size)])
    return np.repeat(list(SIDES), sizes), np.concatenate(labels)


def _truth(origin: np.ndarray, labels: Ints, draws: Draws) -> Ints:
    """What each face shows: its label, but for a known share of wrong ones."""
    confused = np.array([[CLASSES.index(name) for name in CONFUSED[label]] for label in CLASSES])
    truth = labels.copy()
    for side, rate in NOISE.items():
        rows = np.flatnonzero(origin == side)
        wrong = rows[draws.order(len(rows))[: round(rate * len(rows))]]
        truth[wrong] = confused[labels[wrong], draws.below(len(wrong), confused.shape[1])]
    return truth


def _originals(origin: np.ndarray, labels: Ints, draws: Draws) -> Ints:
    """Index of the face that each face is a copy of; its own where it is none. Originals stand in train."""
    originals = np.arange(len(labels))
    copies = []
    for side in SIDES:
        rows = np.flatnonzero(origin == side)
        copies += rows[draws.order(len(rows))[: round(COPIES * len(rows))]].tolist()
    pool = np.setdiff1d(np.flatnonzero(origin == "train"), copies)
    pool = pool[draws.order(len(pool))]
    contradictory = draws.unit(len(copies)) < CONTRADICTORY
    for copy, differs in zip(copies, contradictory, strict=True):
        # A class of few faces may have no second one to copy.
        fitting = np.flatnonzero((labels[pool] != labels[copy]) == differs)
        if len(fitting):
            originals[copy] = pool[fitting[0]]
            pool = np.delete(pool, fitting[0])
    return originals
