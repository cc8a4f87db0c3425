"""Training labels of every kind on their way from a protocol to a split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ferbench import DataError, Fold, ProtocolRule, Sample, Samples, View, given_split
from ferbench.data.joining import Joined
from ferbench.data.labels import expected_counts, joined_kind
from ferbench.data.splits import ArraySplit, limited, make_splits, with_sample
from ferbench.data.stored import Loaded
from ferbench.data.summary import class_counts
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.split import Splits

from .conftest import CLASSES, toy_samples

RNG = np.random.default_rng(0)
SHARES = RNG.dirichlet(np.ones(3), 30).astype(np.float32)
FLAGS = np.asarray((SHARES >= 0.3), np.float32)
OF_KIND: dict[LabelKind, np.ndarray] = {"soft": SHARES, "drawn": SHARES, "accepted": FLAGS}
KINDS: list[LabelKind] = list(OF_KIND)
Load = Callable[..., Loaded]


def rule_of(kind: LabelKind, labels: np.ndarray | None = None, **changes: Any) -> ProtocolRule:
    """The given division, trained on other labels."""

    def divide(samples: Samples) -> list[Fold]:
        fold = given_split("train", "val", "test")(samples)[0]
        return [Fold(fold.train, fold.val, fold.test, {"train": OF_KIND[kind] if labels is None else labels})]

    return ProtocolRule(kind, divide, train_labels=kind, **changes)


def splits_of(load_made: Load, rule: ProtocolRule) -> Splits:
    loaded = load_made(toy_samples()[0], protocols=(rule,))
    return make_splits(loaded, rule)


def array_split(splits: Splits) -> ArraySplit:
    assert isinstance(splits.train, ArraySplit)
    return splits.train


@pytest.mark.parametrize("kind", KINDS)
def test_training_labels_have_the_protocols_kind_and_the_others_stay_hard(load_made: Load, kind: LabelKind) -> None:
    splits = splits_of(load_made, rule_of(kind))
    assert (splits.train.label_kind, splits.val.label_kind, splits.test.label_kind) == (kind, "hard", "hard")
    np.testing.assert_array_equal(splits.train.targets, OF_KIND[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_val_joins_train_with_certain_labels_of_its_kind(load_made: Load, kind: LabelKind) -> None:
    splits = splits_of(load_made, rule_of(kind))
    both = Joined(splits.train, splits.val)
    assert both.label_kind == kind
    np.testing.assert_array_equal(both.targets[:30], OF_KIND[kind])
    np.testing.assert_array_equal(both.targets[30:], np.eye(3)[splits.val.targets])
    batch = both.batch(np.array([40, 3]), View(), RNG)
    np.testing.assert_array_equal(batch.target, both.targets[[40, 3]])


def test_which_kinds_can_be_joined_and_which_kind_they_become() -> None:
    assert joined_kind("hard", "hard") == "hard"
    assert [joined_kind(kind, "hard") for kind in KINDS] == [joined_kind("hard", kind) for kind in KINDS] == KINDS
    assert (joined_kind("drawn", "soft"), joined_kind("soft", "drawn")) == ("drawn", "soft")
    for first, second in (("accepted", "soft"), ("multi-hot", "hard"), ("real", "hard")):
        with pytest.raises(DataError, match=f"Labels that are {first} cannot be joined with {second} ones"):
            joined_kind(first, second)  # type: ignore[arg-type]


def test_a_subset_of_the_classes_rescales_shares_and_drops_samples_without_an_accepted_class(load_made: Load) -> None:
    two = (CLASSES[2], CLASSES[0])
    drawn = splits_of(load_made, rule_of("drawn", classes=two)).train
    kept = SHARES[:, [2, 0]]
    np.testing.assert_allclose(drawn.targets, kept / kept.sum(1, keepdims=True), rtol=1e-6)
    accepted = splits_of(load_made, rule_of("accepted", classes=two)).train
    has = FLAGS[:, [2, 0]].any(1)
    assert 0 < has.sum() < 30
    np.testing.assert_array_equal(accepted.targets, FLAGS[has][:, [2, 0]])


@pytest.mark.parametrize(
    ("kind", "labels", "message"),
    [
        ("drawn", SHARES * 2, "must be shares that sum to one"),
        ("accepted", SHARES, r"needs flags \(0 or 1\) and an accepted class"),
        ("accepted", FLAGS * 0, r"needs flags \(0 or 1\) and an accepted class"),
    ],
)
def test_labels_that_are_not_of_their_kind_are_refused(
    load_made: Load, kind: LabelKind, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        splits_of(load_made, rule_of(kind, labels))


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_takes_every_class_by_its_most_probable_label(load_made: Load, kind: LabelKind) -> None:
    train = splits_of(load_made, rule_of(kind)).train
    part = limited(train, 12)
    assert part.label_kind == kind
    classes = np.bincount(OF_KIND[kind].argmax(1), minlength=3)
    np.testing.assert_allclose(np.bincount(part.targets.argmax(1), minlength=3), classes * 12 / 30, atol=1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sampler_may_add_hard_labels_or_replace_all_by_them(load_made: Load, kind: LabelKind) -> None:
    train = array_split(splits_of(load_made, rule_of(kind)))
    more = Sample(extra_inputs={"image": np.zeros((2, 4, 4), np.uint8)}, extra_targets=np.array([1, 2]))
    longer = with_sample(train, more)
    assert longer.label_kind == kind
    np.testing.assert_array_equal(longer.targets[30:], np.eye(3)[[1, 2]])
    cleaned = with_sample(train, Sample(targets=np.zeros(30, np.int64)))
    assert cleaned.label_kind == "hard"
    assert with_sample(train, Sample(targets=OF_KIND[kind][::-1])).label_kind == kind


def test_expected_counts_share_a_sample_among_its_classes() -> None:
    assert expected_counts(np.array([0, 2, 2]), 3).tolist() == [1, 0, 2]
    assert expected_counts(np.array([[0.5, 0.5, 0], [0, 0, 1]], np.float32), 3).tolist() == [0.5, 0.5, 1]
    flags = np.array([[1, 1, 0], [0, 1, 1]], np.float32)
    assert expected_counts(flags, 3, accepted=True).tolist() == [0.5, 1, 0.5]


def test_class_counts_are_sums_of_shares_or_samples_that_accept(load_made: Load) -> None:
    for kind, sums in (("drawn", SHARES.sum(0)), ("accepted", FLAGS.sum(0))):
        rule = rule_of(kind)  # type: ignore[arg-type]
        facts = class_counts(load_made(toy_samples()[0], name=kind, protocols=(rule,)), rule)
        assert facts["train"]["n"] == 30
        assert list(facts["train"]["classes"].values()) == pytest.approx(sums.tolist(), abs=1e-3)
        assert facts["test"]["classes"] == {"anger": 5, "fear": 5, "neutral": 5}
