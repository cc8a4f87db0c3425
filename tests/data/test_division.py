"""Divisions keep together what belongs together, are alike in their classes, and never change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ferbench import (
    DataError,
    Fold,
    Samples,
    carve,
    given_split,
    grouped_holdout,
    k_fold,
    leave_one_group_out,
    merged_split,
)

COUNT = 2000


def crowd(count: int = COUNT, subjects: int = 40) -> Samples:
    """Samples of which one in ten is a copy of another, of unequal classes, with subjects."""
    rng = np.random.default_rng(5)
    hashes = rng.integers(0, 2**63, count).astype(np.uint64)
    hashes[: count // 10] = hashes[count // 2 : count // 2 + count // 10]
    return Samples(
        ids=np.array([f"s-{i}" for i in range(count)]),
        targets=rng.choice(4, count, p=[0.6, 0.25, 0.13, 0.02]),
        origin=np.array(["a", "b", "c", "d"])[np.arange(count) % 4],
        groups={"subject": np.array([f"p{i:02d}" for i in rng.integers(0, subjects, count)])},
        hashes=hashes,
    )


def parts_of(fold: Fold) -> list[np.ndarray]:
    return [fold.train, fold.test] if fold.val is None else [fold.train, fold.val, fold.test]


def shared(values: np.ndarray, fold: Fold) -> set[str]:
    sides = [set(values[rows].tolist()) for rows in parts_of(fold)]
    return {x for i, side in enumerate(sides) for other in sides[i + 1 :] for x in side & other}


def shares(samples: Samples, rows: np.ndarray) -> np.ndarray:
    return np.bincount(samples.targets[rows], minlength=4) / len(rows)


def test_given_splits_follow_the_names_of_the_data_set() -> None:
    samples = crowd()
    (fold,) = given_split("a", "b", "c")(samples)
    assert samples.origin is not None
    assert set(samples.origin[fold.train]) == {"a"} and set(samples.origin[fold.test]) == {"c"}
    assert fold.val is not None and set(samples.origin[fold.val]) == {"b"}
    assert given_split("a", None, "c")(samples)[0].val is None


def test_merged_splits_take_what_the_copy_has() -> None:
    samples = crowd()
    (fold,) = merged_split("a", "b", "c", "absent")(samples)
    assert samples.origin is not None
    assert set(samples.origin[fold.test]) == {"b", "c"}
    with pytest.raises(DataError, match="no split to test on; its own splits are: a, b, c, d"):
        merged_split("a", "absent")(samples)


def test_a_split_that_the_copy_lacks_is_named() -> None:
    with pytest.raises(DataError, match="no split e; its own splits are: a, b, c, d"):
        given_split("a", "b", "e")(crowd())
    with pytest.raises(DataError, match="its own splits are: none"):
        given_split("a", "b", "c")(replace(crowd(), origin=None))


@pytest.mark.parametrize("by", [None, "subject"])
def test_a_holdout_keeps_copies_and_groups_together(by: str | None) -> None:
    samples = crowd(subjects=600)
    (fold,) = grouped_holdout(0.2, by)(samples)
    assert len(fold.test) == pytest.approx(0.2 * COUNT, rel=0.1)
    assert samples.hashes is not None
    assert not shared(samples.hashes, fold)
    assert bool(shared(samples.groups["subject"], fold)) == (by is None)
    np.testing.assert_allclose(shares(samples, fold.test), shares(samples, fold.train), atol=0.03)
    assert sorted(np.concatenate(parts_of(fold)).tolist()) == list(range(COUNT))


def test_folds_test_every_sample_once() -> None:
    samples = crowd()
    folds = k_fold(5)(samples)
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(COUNT))
    assert samples.hashes is not None
    for fold in folds:
        assert not shared(samples.hashes, fold)
        np.testing.assert_allclose(shares(samples, fold.test), shares(samples, fold.train), atol=0.03)


def test_leaving_one_out_takes_each_group_in_turn() -> None:
    samples = crowd(200, 7)
    samples.groups["subject"][:5] = ""
    folds = leave_one_group_out("subject")(samples)
    assert [set(samples.groups["subject"][fold.test]) for fold in folds] == [{f"p{i:02d}"} for i in range(7)]
    assert all(5 + len(fold.train) + len(fold.test) == 200 for fold in folds)


def members(folds: Sequence[Fold], samples: Samples) -> list[set[str]]:
    return [set(samples.ids[fold.test].tolist()) for fold in folds]


@pytest.mark.parametrize("divide", [grouped_holdout(0.3), k_fold(3), k_fold(3, "subject")])
def test_a_division_does_not_depend_on_the_order_of_the_samples(divide: object) -> None:
    samples = crowd(300, 200)
    order = np.random.default_rng(3).permutation(300)
    assert samples.hashes is not None and samples.origin is not None
    turned = Samples(
        samples.ids[order],
        samples.targets[order],
        samples.origin[order],
        {"subject": samples.groups["subject"][order]},
        hashes=samples.hashes[order],
    )
    assert members(divide(samples), samples) == members(divide(turned), turned)  # type: ignore[operator]


def test_a_division_never_changes() -> None:
    """These are frozen: results of earlier runs depend on them."""
    samples = Samples(np.array([f"s-{i}" for i in range(30)]), np.arange(30) % 2)
    assert grouped_holdout(0.2)(samples)[0].test.tolist() == [1, 2, 4, 11, 17, 18]
    assert k_fold(5, seed=3)(samples)[1].test.tolist() == [5, 8, 16, 20, 21, 29]


def test_other_seeds_divide_otherwise() -> None:
    samples = crowd()
    a, b = (set(grouped_holdout(0.2, seed=seed)(samples)[0].test.tolist()) for seed in (0, 1))
    assert 0.02 < len(a & b) / COUNT < 0.08


def test_val_can_be_carved_in_another_size() -> None:
    samples = crowd()
    soft = np.eye(4, dtype=np.float32)[samples.targets]

    def given(samples: Samples) -> list[Fold]:
        fold = given_split("a", None, "c")(samples)[0]
        return [Fold(fold.train, None, fold.test, {"train": soft[fold.train]})]

    (fold,) = carve(given, 0.25)(samples)
    assert fold.val is not None
    assert len(fold.val) == pytest.approx(125, abs=10)
    np.testing.assert_array_equal(fold.targets["train"], soft[fold.train])
    with pytest.raises(DataError, match="has its own"):
        carve(given_split("a", "b", "c"))(samples)


def test_groups_that_share_a_picture_stay_together() -> None:
    """A picture of p0 is also p1's, one of p1 also p2's: all three are one group."""
    samples = Samples(
        ids=np.array([f"s-{i}" for i in range(12)]),
        targets=np.zeros(12, dtype=np.int64),
        groups={"subject": np.array(["p0", "p0", "p1", "p1", "p2", "p2", "p3", "p4", "p5", "p6", "p7", "p8"])},
        hashes=np.array([1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10], dtype=np.uint64),
    )
    for seed in range(20):
        (fold,) = grouped_holdout(0.3, "subject", seed)(samples)
        assert len({0, 1, 2, 3, 4, 5} & set(fold.test.tolist())) in (0, 6)


def test_unknown_groups_tie_nothing_together() -> None:
    samples = replace(crowd(), groups={"subject": np.full(COUNT, "")})
    assert len(grouped_holdout(0.2, "subject")(samples)[0].test) == pytest.approx(0.2 * COUNT, rel=0.1)


def test_too_few_groups_are_named() -> None:
    samples = crowd(40, 1)
    with pytest.raises(DataError, match=r"40 samples in 1 groups .*identical pixels, subject"):
        grouped_holdout(0.2, "subject")(samples)
    with pytest.raises(DataError, match="in 1 groups cannot be divided into 5 folds"):
        k_fold(5, "subject")(samples)
    with pytest.raises(DataError, match="needs at least two; the data set has 1"):
        leave_one_group_out("subject")(samples)
    with pytest.raises(DataError, match=r"names no 'clip' of its samples .*: subject"):
        k_fold(5, "clip")(samples)
