"""The demo's faces are the same everywhere, and the truth about them is told."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from ferbench.builtin.demo import demo_dataset
from ferbench.builtin.demo_data import CLASSES, NOISE, SIDES, make_demo, read
from ferbench.builtin.demo_random import Draws
from ferbench.builtin.demo_units import UNITS
from ferbench.nouns.dataset import Parsed, ReadContext, Samples


@pytest.fixture(scope="module")
def demo() -> Parsed:
    return make_demo(900)


def pictures_of(parsed: Parsed) -> np.ndarray:
    assert parsed.inputs is not None
    return parsed.inputs["image"]


def origin_of(samples: Samples) -> np.ndarray:
    assert samples.origin is not None
    return samples.origin


def unit_values(samples: Samples, unit: int) -> np.ndarray:
    return samples.columns[f"au_{unit}"]


def test_the_same_arguments_draw_the_same_bytes() -> None:
    one, two = make_demo(120), make_demo(120)
    assert pictures_of(one).tobytes() == pictures_of(two).tobytes()
    assert one.samples.targets.tolist() == two.samples.targets.tolist()
    assert all(np.array_equal(one.samples.columns[name], two.samples.columns[name]) for name in one.samples.columns)


def test_pictures_are_these_very_bytes_on_every_machine() -> None:
    parsed = make_demo(120)
    assert (
        hashlib.sha256(pictures_of(parsed).tobytes()).hexdigest()
        == "1de098d1ef500e9fc12da139bc0c671a68bb1ffd350a13ad20fc870662a4ebde"
    )
    assert (
        hashlib.sha256(parsed.samples.targets.astype("<i8").tobytes()).hexdigest()
        == "df2615ef0a7a299164ebb91e2040284171224652e48d21b77900c418bfcd5509"
    )


def test_another_seed_draws_other_faces() -> None:
    assert not np.array_equal(pictures_of(make_demo(60)), pictures_of(make_demo(60, seed=1)))


def test_a_face_does_not_depend_on_how_many_are_drawn_together(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pictures_of(make_demo(60))
    monkeypatch.setattr("ferbench.builtin.demo_faces.CHUNK", 7)
    assert np.array_equal(before, pictures_of(make_demo(60)))


def test_pictures_are_grey_bytes_with_something_on_them(demo: Parsed) -> None:
    pictures = pictures_of(demo)
    assert pictures.shape == (900, 48, 48)
    assert pictures.dtype == np.uint8
    assert (pictures.reshape(900, -1).std(axis=1) > 4).all()


def test_ids_are_unique(demo: Parsed) -> None:
    assert len(set(demo.samples.ids.tolist())) == 900


def test_each_side_keeps_the_class_proportions_of_fer2013(demo: Parsed) -> None:
    origin = origin_of(demo.samples)
    assert {side: int((origin == side).sum()) for side in SIDES} == {"train": 600, "val": 150, "test": 150}
    for side, official in SIDES.items():
        counts = np.bincount(demo.samples.targets[origin == side], minlength=len(CLASSES))
        exact = np.array(official) / sum(official) * counts.sum()
        assert np.abs(counts - exact).max() < 1


def test_copies_are_exact_and_recorded_and_their_originals_stand_in_train(demo: Parsed) -> None:
    pictures, samples = pictures_of(demo), demo.samples
    originals = samples.columns["duplicate_of"]
    row = {name: i for i, name in enumerate(samples.ids.tolist())}
    copies = np.flatnonzero(originals != "")
    sources = np.array([row[name] for name in originals[copies].tolist()])
    assert np.array_equal(pictures[copies], pictures[sources])
    assert (originals[sources] == "").all()
    assert set(origin_of(samples)[sources].tolist()) == {"train"}
    assert set(origin_of(samples)[copies].tolist()) == {"train", "val", "test"}
    assert np.array_equal(samples.columns["true_label"][copies], samples.columns["true_label"][sources])
    assert np.array_equal(samples.groups["subject"][copies], samples.groups["subject"][sources])
    contradictory = (samples.targets[copies] != samples.targets[sources]).mean()
    assert 0 < contradictory < 0.6


def test_faces_that_are_not_recorded_as_copies_differ(demo: Parsed) -> None:
    own = demo.samples.columns["duplicate_of"] == ""
    pictures = pictures_of(demo)[own]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_the_known_share_of_labels_is_wrong(demo: Parsed) -> None:
    samples = demo.samples
    wrong = samples.targets != samples.columns["true_label"]
    train = origin_of(samples) == "train"
    assert NOISE["train"] - 0.02 <= wrong[train].mean() <= NOISE["train"] + 0.02
    assert 0 < wrong[~train].mean() < wrong[train].mean()


def test_persons_are_known_and_stand_on_several_sides(demo: Parsed) -> None:
    subjects, train = demo.samples.groups["subject"], origin_of(demo.samples) == "train"
    assert 50 <= len(set(subjects.tolist())) <= 60
    assert set(subjects[train].tolist()) & set(subjects[~train].tolist())


def test_action_units_lie_between_0_and_5(demo: Parsed) -> None:
    for unit in UNITS:
        values = unit_values(demo.samples, unit)
        assert values.shape == (900,)
        assert 0 <= values.min() < 1 < values.max() <= 5


@pytest.mark.parametrize(
    ("emotion", "units"),
    [("anger", (4, 23)), ("fear", (1, 20)), ("happiness", (6, 12)), ("sadness", (1, 15)), ("surprise", (2, 26))],
)
def test_an_emotion_shows_in_its_action_units(demo: Parsed, emotion: str, units: tuple[int, ...]) -> None:
    shown = demo.samples.columns["true_label"] == CLASSES.index(emotion)
    neutral = demo.samples.columns["true_label"] == CLASSES.index("neutral")
    for unit in units:
        values = unit_values(demo.samples, unit)
        assert values[shown].mean() > values[neutral].mean() + 1


def test_action_units_move_the_picture(demo: Parsed) -> None:
    """Open mouths are darker where the mouth is: surprise against neutral."""
    truth, pictures = demo.samples.columns["true_label"], pictures_of(demo)
    mouth = pictures[:, 34:42, 21:27].reshape(900, -1).mean(axis=1) / pictures.reshape(900, -1).mean(axis=1)
    surprised, neutral = (mouth[truth == CLASSES.index(name)].mean() for name in ("surprise", "neutral"))
    assert surprised < 0.9 * neutral


def test_a_demo_of_a_few_faces_can_be_drawn() -> None:
    assert len(make_demo(12).samples.ids) == 12


def test_the_data_set_reads_3000_faces_without_a_file() -> None:
    parsed = read(None, ReadContext())
    assert pictures_of(parsed).shape == (3000, 48, 48)
    assert np.bincount(parsed.samples.targets).min() > 30


def test_the_entry_module_stays_light() -> None:
    code = "import sys, ferbench.builtin.demo as d; d.demo_dataset(); print('numpy' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


@pytest.mark.parametrize("protocol", ["subject-disjoint", "subject-5-fold"])
def test_no_person_stands_on_two_sides_of_the_grouped_protocols(demo: Parsed, protocol: str) -> None:
    rule = next(rule for rule in demo_dataset().protocols if rule.name == protocol)
    subjects = demo.samples.groups["subject"]
    folds = rule.divide(demo.samples)
    for fold in folds:
        assert len(fold.test) > 0
        assert not set(subjects[fold.train].tolist()) & set(subjects[fold.test].tolist())
    if protocol == "subject-5-fold":
        assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(900))


def test_the_official_protocol_follows_the_named_sides_and_admits_shared_persons(demo: Parsed) -> None:
    rule = demo_dataset().default_protocol
    (fold,) = rule.divide(demo.samples)
    assert rule.name == "official"
    assert rule.allow_leak
    assert [len(fold.train), 0 if fold.val is None else len(fold.val), len(fold.test)] == [600, 150, 150]


def test_draws_have_the_spread_they_promise() -> None:
    draws = Draws(3)
    assert draws.unit(20000).mean() == pytest.approx(0.5, abs=0.01)
    assert draws.bell(20000, 2, 0.5).std() == pytest.approx(0.5, abs=0.01)
    assert draws.grain(1, 200, 101).std() == pytest.approx(1, abs=0.02)
    assert sorted(draws.order(50).tolist()) == list(range(50))
    assert set(draws.below(2000, 3).tolist()) == {0, 1, 2}
