"""Each scheme trains on its own pictures and labels; all are tested alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ferbench_ferplus
import numpy as np
import pytest

from ferbench.data.registry import add, load
from ferbench.data.splits import make_splits
from ferbench.data.stored import Loaded
from ferbench.nouns.split import Splits


@pytest.fixture
def loaded(copy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path / "registered"))
    (dataset,) = ferbench_ferplus.ferbench_datasets()

    # The made-up pictures have no contempt, which every class of a protocol must have in training.
    seven = tuple(replace(rule, classes=dataset.classes[:7]) for rule in dataset.protocols)
    made = replace(dataset, read=copy.parsed, protocols=seven)
    add(made, copy.write(tmp_path / "both"))
    return load(made)


def splits(loaded: Loaded, name: str) -> Splits:
    return make_splits(loaded, next(rule for rule in loaded.dataset.protocols if rule.name == name))


def test_majority_keeps_pictures_that_most_agree_on(loaded: Loaded) -> None:
    found = splits(loaded, "majority")
    assert (len(found.train), len(found.val), len(found.test)) == (42, 7, 7)
    assert found.train.label_kind == "hard"
    np.testing.assert_array_equal(np.bincount(found.train.targets), [6] * 7)


@pytest.mark.parametrize("name", ["multi-label", "probabilistic", "cross-entropy"])
def test_val_and_test_are_those_of_majority(loaded: Loaded, name: str) -> None:
    found, majority = splits(loaded, name), splits(loaded, "majority")
    for one, other in ((found.val, majority.val), (found.test, majority.test)):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.targets, other.targets)
        assert one.label_kind == "hard"


@pytest.mark.parametrize(("name", "kind"), [("probabilistic", "drawn"), ("cross-entropy", "soft")])
def test_distributions_train_with_the_shares_of_the_votes(loaded: Loaded, name: str, kind: str) -> None:
    train = splits(loaded, name).train
    assert train.label_kind == kind
    assert train.targets.dtype == np.float32 and train.targets.shape == (56, 7)
    np.testing.assert_allclose(train.targets.sum(axis=1), 1)
    assert sorted(set(train.targets.ravel().tolist())) == [0.0, 0.5, 1.0]


def test_multi_label_trains_with_flags_of_what_is_accepted(loaded: Loaded) -> None:
    train = splits(loaded, "multi-label").train
    assert train.label_kind == "accepted"
    assert train.targets.shape == (56, 7)
    assert set(train.targets.ravel().tolist()) == {0.0, 1.0}
    assert np.bincount(train.targets.sum(axis=1).astype(int)).tolist() == [0, 42, 14]


def test_argmax_keeps_every_picture_for_which_an_emotion_leads(loaded: Loaded) -> None:
    found = splits(loaded, "argmax")
    assert (len(found.train), len(found.val), len(found.test)) == (56, 14, 14)
