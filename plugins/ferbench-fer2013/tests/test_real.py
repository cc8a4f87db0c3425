"""The real data, where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import ferbench_fer2013
import numpy as np
import pytest

from ferbench.data.registry import add, load
from ferbench.data.splits import ArraySplit, copies_in, make_splits
from ferbench.data.stored import Loaded

FINGERPRINT = "9660130b8bb0ccaf692a3999aa18c6d7"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    archive = Path(os.environ.get("FERBENCH_TEST_DATA", "")) / "fer2013" / "fer2013.tar.gz"
    if "FERBENCH_TEST_DATA" not in os.environ or not archive.exists():
        pytest.skip("FERBENCH_TEST_DATA does not name a folder with fer2013/fer2013.tar.gz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        (dataset,) = ferbench_fer2013.ferbench_datasets()
        registered = add(dataset, archive)
        assert registered.partial == ""
        assert add(dataset, archive).already
        return load(dataset)


def counts_of(loaded: Loaded, protocol: str) -> dict[str, list[int]]:
    rule = next(rule for rule in loaded.dataset.protocols if rule.name == protocol)
    splits = make_splits(loaded, rule)
    return {side: np.bincount(getattr(splits, side).targets).tolist() for side in ("train", "val", "test")}


TRAINING = [3995, 436, 4097, 7215, 4830, 3171, 4965]
PUBLIC = [467, 56, 496, 895, 653, 415, 607]
PRIVATE = [491, 55, 528, 879, 594, 416, 626]


def test_the_official_protocols_have_the_official_counts(loaded: Loaded) -> None:
    assert counts_of(loaded, "official") == {"train": TRAINING, "val": PUBLIC, "test": PRIVATE}
    assert counts_of(loaded, "public-test") == {"train": TRAINING, "val": PRIVATE, "test": PUBLIC}
    six = {"train": TRAINING[:6], "val": PUBLIC[:6], "test": PRIVATE[:6]}
    assert counts_of(loaded, "6-class") == six


def test_the_merged_test_has_7178_pictures_and_val_is_a_tenth(loaded: Loaded) -> None:
    counts = counts_of(loaded, "merged-test")
    assert counts["test"] == [958, 111, 1024, 1774, 1247, 831, 1233]
    assert np.add(counts["train"], counts["val"]).tolist() == TRAINING
    np.testing.assert_allclose(counts["val"], np.array(TRAINING) / 10, rtol=0.05)


def test_dealing_anew_leaves_no_copy_on_two_sides(loaded: Loaded) -> None:
    rule = next(rule for rule in loaded.dataset.protocols if rule.name == "paper-80-20")
    splits = make_splits(loaded, rule)
    train, val, test = splits.train, splits.val, splits.test
    assert isinstance(train, ArraySplit) and isinstance(val, ArraySplit) and isinstance(test, ArraySplit)
    assert not copies_in(train, val).any() and not copies_in(train, test).any() and not copies_in(val, test).any()
    assert len(train) + len(val) + len(test) == 35_887
    assert len(test) == pytest.approx(7_177, abs=40)


def test_the_copies_between_the_official_splits_are_known(loaded: Loaded) -> None:
    splits = make_splits(loaded, loaded.dataset.default_protocol)
    train, val, test = splits.train, splits.val, splits.test
    assert isinstance(train, ArraySplit) and isinstance(val, ArraySplit) and isinstance(test, ArraySplit)
    assert int(copies_in(train, val).sum()) == 280
    assert int(copies_in(train, test).sum()) == 288
    assert loaded.samples.hashes is not None
    assert 35_887 - len(np.unique(loaded.samples.hashes)) == 1_854


def test_pixels_and_labels_always_have_the_same_fingerprint(loaded: Loaded) -> None:
    assert loaded.fingerprint == FINGERPRINT
    again = load_again(loaded)
    assert again.fingerprint == loaded.fingerprint
    assert again.inputs is not None and loaded.inputs is not None
    np.testing.assert_array_equal(again.inputs["image"], loaded.inputs["image"])
    assert loaded.inputs["image"][0, 0, :5].tolist() == [70, 80, 82, 72, 58]


def load_again(loaded: Loaded) -> Loaded:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERBENCH_DATA", str(loaded.root.parent.parent))
        return load(loaded.dataset)
