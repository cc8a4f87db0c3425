"""Every cleaning sampler on small training sides with a known truth: what it leaves out or relabels, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ferbench_cleaning import ferbench_samplers
from ferbench_cleaning.outliers import light_of

from ferbench import DataError, Facts, LabelKind, MissingDataError, Sample, SampleContext, Sampler, Split, View
from ferbench.data.fingerprint import pixel_hashes
from ferbench.data.in_memory import ArraySplit
from ferbench.data.streaming import StreamSplit
from ferbench.nouns.reference import resolve

CLASSES = ("anger", "fear", "happiness")
SAMPLERS = {sampler.name: sampler for sampler in ferbench_samplers()}


class Judge:
    """A required cell whose out-of-fold scores are given."""

    id = "judge"

    def __init__(self, scores: np.ndarray) -> None:
        self.given = scores

    def scores(self, side: str) -> np.ndarray:
        """The scores, whichever side."""
        return self.given


def faces(numbers: list[int]) -> np.ndarray:
    """A picture for each number, uint8 [n, 8, 8]; equal numbers give equal pictures."""
    return np.stack([np.random.default_rng(number).integers(60, 200, (8, 8), dtype=np.uint8) for number in numbers])


def split_of(pictures: np.ndarray, targets: Any, kind: LabelKind = "hard") -> ArraySplit:
    """A training side of these pictures and targets."""
    count, inputs = len(pictures), {"image": pictures}
    ids = np.array([f"s{row}" for row in range(count)])
    return ArraySplit(inputs, np.arange(count), ids, np.asarray(targets), pixel_hashes(inputs), CLASSES, kind)


def streamed(split: ArraySplit) -> StreamSplit:
    """The same samples, read one by one."""
    pictures = split.inputs["image"]

    def decode(path: Path, view: View, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"image": pictures[int(path.name)]}

    files = tuple(str(row) for row in range(len(split)))
    return StreamSplit(Path(), files, decode, split.ids, split.targets, split.hashes, split.classes, split.label_kind)


def absent(dataset: str, column: str) -> Facts:
    """No votes are registered."""
    raise MissingDataError(f"{dataset} is not registered.")


def decide(
    name: str,
    train: Split,
    scores: np.ndarray | None = None,
    facts: Callable[[str, str], Facts] = absent,
    **options: Any,
) -> Sample:
    """Ask a sampler."""
    sampler: Sampler = SAMPLERS[name]
    chosen = type(sampler.options)(**options)
    required: Any = {} if scores is None else {"judge": Judge(scores)}
    context = SampleContext(np.random.default_rng(0), train.classes, chosen, required, facts)
    sample: Sample = resolve(sampler.sample)(train, context)
    return sample


def kept(sample: Sample, train: Split) -> list[int]:
    """The rows that an epoch sees."""
    return list(range(len(train))) if sample.indices is None else sample.indices.tolist()


@pytest.fixture
def mixed() -> ArraySplit:
    """Ten pictures: one three times with two labels, one twice with two, one twice with one, and three alone."""
    return split_of(faces([1, 1, 1, 2, 2, 3, 3, 4, 5, 6]), [0, 0, 1, 1, 2, 2, 2, 0, 1, 2])


ALL = ["drop-duplicates", "drop-conflicting", "resolve-conflicting"]


def test_one_of_identical_pictures_with_one_label_stays(mixed: ArraySplit) -> None:
    sample = decide("drop-duplicates", mixed)
    assert kept(sample, mixed) == [0, 2, 3, 4, 5, 7, 8, 9]
    (removed,) = sample.removed
    assert removed.ids == ("s1", "s6") and "copy" in removed.reason


def test_no_picture_with_several_labels_stays(mixed: ArraySplit) -> None:
    sample = decide("drop-conflicting", mixed)
    assert kept(sample, mixed) == [5, 6, 7, 8, 9]
    assert sample.removed[0].ids == ("s0", "s1", "s2", "s3", "s4")


def test_the_label_of_most_copies_wins_and_ties_are_left_out(mixed: ArraySplit) -> None:
    sample = decide("resolve-conflicting", mixed)
    assert sample.targets is not None and sample.targets.tolist() == [0, 0, 0, 1, 2, 2, 2, 0, 1, 2]
    assert kept(sample, mixed) == [0, 1, 2, 5, 6, 7, 8, 9]
    assert "none leads" in sample.removed[0].reason and sample.reason


def test_ties_can_be_kept_and_copies_dropped(mixed: ArraySplit) -> None:
    sample = decide("resolve-conflicting", mixed, ties="keep", copies="drop")
    assert kept(sample, mixed) == [0, 3, 4, 5, 7, 8, 9]


@pytest.mark.parametrize("name", ALL)
def test_without_copies_everything_stays(name: str) -> None:
    train = split_of(faces([1, 2, 3, 4]), [0, 1, 2, 0])
    sample = decide(name, train)
    assert sample.removed == () and sample.indices is None
    assert sample.targets is None


def test_where_all_are_copies_one_of_each_label_stays_or_the_classes_are_named() -> None:
    train = split_of(faces([1] * 6), [0, 0, 1, 1, 2, 2])
    assert kept(decide("drop-duplicates", train), train) == [0, 2, 4]
    for name in ALL[1:]:
        with pytest.raises(DataError, match=f"{name} would leave no training sample of anger, fear, happiness"):
            decide(name, train)


@pytest.mark.parametrize("name", ALL[1:])
def test_a_class_that_would_vanish_is_an_error(name: str) -> None:
    train = split_of(faces([1, 1, 2, 3]), [0, 1, 1, 2])
    with pytest.raises(DataError, match=r"would leave no training sample of anger \(2: identical pictures"):
        decide(name, train)


@pytest.mark.parametrize("name", ALL)
def test_streamed_samples_are_compared_by_their_files(name: str, mixed: ArraySplit) -> None:
    assert kept(decide(name, streamed(mixed)), mixed) == kept(decide(name, mixed), mixed)


def test_soft_labels_conflict_where_their_strongest_classes_do() -> None:
    soft = np.array([[0.6, 0.4, 0], [0.1, 0.9, 0], [0.5, 0.5, 0], [0.9, 0.1, 0], [0, 0, 1], [0, 1, 0]], np.float32)
    train = split_of(faces([1, 1, 2, 2, 3, 4]), soft, "soft")
    assert kept(decide("drop-duplicates", train), train) == [0, 1, 2, 4, 5]
    sample = decide("resolve-conflicting", train)
    assert sample.targets is not None and np.allclose(sample.targets[:2], [0.35, 0.65, 0])
    assert np.array_equal(sample.targets[2:], soft[2:]) and sample.indices is None


@pytest.mark.parametrize("name", ALL)
def test_labels_of_several_classes_are_refused(name: str) -> None:
    train = split_of(faces([1, 1]), np.ones((2, 3), np.float32), "multi-hot")
    with pytest.raises(DataError, match=f"{name} compares labels of one class each, and these are multi-hot"):
        decide(name, train)


@pytest.fixture
def outlying() -> ArraySplit:
    """Twenty usual faces, a dark one, a bright one and a grey area."""
    pictures = faces(list(range(23)))
    pictures[20] //= 30
    pictures[21] = 255 - (255 - pictures[21]) // 20
    pictures[22] = 128
    return split_of(pictures, [*([0, 1, 2] * 7), 0, 1])


def test_dark_bright_and_constant_pictures_go_each_with_its_reason(outlying: ArraySplit) -> None:
    sample = decide("drop-outliers", outlying)
    told = {part.reason.split(":")[0]: part.ids for part in sample.removed}
    assert told == {"constant": ("s22",), "too dark": ("s20",), "too bright": ("s21",)}
    assert kept(sample, outlying) == list(range(20))


def test_each_rule_can_be_switched_off(outlying: ArraySplit) -> None:
    assert kept(decide("drop-outliers", outlying, whisker=None, spread=0), outlying) == list(range(23))
    assert decide("drop-outliers", outlying, spread=0, whisker=1000).indices is None


def test_brightness_is_that_of_the_pixels() -> None:
    train = split_of(faces([1, 2, 3]), [0, 1, 2])
    for side in (train, streamed(train)):
        means, spreads = light_of(side, np.random.default_rng(0))
        assert np.allclose(means, train.inputs["image"].mean(axis=(1, 2)), atol=1e-3)
        assert np.allclose(spreads, train.inputs["image"].std(axis=(1, 2)), atol=1e-3)


def test_what_people_saw_no_face_in_goes_where_votes_are_registered() -> None:
    train = split_of(faces(list(range(6))), [0, 1, 2, 0, 1, 2])

    def facts(dataset: str, column: str) -> Facts:
        assert (dataset, column) == ("ferplus", "not_a_face")
        return Facts(np.array([0, 5, 4, 0, 0, 0]), np.array([1, 1, 1, 0, 1, 1], bool), ("anger",))

    off: dict[str, Any] = {"whisker": None, "spread": 0}
    sample = decide("drop-outliers", train, facts=facts, **off)
    assert [part.ids for part in sample.removed] == [("s1",), ("s3",)]
    assert all("not a face" in part.reason for part in sample.removed)
    assert decide("drop-outliers", train, facts=facts, votes="", **off).removed == ()
    assert decide("drop-outliers", train, **off).removed == ()


def test_signals_have_no_brightness() -> None:
    with pytest.raises(DataError, match="compares grey values of pictures, and image is float32"):
        decide("drop-outliers", split_of(np.zeros((2, 4, 9), np.float32), [0, 1]))


def test_labels_of_any_kind_may_be_cleaned_of_outliers(outlying: ArraySplit) -> None:
    kinds: tuple[LabelKind, ...] = ("soft", "real", "multi-hot")
    for kind in kinds:
        train = split_of(outlying.inputs["image"], np.eye(3, dtype=np.float32)[outlying.targets], kind)
        assert kept(decide("drop-outliers", train), train) == list(range(20))


def test_a_class_of_outliers_alone_is_an_error(outlying: ArraySplit) -> None:
    train = split_of(outlying.inputs["image"], [*([0, 1] * 10), 2, 2, 0])
    with pytest.raises(DataError, match=r"no training sample of happiness \(.*too dark"):
        decide("drop-outliers", train)


VOTED = ("neutral", "anger", "fear", "happiness", "contempt")


def votes(rows: list[list[int]], unknown: list[int] | None = None) -> Callable[[str, str], Facts]:
    """Votes for VOTED; a row of zeros is a picture that nobody was shown."""
    known = np.array([any(row) for row in rows])
    none = np.zeros(len(rows), int)
    columns = {"votes": np.array(rows), "unknown": np.array(unknown or none), "not_a_face": none}
    return lambda dataset, column: Facts(columns[column], known, VOTED)


def test_a_confident_judge_takes_wrong_labels_out() -> None:
    truth = np.arange(60) % 3
    labels = truth.copy()
    labels[:3] = (labels[:3] + 1) % 3
    scores = np.eye(3, dtype=np.float32)[truth] * 0.9 + 0.1 / 3
    train = split_of(faces(list(range(60))), labels)
    for side in (train, streamed(train)):
        sample = decide("confident-learning", side, scores)
        assert sample.removed[0].ids == ("s0", "s1", "s2")
        assert "small-cnn" in sample.removed[0].reason
    assert decide("confident-learning", split_of(faces(list(range(60))), truth), scores).removed == ()


def test_classes_that_do_not_occur_are_not_judged() -> None:
    labels = np.array([0, 2] * 20)
    scores = np.full((40, 3), 0.05, np.float32)
    scores[np.arange(40), labels] = 0.9
    scores[:2] = scores[:2, ::-1]
    train = split_of(faces(list(range(40))), labels)
    assert decide("confident-learning", train, scores).removed[0].ids == ("s0", "s1")


def test_one_class_alone_and_soft_labels_cannot_be_judged() -> None:
    scores = np.full((4, 3), 1 / 3, np.float32)
    with pytest.raises(DataError, match="needs samples of two classes at least"):
        decide("confident-learning", split_of(faces([1, 2, 3, 4]), [1, 1, 1, 1]), scores)
    with pytest.raises(DataError, match="judges hard labels, and these are soft"):
        decide("confident-learning", split_of(faces([1, 2, 3, 4]), scores, "soft"), scores)


def test_people_who_agree_are_right() -> None:
    rows = [[0, 8, 1, 0, 0], [0, 0, 0, 10, 0], [0, 3, 7, 0, 0], [0, 5, 5, 0, 0], [6, 4, 0, 0, 0], [0, 0, 0, 0, 0]]
    train = split_of(faces(list(range(6))), [1, 2, 0, 2, 1, 0])
    sample = decide("relabel-ferplus", train, facts=votes(rows))
    assert sample.targets is not None
    assert sample.targets.tolist() == [0, 2, 1, 2, 1, 0], "a tie, a class that is not ours and no votes change nothing"
    assert sample.indices is None and "ferplus" in sample.reason
    dropped = decide("relabel-ferplus", train, facts=votes(rows), unclear="drop")
    assert kept(dropped, train) == [0, 1, 2]


def test_a_vote_that_stands_alone_does_not_count_and_votes_for_nothing_do() -> None:
    train = split_of(faces([1, 2, 3, 4]), [2, 2, 1, 0])
    rows = [[1, 4, 2, 1, 1], [0, 4, 0, 0, 0], [0, 0, 9, 0, 0], [0, 0, 0, 9, 0]]
    sample = decide("relabel-ferplus", train, facts=votes(rows, unknown=[0, 5, 0, 0]))
    assert sample.targets is not None and sample.targets.tolist() == [0, 2, 1, 2]


def test_votes_that_empty_a_class_or_share_none_are_errors() -> None:
    train = split_of(faces([1, 2, 3]), [0, 1, 2])
    with pytest.raises(DataError, match=r"no training sample of fear .*most votes in ferplus"):
        decide("relabel-ferplus", train, facts=votes([[0, 9, 0, 0, 0], [0, 9, 0, 0, 0], [0, 0, 0, 9, 0]]))
    with pytest.raises(DataError, match="The votes are for yes, no, and this data set has anger, fear, happiness"):
        decide("relabel-ferplus", train, facts=lambda *_: Facts(np.ones((3, 2)), np.ones(3, bool), ("yes", "no")))
    with pytest.raises(DataError, match="replaces hard labels, and these are soft"):
        decide("relabel-ferplus", split_of(faces([1]), np.eye(3)[:1], "soft"), facts=votes([[0, 9, 0, 0, 0]]))
