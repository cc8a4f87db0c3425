"""Predictions are of the side that they name, and scores are told with and without copied samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ferbench import DataError
from ferbench.builtin.demo import demo_dataset
from ferbench.data.registry import load
from ferbench.data.splits import make_splits
from ferbench.plugins import discover
from ferbench.running.api import make_leaderboard
from ferbench.running.importing import Origin, import_predictions
from ferbench.store.store import Store
from ferbench.store.uses import uses_in

PUBLIC = (467, 56, 496, 895, 653, 415, 607)
PRIVATE = (491, 55, 528, 879, 594, 416, 626)
"""Images per class of FER2013's PublicTest and PrivateTest (Goodfellow et al. 2013)."""

COUNTS = f"""
SIDES = {{"Training": (3995, 436, 4097, 7215, 4830, 3171, 4965), "PublicTest": {PUBLIC}, "PrivateTest": {PRIVATE}}}
NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")

def read(path, context):
    import numpy as np
    from ferbench import Parsed, Samples
    rng = np.random.default_rng(0)
    labels = np.concatenate([rng.permutation(np.repeat(range(7), counts)) for counts in SIDES.values()])
    origin = np.repeat(list(SIDES), [sum(counts) for counts in SIDES.values()])
    ids = np.array([f"i{{i:05d}}" for i in range(len(labels))])
    return Parsed(Samples(ids, labels, origin), {{"image": rng.integers(0, 255, (len(labels), 2, 2)).astype(np.uint8)}})

@hookimpl
def ferbench_datasets():
    from ferbench import ProtocolRule, given_split
    official = ProtocolRule("official", given_split("Training", "PublicTest", "PrivateTest"))
    public = ProtocolRule("public-test", given_split("Training", "PrivateTest", "PublicTest"))
    yield Dataset("counted", "FER2013's class counts", NAMES, (official, public), read, embedded=True)
"""


def labels_alone(path: Path, counts: tuple[int, ...]) -> Path:
    """Predictions without ids, whose labels have these class counts."""
    labels = np.repeat(range(7), counts)
    pd.DataFrame({"label": labels, "prediction": labels}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("protocol", "counts", "real"),
    [
        ("official", PUBLIC, "the val side of counted@official"),
        ("public-test", PRIVATE, "the test side of counted@official|the val side of counted@public-test"),
        ("official", tuple(np.add(PUBLIC, PRIVATE).tolist()), "They are no side of any protocol of counted"),
        ("official", (416, 55, 528, 879, 594, 491, 626), "They are no side of any protocol of counted"),
    ],
)
def test_public_for_private_test_is_refused_by_its_class_counts(
    install: Callable[..., Path], data_root: Path, tmp_path: Path, protocol: str, counts: tuple[int, ...], real: str
) -> None:
    install("counted", COUNTS)
    table = labels_alone(tmp_path / "labels.csv", counts)
    with pytest.raises(DataError, match=real) as refused:
        import_predictions(table, f"counted@{protocol}", Origin("theirs"), tmp_path / "out", discover())
    assert ", ".join(map(str, counts)) in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_the_leak_free_score_of_the_demo_is_that_without_its_known_copies(tmp_path: Path) -> None:
    loaded = load(demo_dataset())
    test = make_splits(loaded, loaded.dataset.default_protocol).test
    side = dict(zip(loaded.samples.ids.tolist(), np.asarray(loaded.samples.origin).tolist(), strict=True))
    original = dict(zip(loaded.samples.ids.tolist(), loaded.samples.columns["duplicate_of"].tolist(), strict=True))
    copied = np.array([side.get(original[name], "") == "train" for name in test.ids.tolist()])
    assert 0 < copied.sum() < len(test)
    rng = np.random.default_rng(0)
    right = copied | (rng.random(len(test)) < 0.5)  # whoever learnt the copies by heart
    guess = np.where(right, test.targets, (test.targets + 1) % 7)
    path = tmp_path / "by-heart.csv"
    names = np.array(test.classes)
    pd.DataFrame({"id": test.ids, "prediction": names[guess]}).to_csv(path, index=False)
    origin = Origin("by-heart", selection="last")
    import_predictions(path, "demo@official", origin, tmp_path / "out", discover())
    board = make_leaderboard([tmp_path / "out"], discover())
    row = next(row for row in board.rows if row["model"] == "by-heart")
    assert (row["n_test"], row["n_leakfree"]) == (len(test), len(test) - copied.sum())
    assert row["accuracy_mean"] == pytest.approx(right.mean())
    assert row["accuracy_leakfree"] == pytest.approx(right[~copied].mean())
    recalls = [right[~copied & (test.targets == i)].mean() for i in range(7)]
    assert row["balanced-accuracy_leakfree"] == pytest.approx(np.mean(recalls))
    assert f"Copies across sides: {copied.sum()} of 500 test samples" in " ".join(board.blocks[0].captions)
    assert [use.kind for use in uses_in(Store(tmp_path / "out"))] == ["import"]
