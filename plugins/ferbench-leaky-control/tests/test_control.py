"""The control experiment leaks as it says, its twin does not, and nothing else can be made to."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ferbench_leaky_control import HONEST, LEAKY, make
from ferbench_leaky_control.oversampling import copies_of

import ferbench
from ferbench import DataError, Dataset, Fold, ProtocolRule, Sample
from ferbench.data.registry import load
from ferbench.data.splits import copies_in, make_splits, with_sample
from ferbench.data.stored import Loaded
from ferbench.plugins import discover


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """The demo, oversampled first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        yield load(discover(only=["builtin", "leaky-control"]).dataset("oversampled-first:demo"))


def rule_of(loaded: Loaded, name: str) -> ProtocolRule:
    """A protocol by its name."""
    return next(rule for rule in loaded.dataset.protocols if rule.name == name)


def test_classes_are_filled_up_to_the_largest_with_copies_of_their_own() -> None:
    targets = np.array([0, 0, 0, 0, 1, 2, 2])
    rows, numbers = copies_of(targets)
    assert np.bincount(targets[rows]).tolist() == [4, 4, 4]
    assert rows[:7].tolist() == list(range(7)) and not numbers[:7].any()
    assert rows[7:10].tolist() == [4, 4, 4] and numbers[7:10].tolist() == [1, 2, 3]
    assert all(np.array_equal(one, other) for one, other in zip(copies_of(targets), (rows, numbers), strict=True))


def test_the_leaky_division_tests_on_copies_of_training_pictures(demo: Loaded) -> None:
    """Of the largest class none but the demo's own copies; of the smallest nearly all (methods: 100 % of disgust)."""
    splits = make_splits(demo, rule_of(demo, LEAKY))
    copies = copies_in(splits.train, splits.test)
    share = [float(copies[splits.test.targets == place].mean()) for place in range(7)]
    assert 0.5 < copies.mean() < 0.65
    assert share[splits.test.classes.index("disgust")] > 0.95
    assert share[splits.test.classes.index("happiness")] < 0.15
    assert any(note.startswith("CONTROL EXPERIMENT: leaks by design") for note in splits.notes)
    assert any("originals on several sides (allowed)" in note for note in splits.notes)


def test_the_honest_twin_shares_nothing_and_tests_on_no_copies(demo: Loaded) -> None:
    splits = make_splits(demo, rule_of(demo, HONEST))
    originals = dict(zip(demo.samples.ids.tolist(), demo.samples.groups["original"].tolist(), strict=True))
    train = {originals[key] for key in splits.train.ids.tolist()}
    for side in (splits.val, splits.test):
        assert not copies_in(splits.train, side).any()
        assert not train & {originals[key] for key in side.ids.tolist()}
        assert all("+" not in key for key in side.ids.tolist())
        assert not set(side.groups["subject"]) & set(splits.train.groups["subject"])
    counts = np.bincount(splits.train.targets)
    assert counts.max() / counts.min() < 1.2


def test_a_memoriser_is_rewarded_by_the_leak_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One nearest neighbour: far above its honest twin, and the leak-free column already tells."""
    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path / "data"))
    quick = {"run.threads": 1, "run.probe": False, "run.track": "never"}
    result = ferbench.run("leaky-control-demo", models=["knn"], out=tmp_path / "out", device="cpu", set=quick)
    assert not result.failed
    with (tmp_path / "out" / "leaderboard.csv").open() as file:
        rows = {row["protocol"]: row for row in csv.DictReader(file)}
    leaky, honest = rows[LEAKY], rows[HONEST]
    gap = float(leaky["accuracy_mean"]) - float(honest["accuracy_mean"])
    assert gap > 0.15
    assert float(leaky["accuracy_mean"]) - float(leaky["accuracy_leakfree"]) > 0.15
    assert abs(float(leaky["accuracy_leakfree"]) - float(honest["accuracy_mean"])) < gap / 2
    assert "CONTROL EXPERIMENT: leaks by design" in leaky["notes"]
    assert int(leaky["n_leakfree"]) < 0.5 * int(leaky["n_test"])
    assert "CONTROL EXPERIMENT" in (tmp_path / "out" / "leaderboard.md").read_text(encoding="utf-8")


def test_a_protocol_cannot_repeat_samples(demo: Loaded) -> None:
    """Copies before the division exist as a data set that says so, never as a protocol of an honest one."""
    twice = replace(
        rule_of(demo, LEAKY), divide=lambda samples: [Fold(np.array([0, 0, 1]), np.array([2]), np.array([3]))]
    )
    with pytest.raises(DataError, match="train repeats samples"):
        make_splits(demo, twice)
    shared = replace(twice, divide=lambda samples: [Fold(np.array([0, 1]), np.array([2]), np.array([1, 3]))])
    with pytest.raises(DataError, match="stand on several sides; the protocol is at fault"):
        make_splits(demo, shared)


def test_without_leave_the_leaky_division_is_refused(demo: Loaded) -> None:
    with pytest.raises(DataError, match="originals stand on several sides"):
        make_splits(demo, replace(rule_of(demo, LEAKY), allow_leak=False))


def test_what_a_sampler_adds_stays_in_train(demo: Loaded) -> None:
    """An oversampling sampler repeats training samples by index, or adds some; the other sides stay what they were."""
    splits = make_splits(demo, rule_of(demo, HONEST))
    repeated = with_sample(splits.train, Sample(indices=np.repeat(np.arange(10), 3)))
    assert not np.isin(repeated.ids, splits.test.ids).any()


def test_a_base_that_cannot_be_oversampled_is_refused_by_name() -> None:
    base = Dataset("soft", "", ("a", "b"), (), lambda *_: pytest.fail("read"), task="soft-labels")
    with pytest.raises(DataError, match=r"oversampled-first:soft cannot be made: .* its task is soft-labels"):
        make("soft", lambda name: base)
    streams = replace(base, name="clips", task="single-label", decode=lambda *_: {})
    with pytest.raises(DataError, match="it streams from files"):
        make("clips", lambda name: streams)
