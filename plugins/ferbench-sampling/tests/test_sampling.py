"""What each sampler decides, that it is seeded, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ferbench_sampling
import numpy as np
import pytest
import torch
from ferbench_sampling import TAG, RosAugmentOptions, SmoteOptions
from ferbench_sampling.augmented import moved
from ferbench_sampling.classes import drawn_seed
from imblearn.over_sampling import SMOTE

import ferbench
from ferbench import DataError, LabelKind, Options, Sample, SampleContext
from ferbench.checking.made_up import class_names, labels, split_of, streamed_split_of
from ferbench.data.in_memory import ArraySplit
from ferbench.data.splits import with_sample
from ferbench.nouns.reference import resolve
from ferbench.nouns.requirement import requirements_of
from ferbench.plugins import discover
from ferbench.store.store import Store

SAMPLERS = {sampler.name: sampler for sampler in ferbench_sampling.ferbench_samplers()}
COUNTS = (24, 9, 15)


def _split(counts: tuple[int, ...] = COUNTS, classes: int = 3) -> ArraySplit:
    """Grey pictures of 8×8, so many of each class, in mixed order."""
    targets = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    made = split_of({"image": (1, 8, 8)}, targets.astype(np.int64), classes)
    return replace(made, inputs={"image": made.inputs["image"][..., 0]})


@dataclass
class Trained:
    """A required network that is asked for features alone."""

    given: np.ndarray

    def features(self) -> np.ndarray:
        return self.given


def _sample(name: str, train: Any, seed: int = 0, features: np.ndarray | None = None, **options: Any) -> Sample:
    sampler = SAMPLERS[name]
    chosen: Options = type(sampler.options)(**options)
    required: Any = {} if features is None else {"features": Trained(features)}
    context = SampleContext(np.random.default_rng(seed), class_names(len(train.classes)), chosen, required)
    decided = resolve(sampler.sample)(train, context)
    assert isinstance(decided, Sample)
    return decided


def _counts_of_epoch(train: ArraySplit, sample: Sample) -> list[int]:
    after = with_sample(train, sample)
    seen = np.arange(len(after)) if sample.indices is None else sample.indices
    if sample.batches is not None:
        seen = np.concatenate(sample.batches(seen, 6, np.random.default_rng(0)))
    counts: list[int] = np.bincount(after.targets[seen], minlength=3).tolist()
    return counts


def _content(sample: Sample) -> list[bytes]:
    arrays = [sample.indices, sample.weights, sample.extra_targets, *(sample.extra_inputs or {}).values()]
    batches = sample.batches(np.arange(48), 6, np.random.default_rng(4)) if sample.batches else []
    return [np.asarray(values).tobytes() for values in [*arrays, *batches] if values is not None]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("class-weights", [24, 9, 15]),
        ("random-oversampling", [24, 24, 24]),
        ("undersampling", [9, 9, 9]),
        ("balanced-batches", [16, 16, 16]),
        ("smote", [24, 24, 24]),
        ("ros+augment", [24, 24, 24]),
    ],
)
def test_an_epoch_has_so_many_samples_of_each_class(name: str, counts: list[int]) -> None:
    train = _split()
    assert _counts_of_epoch(train, _sample(name, train)) == counts


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_seed_gives_the_same_bytes_whatever_else_draws(name: str) -> None:
    answers = []
    for stir in (1, 2):
        np.random.seed(stir)
        torch.manual_seed(stir)
        answers.append(_content(_sample(name, _split())))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", ["random-oversampling", "undersampling", "smote", "ros+augment"])
def test_another_seed_gives_another_answer(name: str) -> None:
    assert _content(_sample(name, _split(), seed=0)) != _content(_sample(name, _split(), seed=1))


def test_all_classes_weigh_the_same_by_inverse_counts() -> None:
    train = _split()
    weights = _sample("class-weights", train).weights
    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    for label, count in enumerate(COUNTS):
        np.testing.assert_allclose(weights[train.targets == label], 48 / 3 / count, rtol=1e-6)


def test_effective_numbers_lie_between_no_weights_and_inverse_counts() -> None:
    train = _split()
    inverse = _sample("class-weights", train).weights
    alike, nearly, between = (
        _sample("class-weights", train, scheme="effective-number", beta=beta).weights for beta in (0, 1 - 1e-9, 0.9)
    )
    assert alike is not None and inverse is not None and nearly is not None and between is not None
    np.testing.assert_array_equal(alike, np.ones(48, np.float32))
    np.testing.assert_allclose(nearly, inverse, rtol=1e-4)
    ratio = between[train.targets == 1][0] / between[train.targets == 0][0]
    assert ratio == pytest.approx((1 - 0.9**24) / (1 - 0.9**9))


def test_oversampling_keeps_every_sample_and_undersampling_names_what_it_leaves_out() -> None:
    train = _split()
    more, fewer = _sample("random-oversampling", train), _sample("undersampling", train)
    assert more.indices is not None and fewer.indices is not None
    assert set(more.indices.tolist()) == set(range(48))
    (removed,) = fewer.removed
    assert set(removed.ids) == set(train.ids.tolist()) - set(train.ids[fewer.indices].tolist())
    assert "the smallest, class-1 (9)" in removed.reason


@pytest.mark.parametrize("size", [2, 6, 7, 48])
def test_balanced_batches_have_as_many_of_each_class_give_or_take_one(size: int) -> None:
    train = _split()
    rule = _sample("balanced-batches", train).batches
    assert rule is not None
    batches = rule(np.arange(48), size, np.random.default_rng(0))
    assert [len(batch) for batch in batches] == [size] * round(48 / size)
    for batch in batches:
        counts = np.bincount(train.targets[batch], minlength=3)
        assert counts.max() - counts.min() <= 1
    seen = np.bincount(np.concatenate(batches), minlength=48)
    for label in range(3):
        own = seen[train.targets == label]
        assert own.max() - own.min() <= 1, "no sample comes again before all others of its class have come"


def test_balanced_batches_divide_what_is_left_of_an_epoch() -> None:
    train = _split()
    rule = _sample("balanced-batches", train).batches
    assert rule is not None
    few = np.flatnonzero(train.targets != 2)[:20]
    batches = rule(few, 64, np.random.default_rng(0))
    assert [len(batch) for batch in batches] == [20]
    assert set(np.concatenate(batches).tolist()) <= set(few.tolist())


def test_smote_makes_what_imbalanced_learn_makes() -> None:
    train = _split((20, 8), classes=2)
    made = _sample("smote", train, neighbours=3)
    seed = drawn_seed(np.random.default_rng(0))
    rows = train.inputs["image"].reshape(28, -1).astype(np.float32)
    theirs, _ = SMOTE(k_neighbors=3, random_state=seed).fit_resample(rows, train.targets)
    assert made.extra_inputs is not None
    np.testing.assert_array_equal(made.extra_inputs["image"].reshape(12, -1), np.rint(theirs[28:]).astype(np.uint8))


def test_smote_mixes_pixels_of_neighbours_in_feature_space() -> None:
    train = _split((12, 6), classes=2)
    rows = np.flatnonzero(train.targets == 1)
    pairs = rows.reshape(3, 2)
    features = np.zeros((18, 4), np.float32)
    for place, pair in enumerate(pairs):
        features[pair] = 10.0 * place
    made = _sample("smote", train, features=features, space="features", neighbours=1).extra_inputs
    assert made is not None
    pictures = train.inputs["image"].astype(np.float64)
    for new in made["image"].astype(np.float64):
        assert any(_on_the_line(new, pictures[a], pictures[b]) for a, b in pairs)


def _on_the_line(new: np.ndarray, a: np.ndarray, b: np.ndarray) -> bool:
    step = ((new - a) * (b - a)).sum() / ((b - a) ** 2).sum()
    return bool(abs(new - (a + step * (b - a))).max() <= 1)


def test_smote_mixes_all_inputs_of_a_sample_alike() -> None:
    train = _split()
    train = replace(train, inputs={**train.inputs, "negative": 255 - train.inputs["image"]})
    made = _sample("smote", train).extra_inputs
    assert made is not None
    assert np.abs(made["image"].astype(int) + made["negative"] - 255).max() <= 1


def test_smote_in_feature_space_requires_the_network_and_among_pixels_none() -> None:
    sampler = SAMPLERS["smote"]
    assert requirements_of(sampler, SmoteOptions()) == {}
    (role,) = requirements_of(sampler, SmoteOptions(space="features", model="lmu-cnn")).items()
    assert (role[0], role[1].model) == ("features", "lmu-cnn")


def test_copies_that_are_not_moved_are_those_of_random_oversampling() -> None:
    train = _split()
    made = _sample("ros+augment", train, flip=0, degrees=0, shift=0)
    repeated = _sample("random-oversampling", train).indices
    assert made.extra_inputs is not None and repeated is not None
    np.testing.assert_array_equal(made.extra_inputs["image"], train.inputs["image"][repeated[48:]])


@pytest.mark.parametrize("shape", [(5, 8, 12), (5, 8, 12, 3), (5, 4, 8, 12, 3)])
def test_grey_and_colour_pictures_and_clips_are_mirrored_turned_and_shifted(shape: tuple[int, ...]) -> None:
    given = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    down, across = (2, 3) if len(shape) == 5 else (1, 2)

    def by(side: float, angle: float, right: float, below: float) -> np.ndarray:
        return moved(given, np.tile(np.array([side, angle, right, below], np.float32), (5, 1)))

    np.testing.assert_array_equal(by(-1, 0, 0, 0), np.flip(given, across))
    np.testing.assert_array_equal(by(1, np.pi, 0, 0), np.flip(given, (down, across)))
    right, below = by(1, 0, 0.25, 0), by(1, 0, 0, 0.25)
    np.testing.assert_array_equal(right.take(range(3, 12), across), given.take(range(9), across))
    np.testing.assert_array_equal(below.take(range(2, 8), down), given.take(range(6), down))
    for edge in range(3):
        np.testing.assert_array_equal(right.take(edge, across), given.take(0, across))


def test_copies_differ_from_each_other_by_default() -> None:
    train = _split()
    made = _sample("ros+augment", train).extra_inputs
    assert made is not None
    assert len(np.unique(made["image"], axis=0)) == len(made["image"])
    assert RosAugmentOptions().flip == 0.5


@pytest.mark.parametrize("name", SAMPLERS)
def test_equal_classes_are_left_as_they_are(name: str) -> None:
    train = _split((5, 5, 5))
    decided = _sample(name, train)
    assert _counts_of_epoch(train, decided)[0] in (4, 5)
    assert decided.extra_inputs is None and decided.removed == ()


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((20,), "all 20 training samples are class-0. Check how the data set is divided"),
        ((20, 0, 10), "no training sample is class-1. Use a protocol without that class, more training samples"),
    ],
    ids=["one class", "empty class"],
)
def test_one_class_and_an_empty_class_are_refused(name: str, counts: tuple[int, ...], words: str) -> None:
    with pytest.raises(DataError, match=words) as refused:
        _sample(name, _split(counts))
    assert str(refused.value).startswith(f"{name} balances classes")


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("kind", ["soft", "multi-hot", "real", "drawn", "accepted"])
def test_labels_that_are_not_one_class_each_are_refused(name: str, kind: LabelKind) -> None:
    train = split_of({"image": (1, 8, 8)}, labels(kind, 20, 3), 3, kind)
    with pytest.raises(DataError, match=rf"must have one label; here the labels are {kind}\. Use a protocol with hard"):
        _sample(name, train)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((20, 4, 6), r"takes 6 training samples; class-1 has 4\. Use --set sampler\.options\.neighbours=3, more"),
        ((20, 1, 5), r"class-1 has 1, class-2 has 5\. Use more training samples \(--limit\), or random-oversampling"),
    ],
)
def test_smote_with_fewer_samples_than_neighbours_says_what_to_set(counts: tuple[int, ...], words: str) -> None:
    with pytest.raises(DataError, match=words):
        _sample("smote", _split(counts))


def test_smote_with_as_few_neighbours_as_it_proposes_goes_on() -> None:
    train = _split((20, 4, 6))
    assert _counts_of_epoch(train, _sample("smote", train, neighbours=3)) == [20, 20, 20]


def test_copies_alone_are_refused_by_smote_and_are_nothing_to_the_others() -> None:
    train = _split()
    copies = replace(train, inputs={"image": np.broadcast_to(train.inputs["image"][:1], (48, 8, 8))})
    with pytest.raises(DataError, match="all 9 training samples of class-1 are the same picture"):
        _sample("smote", copies)
    for name in set(SAMPLERS) - {"smote"}:
        assert _counts_of_epoch(copies, _sample(name, copies)) == _counts_of_epoch(train, _sample(name, train))


@pytest.mark.parametrize("name", ["smote", "ros+augment"])
def test_what_makes_pictures_needs_them_in_memory_as_pixels(name: str) -> None:
    targets = np.repeat(np.arange(3), COUNTS)
    assert not SAMPLERS[name].streams
    with pytest.raises(DataError, match="these stream from files"):
        _sample(name, streamed_split_of({"video": (4, 1, 8, 8)}, targets, 3))
    with pytest.raises(DataError, match=r"the input eeg is float32.* Use random-oversampling"):
        _sample(name, split_of({"eeg": (4, 32)}, targets, 3))


def test_the_suite_crosses_every_sampler_with_its_tag() -> None:
    installed = discover()
    suite = installed.suite(TAG)
    assert {"plain", *SAMPLERS} <= set(installed.expand("samplers", suite.samplers))
    assert installed.expand("models", suite.models) == ["small-cnn", "lmu-cnn", "logistic-regression"]


def test_a_cell_and_the_table_say_what_was_sampled(tmp_path: Path) -> None:
    result = ferbench.run(
        "demo",
        models=["majority"],
        samplers=["smote", "balanced-batches"],
        seeds=1,
        limit=300,
        out=tmp_path,
        device="cpu",
        set={"smote:sampler.options.neighbours": 3, "run.threads": 1, "run.probe": False},
    )
    assert not result.failed
    shown = {row["sampler"] for row in result.leaderboard.rows if row["kind"] == "measured"}
    assert shown == {"smote (neighbours=3)", "balanced-batches"}
    assert "smote (neighbours=3)" in (tmp_path / "leaderboard.csv").read_text()
    cells = Store(tmp_path)
    for key in cells.run(result.run_id)["cells"]:
        facts = json.loads((cells.cell(key).path / "sampler.json").read_text())
        classes = facts["classes"].values()
        assert sum(each["before"] for each in classes) == facts["samples"] == 300
        after = [each["after"] for each in classes]
        assert sum(after) == facts["samples_per_epoch"]
        assert max(after) - min(after) <= 1
        assert sum(each["extra"] for each in classes) == facts["extra"]
        assert (facts["extra"] == 0) is facts["own_batches"]
