"""The sides of a fold: what they hold, what they refuse, and what a sampler may change."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench import DataError, Fold, ProtocolRule, Sample, Samples, View, given_split, grouped_holdout, k_fold
from ferbench.data.registry import add, load
from ferbench.data.splits import ArraySplit, StreamSplit, copies_in, count_folds, limited, make_splits, with_sample
from ferbench.data.stored import Loaded
from ferbench.nouns.dataset import Parsed
from ferbench.nouns.split import Split, Splits

from .conftest import COUNT, toy_dataset, toy_samples

GIVEN = given_split("train", "val", "test")
RNG = np.random.default_rng(0)


def split_of(loaded: Loaded, rule: ProtocolRule, fold: int = 0) -> Splits:
    return make_splits(replace(loaded, protocols=(*loaded.protocols, rule.name)), rule, fold)


def everything(split: Split) -> np.ndarray:
    return np.arange(len(split))


def test_a_side_holds_its_samples_alone(loaded: Loaded) -> None:
    samples, pictures = toy_samples()
    splits = make_splits(loaded, loaded.dataset.default_protocol)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (30, 15, 15)
    for split, side in ((splits.train, "train"), (splits.val, "val"), (splits.test, "test")):
        rows = np.flatnonzero(samples.origin == side)
        assert split.ids.tolist() == samples.ids[rows].tolist()
        assert split.arrays is not None
        np.testing.assert_array_equal(split.arrays["image"], pictures[rows])
        batch = split.batch(np.array([2, 0, 2]), View(), RNG)
        np.testing.assert_array_equal(batch.inputs["image"], pictures[rows[[2, 0, 2]]])
        np.testing.assert_array_equal(batch.target, samples.targets[rows[[2, 0, 2]]])


def test_rows_that_follow_one_another_are_not_copied(loaded: Loaded) -> None:
    train = make_splits(loaded, loaded.dataset.default_protocol).train
    assert train.arrays is not None and loaded.inputs is not None
    assert np.shares_memory(train.arrays["image"], loaded.inputs["image"])


def test_val_is_carved_from_train_where_there_is_none(loaded: Loaded) -> None:
    rule = ProtocolRule("carved", given_split("train", None, "test"))
    splits = split_of(loaded, rule)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (27, 3, 15)
    assert set(splits.val.targets.tolist()) == {0, 1, 2}
    assert not set(splits.train.ids) & set(splits.val.ids)
    again = split_of(loaded, rule)
    assert again.val.ids.tolist() == splits.val.ids.tolist()
    other = split_of(loaded, replace(rule, seed=1))
    assert other.val.ids.tolist() != splits.val.ids.tolist()


def test_folds_are_counted(loaded: Loaded) -> None:
    rule = loaded.dataset.protocols[1]
    assert count_folds(loaded, rule) == 3
    with pytest.raises(DataError, match=r"toys@3-fold has 3 folds, counted from 0; there is no fold 3\."):
        make_splits(loaded, rule, 3)


def test_a_protocol_may_keep_some_classes_in_its_own_order(loaded: Loaded) -> None:
    splits = split_of(loaded, ProtocolRule("two", GIVEN, classes=("neutral", "anger")))
    full = make_splits(loaded, loaded.dataset.default_protocol)
    kept = full.train.targets != 1
    assert splits.train.classes == ("neutral", "anger")
    assert splits.train.ids.tolist() == full.train.ids[kept].tolist()
    assert splits.train.targets.tolist() == [{2: 0, 0: 1}[target] for target in full.train.targets[kept].tolist()]


def test_a_class_that_the_data_set_lacks_is_named(loaded: Loaded) -> None:
    with pytest.raises(DataError, match=r"the class 'angry', which the data set lacks\. Did you mean 'anger'\?"):
        split_of(loaded, ProtocolRule("two", GIVEN, classes=("angry", "fear")))


def test_soft_labels_are_scaled_to_the_classes_that_are_kept(load_made: Callable[..., Loaded]) -> None:
    samples, _ = toy_samples()
    votes = np.eye(3, dtype=np.float32)[samples.targets] * 0.5 + np.array([0.3, 0.2, 0], np.float32)
    votes[0] = (0, 0, 1)
    rule = ProtocolRule("two", GIVEN, classes=("fear", "anger"))
    loaded = load_made(replace(samples, targets=votes), task="soft-labels", protocols=(rule,))
    train = make_splits(loaded, rule).train
    assert train.label_kind == "soft" and train.ids[0] == "toy-001"
    np.testing.assert_allclose(train.targets.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(train.targets[0], [0.7, 0.3], rtol=1e-6)  # fear: 0.7 of 0.7 + 0.3


def test_a_protocol_may_train_on_other_labels_than_it_tests_on(loaded: Loaded) -> None:
    soft = np.full((COUNT, 3), 1 / 3, dtype=np.float32)

    def divide(samples: Samples) -> Sequence[Fold]:
        fold = given_split("train", None, "test")(samples)[0]
        return [Fold(fold.train, None, fold.test, {"train": soft[fold.train]})]

    splits = split_of(loaded, ProtocolRule("soft-training", divide, train_labels="soft"))
    assert (splits.train.label_kind, splits.val.label_kind, splits.test.label_kind) == ("soft", "hard", "hard")
    assert splits.train.targets.shape == (27, 3) and splits.val.targets.shape == (3,)
    with pytest.raises(DataError, match="train: the targets are not 'soft' labels of its 30 samples"):
        split_of(loaded, ProtocolRule("broken", GIVEN, train_labels="soft"))


def with_subjects(load_made: Callable[..., Loaded], **rule: Any) -> tuple[Loaded, ProtocolRule]:
    samples, _ = toy_samples()
    subjects = np.array([f"p{i % 10}" for i in range(COUNT)])
    made = ProtocolRule("p", **rule)
    return load_made(replace(samples, groups={"subject": subjects}), protocols=(made,)), made


@pytest.mark.parametrize("unit", ["subject", "sample"])
def test_a_group_on_two_sides_is_refused_unless_allowed(load_made: Callable[..., Loaded], unit: str) -> None:
    loaded, rule = with_subjects(load_made, divide=GIVEN, unit=unit)
    with pytest.raises(DataError, match=r"10 subjects stand on several sides \(p0, p1, p2…\).*allow_leak=True"):
        make_splits(loaded, rule)
    splits = make_splits(loaded, replace(rule, allow_leak=True))
    assert splits.notes == ("10 subjects on several sides (allowed)",)


def test_a_carved_val_shares_no_group_with_train(load_made: Callable[..., Loaded]) -> None:
    loaded, rule = with_subjects(load_made, divide=grouped_holdout(0.2, "subject"), unit="subject")
    splits = make_splits(loaded, rule)
    sides = [set(split.groups["subject"].tolist()) for split in (splits.train, splits.val, splits.test)]
    assert [len(side) for side in sides] == [7, 1, 2]
    assert len(set.union(*sides)) == 10
    assert splits.notes == ()


def test_a_unit_that_the_data_do_not_know_is_named(loaded: Loaded) -> None:
    with pytest.raises(DataError, match="names no 'clip'"):
        split_of(loaded, ProtocolRule("by-clip", GIVEN, unit="clip"))


def fold_of(train: Sequence[int], val: Sequence[int], test: Sequence[int]) -> Callable[[Samples], Sequence[Fold]]:
    return lambda _: [Fold(np.array(train, int), np.array(val, int), np.array(test, int))]


@pytest.mark.parametrize(
    ("divide", "message"),
    [
        (fold_of(range(10), range(9, 20), range(20, 30)), "1 samples stand on several sides"),
        (fold_of(range(10), [], range(20, 30)), "val is empty"),
        (fold_of([0, 1, 2, 2], range(10, 20), range(20, 30)), "train repeats samples"),
        (fold_of(range(10), range(10, 20), [99]), "test repeats samples, or names some that are not there"),
        (fold_of([0, 1, 3, 4], range(10, 20), range(20, 30)), "train has no sample of neutral"),
        (lambda _: [], "has no folds"),
        (given_split("train", "val", "absent"), "cannot be divided: This copy has no split absent"),
    ],
)
def test_a_division_that_cannot_be_is_refused(
    loaded: Loaded, divide: Callable[[Samples], Sequence[Fold]], message: str
) -> None:
    with pytest.raises(DataError, match=f"toys@odd.*{message}"):
        split_of(loaded, ProtocolRule("odd", divide))


def test_a_protocol_that_the_copy_does_not_offer_is_named(loaded: Loaded) -> None:
    with pytest.raises(DataError, match="does not offer protocol 'other', only official, 3-fold"):
        make_splits(loaded, ProtocolRule("other", GIVEN))


def test_copies_of_training_pictures_are_told(load_made: Callable[..., Loaded]) -> None:
    samples, pictures = toy_samples()
    pictures[50], pictures[52], pictures[40] = pictures[3], pictures[4], pictures[5]
    splits = make_splits(load_made(samples, pictures), ProtocolRule("official", GIVEN))
    assert isinstance(splits.train, ArraySplit) and isinstance(splits.test, ArraySplit)
    assert splits.test.ids[copies_in(splits.train, splits.test)].tolist() == ["toy-050", "toy-052"]


def test_dealing_anew_keeps_identical_pictures_on_one_side(load_made: Callable[..., Loaded]) -> None:
    samples, pictures = toy_samples()
    pictures[30:] = pictures[:30]
    for rule in (ProtocolRule("80-20", grouped_holdout(0.2)), ProtocolRule("3-fold", k_fold(3))):
        splits = make_splits(load_made(samples, pictures, protocols=(rule,)), rule)
        sides = [splits.train, splits.val, splits.test]
        hashes = [set(split.hashes.tolist()) for split in sides if isinstance(split, ArraySplit)]
        assert sum(map(len, hashes)) == len(set.union(*hashes)) == 30


def test_a_limit_takes_the_first_of_every_class(load_made: Callable[..., Loaded]) -> None:
    samples, _ = toy_samples(400)
    rare = np.where(np.arange(400) % 20 == 13, 2, np.arange(400) % 2)
    train = make_splits(load_made(replace(samples, targets=rare)), ProtocolRule("official", GIVEN)).train
    few = limited(train, 40)
    assert np.bincount(few.targets).tolist() == [20, 18, 2]
    assert few.ids.tolist() == sorted(few.ids.tolist())
    assert set(limited(train, 3).targets.tolist()) == {0, 1, 2}
    assert set(limited(train, 17).ids) < set(few.ids)
    for label in (0, 1, 2):
        own = train.ids[train.targets == label]
        assert few.ids[few.targets == label].tolist() == own[: int((few.targets == label).sum())].tolist()


def test_a_limit_beyond_the_split_changes_nothing(loaded: Loaded) -> None:
    train = make_splits(loaded, loaded.dataset.default_protocol).train
    assert limited(train, 30) is train
    with pytest.raises(DataError, match="the limit is 0"):
        limited(train, 0)


def test_a_sampler_may_replace_targets_and_add_samples(loaded: Loaded) -> None:
    train = make_splits(loaded, loaded.dataset.default_protocol).train
    turned = (train.targets + 1) % 3
    extra = np.full((2, 4, 4), 7, dtype=np.uint8)
    changed = with_sample(train, Sample(targets=turned, extra_inputs={"image": extra}, extra_targets=np.array([0, 2])))
    assert changed.targets.tolist() == [*turned.tolist(), 0, 2]
    assert len(changed) == 32 and len(set(changed.ids.tolist())) == 32
    assert changed.arrays is not None and train.arrays is not None
    np.testing.assert_array_equal(changed.arrays["image"], np.concatenate([train.arrays["image"], extra]))
    np.testing.assert_array_equal(changed.batch(np.array([31]), View(), RNG).inputs["image"], extra[1:])
    assert len(train) == 30


def test_a_sampler_may_make_labels_soft(loaded: Loaded) -> None:
    train = make_splits(loaded, loaded.dataset.default_protocol).train
    soft = np.full((30, 3), 1 / 3)
    assert with_sample(train, Sample(targets=soft)).label_kind == "soft"
    mixed = with_sample(
        train,
        Sample(extra_inputs={"image": np.zeros((1, 4, 4), np.uint8)}, extra_targets=np.array([[0.5, 0.5, 0]])),
    )
    assert mixed.label_kind == "soft" and mixed.targets.dtype == np.float32
    assert mixed.targets[[0, -1]].tolist() == [[1, 0, 0], [0.5, 0.5, 0]]


def test_a_sample_that_decides_nothing_changes_nothing(loaded: Loaded) -> None:
    train = make_splits(loaded, loaded.dataset.default_protocol).train
    assert with_sample(train, Sample(weights=np.ones(30, np.float32))) is train


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (Sample(targets=np.zeros(29, dtype=int)), r"targets have the shape \(29,\), for 30 samples of 3 classes"),
        (Sample(targets=np.full(30, 3)), "targets are not all within 0 to 2"),
        (Sample(extra_inputs={"image": np.zeros((1, 4, 4), np.uint8)}), "both their inputs and their targets"),
        (
            Sample(extra_inputs={"image": np.zeros((1, 5, 5), np.uint8)}, extra_targets=np.array([0])),
            r"extra input 'image' is uint8 \[1, 5, 5\], not uint8 \[1, 4, 4\]",
        ),
        (Sample(extra_inputs={}, extra_targets=np.array([0])), "extra input 'image' is missing"),
    ],
)
def test_a_sampler_s_mistakes_are_named(loaded: Loaded, sample: Sample, message: str) -> None:
    train = make_splits(loaded, loaded.dataset.default_protocol).train
    with pytest.raises(DataError, match=message):
        with_sample(train, sample)


def decode_clip(path: Path, view: View, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Frames of 2×2 pixels, as many as the file's first byte says, or those of the view."""
    content = path.read_bytes()
    frames = view.frames or content[0]
    return {"image": np.full((frames, 2, 2), content[1], dtype=np.uint8)}


@pytest.fixture
def clips(tmp_path: Path) -> StreamSplit:
    """A training split that streams; the i-th clip has 1 + i % 3 frames."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for i in range(COUNT):
        (folder / f"{i:03d}.raw").write_bytes(bytes([1 + i % 3, i]))
    samples, _ = toy_samples()
    files = [f"{i:03d}.raw" for i in range(COUNT)]
    dataset = toy_dataset(lambda *_: Parsed(samples, files=files), decode=decode_clip)
    add(dataset, folder)
    train = make_splits(load(dataset), dataset.default_protocol).train
    assert isinstance(train, StreamSplit)
    return train


def test_a_split_that_streams_reads_what_it_is_asked_for(clips: StreamSplit) -> None:
    assert clips.arrays is None and len(clips) == 30
    batch = clips.batch(np.array([4, 1]), View(frames=2), RNG)
    assert batch.inputs["image"].shape == (2, 2, 2, 2)
    assert batch.inputs["image"][:, 0, 0, 0].tolist() == [4, 1]
    assert batch.mask is None and batch.target.tolist() == [1, 1]


def test_clips_of_unequal_length_are_filled_up_and_masked(clips: StreamSplit) -> None:
    batch = clips.batch(np.array([0, 2, 1]), View(), RNG)
    assert batch.mask.tolist() == [[True, False, False], [True, True, True], [True, True, False]]
    assert batch.inputs["image"][:, :, 0, 0].tolist() == [[0, 0, 0], [2, 2, 2], [1, 1, 0]]


def test_a_split_that_streams_travels_to_another_process(clips: StreamSplit) -> None:
    copy = pickle.loads(pickle.dumps(clips))
    np.testing.assert_array_equal(
        copy.batch(everything(copy), View(2), RNG).inputs["image"],
        clips.batch(everything(clips), View(2), RNG).inputs["image"],
    )


def test_a_clip_that_cannot_be_decoded_is_named(clips: StreamSplit) -> None:
    (clips.root / clips.files[3]).write_bytes(b"")
    with pytest.raises(DataError, match=r"003\.raw cannot be decoded: IndexError"):
        clips.batch(np.array([2, 3]), View(), RNG)


def test_pictures_of_two_sizes_are_both_named(clips: StreamSplit) -> None:
    def square(path: Path, view: View, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"image": np.zeros((4, 4 + int(path.stem == "003")), dtype=np.uint8)}

    with pytest.raises(
        DataError, match=r"003\.raw has the size \(4, 5\), .*002\.raw \(4, 4\): they cannot be one batch"
    ):
        replace(clips, decode=square).batch(np.array([2, 3]), View(), RNG)


def test_streamed_samples_can_be_limited_and_relabelled_but_not_added_to(clips: StreamSplit) -> None:
    few = limited(clips, 6)
    assert few.batch(np.array([5]), View(1), RNG).inputs["image"][0, 0, 0, 0] == int(few.ids[5][-3:])
    assert with_sample(clips, Sample(targets=np.zeros(30, int))).targets.sum() == 0
    with pytest.raises(DataError, match="which a data set that streams from files cannot take"):
        with_sample(clips, Sample(extra_inputs={"image": np.zeros((1, 2, 2))}, extra_targets=np.array([0])))
