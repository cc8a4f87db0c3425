"""What an audit finds: held against the truth of the demo, and against faults that were put into made-up data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferbench import Dataset, Parsed, ProtocolRule, Samples, given_split
from ferbench.auditing.audit import audit
from ferbench.auditing.noise import confident_learning
from ferbench.data.attributes import mean_brightness
from ferbench.data.registry import add, load
from ferbench.data.stored import Loaded
from tests.auditing.conftest import CLASSES, PROTOCOLS, faces

Make = Callable[..., Loaded]


def found_in(loaded: Loaded, protocol: str = "official") -> dict[str, Any]:
    return audit(loaded, next(rule for rule in loaded.dataset.protocols if rule.name == protocol))


def test_copies_of_the_demo_are_counted_as_they_were_made(demo: Loaded, audited: dict[str, Any]) -> None:
    samples = demo.samples
    original, side = samples.columns["duplicate_of"], samples.origin
    assert side is not None
    place = {name: i for i, name in enumerate(samples.ids.tolist())}
    copies = [(i, place[name]) for i, name in enumerate(original.tolist()) if name]
    differ = {(i, j) for i, j in copies if samples.targets[i] != samples.targets[j]}
    assert len(copies) == audited["whole"]["exact_duplicates"] == 60
    assert len(differ) == audited["whole"]["conflicting_groups"] > 0
    for name in ("train", "val", "test"):
        mine = [(i, j) for i, j in copies if side[i] == side[j] == name]
        assert audited["splits"][name]["exact_duplicates"] == len(mine)
        assert audited["splits"][name]["conflicting_groups"] == len(differ & set(mine))
    for name in ("val", "test"):
        across = [(i, j) for i, j in copies if side[i] == name and side[j] == "train"]
        assert audited["across"][f"{name}_with_copy_in_train"] == len(across) > 0
        assert audited["across"][f"{name}_with_copy_in_train_other_label"] == len(differ & set(across))


def test_classes_and_persons_of_the_demo_are_told(demo: Loaded, audited: dict[str, Any]) -> None:
    test = audited["splits"]["test"]
    assert sum(test["classes"].values()) == test["n"] == 500
    assert test["imbalance"] == pytest.approx(max(test["classes"].values()) / min(test["classes"].values()))
    people = audited["groups"]["subject"]
    assert people["groups"]["train"] == len(set(demo.samples.groups["subject"][demo.samples.origin == "train"]))
    assert people["test_in_groups_of_train"] == 500
    assert audited["sizes"] == {"different": 1, "commonest": [48, 48], "smallest": [48, 48], "largest": [48, 48]}


def test_suspected_labels_are_far_more_often_wrong_than_others(demo: Loaded, audited: dict[str, Any]) -> None:
    wrong = demo.samples.columns["true_label"] != demo.samples.targets
    found = audited["label_noise"]["classifier"]
    worst = np.mean([wrong[each["row"]] for each in found["suspects"]])
    assert len(found["suspects"]) == 100
    assert worst > 4 * wrong.mean()
    assert found["label_error_at_most"] > wrong.mean()


def test_an_audit_is_plain_data_and_the_same_again(made: Make, audited: dict[str, Any]) -> None:
    assert json.loads(json.dumps(audited)) == audited
    loaded = made(faces(80), np.arange(80) % 2)
    first, again = found_in(loaded), found_in(loaded)
    assert first["label_noise"]["classifier"] is not None
    assert {**again, "seconds": 0} == {**first, "seconds": 0}


def test_near_copies_are_found_by_light_crop_and_mirror_and_strangers_are_not(made: Make) -> None:
    pictures = faces(40)
    pictures[30] = np.clip(pictures[0] * 0.7 + 40, 0, 255).astype(np.uint8)  # test and train: other light
    pictures[21] = pictures[1][:, ::-1]  # val and train: mirrored
    pictures[2] = np.roll(pictures[3], 1, axis=1)  # within train: shifted by a pixel
    pictures[31] = pictures[4]  # identical, so no near copy
    found = found_in(made(pictures))
    near = found["near_duplicates"]
    pairs = {tuple(each["id"] for each in pair["samples"]): pair for pair in near["listed"]}
    assert set(pairs) == {("s030", "s000"), ("s021", "s001"), ("s003", "s002")}
    assert [pair for pair, facts in pairs.items() if facts["flipped"]] == [("s021", "s001")]
    assert near["pairs"] == 3 and near["flipped_pairs"] == 1 and near["pairs_across_sides"] == 2
    assert near["duplicates_exact_and_near"] == 4
    assert near["contradictory_pairs"] == sum(len({each["label"] for each in p["samples"]}) > 1 for p in near["listed"])
    across = found["across"]
    assert (across["test_with_copy_in_train"], across["test_with_near_copy_in_train"]) == (1, 1)
    assert (across["test_with_any_copy_in_train"], across["val_with_any_copy_in_train"]) == (2, 1)


def test_pictures_that_stand_out_are_named(made: Make) -> None:
    pictures = np.clip(faces(40), 60, 190)
    pictures[5] = 0
    pictures[25] = 250
    pictures[35] = 128
    pictures[35, 0, :3] = 131
    found = found_in(made(pictures))["outliers"]
    assert (found["constant"], found["near_constant"], found["very_dark_or_bright"]) == (2, 3, 2)
    assert (found["dark"], found["bright"]) == (1, 1)
    assert [(each["id"], each["side"]) for each in found["listed"]] == [
        ("s005", "train"),
        ("s025", "val"),
        ("s035", "test"),
    ]


def test_brightness_that_gives_a_class_away_is_seen(made: Make) -> None:
    pictures = np.clip(faces(40), 60, 150)
    pictures[1::2] += 80
    light = found_in(made(pictures))["brightness"]
    assert light["classes"]["fear"]["mean"] > light["classes"]["anger"]["mean"] + 70
    assert light["class_gap"] > 1.5
    assert sum(light["sides"]["train"]["histogram"]) == 20


def test_the_brightness_of_colours_is_that_of_the_attribute(made: Make) -> None:
    loaded = made(np.random.default_rng(0).integers(0, 256, (40, 20, 20, 3), np.uint8))
    by_attribute = mean_brightness(loaded)
    found = audit(loaded, loaded.dataset.default_protocol)
    assert found["outliers"]["mean"]["range"] == pytest.approx([by_attribute.min(), by_attribute.max()])
    assert found["brightness"]["sides"]["train"]["mean"] == pytest.approx(by_attribute[:20].mean())


def test_over_several_folds_copies_across_sides_are_added_up(made: Make) -> None:
    pictures = faces(45)
    pictures[[7, 20, 40]] = pictures[3]
    found = found_in(made(pictures), "folds")
    assert found["folds"] == 3
    assert found["across"]["test_with_copy_in_train"] == 0, "dealing anew keeps identical pictures together"
    assert found["whole"]["exact_duplicates"] == 3
    assert any("first of 3 folds" in text for text in found["left_out"])


@pytest.mark.parametrize(
    ("task", "targets"),
    [
        ("regression", np.linspace(-1, 1, 80, dtype=np.float32).reshape(40, 2)),
        ("soft-labels", np.tile(np.array([[0.7, 0.3], [0.2, 0.8]], np.float32), (20, 1))),
        ("multi-label", np.tile(np.array([[1, 0], [1, 1]], np.float32), (20, 1))),
    ],
)
def test_other_tasks_are_audited_as_far_as_it_means_something(made: Make, task: str, targets: np.ndarray) -> None:
    pictures = faces(40)
    pictures[1] = pictures[0]
    found = found_in(made(pictures, targets, task=task))
    train = found["splits"]["train"]
    assert train["exact_duplicates"] == 1
    if task == "regression":
        assert train["classes"] is None and train["conflicting_groups"] is None
        assert any("the targets are no classes" in text for text in found["left_out"])
    else:
        assert set(train["classes"]) == set(CLASSES)
    if task == "multi-label":
        assert train["conflicting_groups"] is None and "classes" not in found["brightness"]
        assert any("a sample has several classes, or none" in text for text in found["left_out"])
        assert not any("votes" in text or "fewer than 25" in text for text in found["left_out"])
    if task == "soft-labels":
        assert train["conflicting_groups"] == 1


def test_of_eeg_copies_and_groups_are_looked_at_and_the_rest_is_named(made: Make) -> None:
    signals = np.random.default_rng(0).normal(size=(40, 3, 50)).astype(np.float32)
    signals[30] = signals[0]
    people = np.array([f"p{i // 10}" for i in range(40)])
    found = found_in(made(signals, modality="eeg", inputs=("image",), groups={"subject": people}))
    assert found["across"]["test_with_copy_in_train"] == 1
    assert found["groups"]["subject"]["shared_by_test_and_train"] == 0
    assert "near_duplicates" not in found
    assert any("these are EEG" in text for text in found["left_out"])


def test_clips_are_looked_at_by_their_middle_frame(made: Make) -> None:
    clips = np.stack([faces(40, seed) for seed in range(3)], axis=1)[..., None]
    clips[30, 1] = np.clip(clips[0, 1] * 0.8 + 20, 0, 255)
    found = found_in(made(clips, modality="video"))
    assert found["near_duplicates"]["pairs"] == 1 and found["whole"]["exact_duplicates"] == 0
    assert any("middle frame" in text for text in found["left_out"])


def test_streamed_files_that_cannot_be_read_are_counted_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path / "registered"))
    folder = tmp_path / "files"
    folder.mkdir()
    for i, picture in enumerate(faces(40)):
        Image.fromarray(picture).resize((60 + i % 2, 80)).save(folder / f"{i:02d}.png")
    (folder / "07.png").write_bytes(b"no picture")

    def read(path: Path | None, context: object) -> Parsed:
        names = [f"{i:02d}.png" for i in range(40)]
        origin = np.array(["train", "train", "val", "test"])[np.arange(40) // 10]
        return Parsed(Samples(np.array(names), np.arange(40) % 2, origin), files=names)

    def decode(path: Path, view: object, rng: object) -> dict[str, np.ndarray]:
        return {"image": np.asarray(Image.open(path).convert("RGB"))}

    streamed = Dataset("streamed", "files", CLASSES, PROTOCOLS[:1], read, decode=decode)
    add(streamed, folder)
    found = found_in(load(streamed))
    assert found["outliers"]["unreadable"] == 1
    assert [each["id"] for each in found["outliers"]["listed"]] == ["07.png"]
    assert found["sizes"]["different"] == 2 and found["sizes"]["largest"] == [80, 61]
    assert any("identical files" in text for text in found["left_out"])


def test_votes_tell_how_many_labels_are_outvoted(made: Make) -> None:
    votes = np.tile([[6, 4], [3, 7]], (20, 1))
    votes[:4] = [[2, 8], [9, 1], [2, 8], [0, 0]]
    found = found_in(made(faces(40), columns={"votes": votes}))["label_noise"]["votes"]
    assert found == {"samples": 39, "label_error": pytest.approx(3 / 39)}


def test_confident_learning_counts_wrong_labels_of_a_good_classifier() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 3000)
    labels = np.where(rng.random(3000) < 0.1, (truth + 1) % 3, truth)
    scores = np.eye(3)[truth] * 0.8 + rng.dirichlet([1, 1, 1], 3000) * 0.2
    error, suspects, doubt = confident_learning(scores, labels)
    assert error == pytest.approx((labels != truth).mean(), abs=0.02)
    assert Counter((labels != truth)[suspects].tolist())[True] > 0.9 * (labels != truth).sum()
    assert doubt[labels != truth].min() > doubt[labels == truth].max()


def test_confident_learning_is_that_of_its_authors_package() -> None:
    cleanlab = pytest.importorskip("cleanlab.count", exc_type=ImportError)
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 5, 1500)
    labels = np.where(rng.random(1500) < 0.2, rng.integers(0, 5, 1500), truth)
    scores = np.exp(rng.normal(size=(1500, 5)) + 2 * np.eye(5)[truth])
    scores /= scores.sum(axis=1, keepdims=True)
    error, suspects, _ = confident_learning(scores, labels)
    joint, wrong = cleanlab.compute_confident_joint(
        labels, scores, calibrate=True, return_indices_of_off_diagonals=True
    )
    assert sorted(wrong) == suspects.tolist()
    assert error == pytest.approx(1 - np.trace(joint) / joint.sum(), abs=2e-3), "its counts are rounded"


def test_a_class_of_one_side_alone_and_few_samples_do_not_stop_it(made: Make) -> None:
    targets = np.zeros(40, np.int64)
    targets[:3] = 1
    found = found_in(made(faces(40), targets))
    assert found["label_noise"]["classifier"] is None
    assert found["splits"]["test"]["imbalance"] is None
    assert found["splits"]["test"]["classes"] == {"anger": 10, "fear": 0}


def test_identical_pictures_alone_are_no_fault_of_the_program(made: Make) -> None:
    found = found_in(made(np.zeros((40, 48, 48), np.uint8)))
    assert found["whole"]["exact_duplicates"] == 39
    assert found["near_duplicates"]["pairs"] == 0


def test_a_protocol_that_drops_classes_says_how_many_samples(made: Make) -> None:
    given = given_split("train", "val", "test")
    rule = ProtocolRule("one-class", given, classes=("anger",))
    found = found_in(made(faces(40), protocols=(rule,)), "one-class")
    assert (found["samples"], found["left_out_by_protocol"]) == (20, 20)


def test_a_classifier_needs_enough_different_pictures_of_each_class(made: Make) -> None:
    targets = np.arange(80) % 2
    enough = faces(80)
    assert found_in(made(enough, targets))["label_noise"]["classifier"]["samples"] == 80
    few = enough.copy()
    few[targets == 1] = few[1]
    found = found_in(made(few, targets, version="2"))
    assert found["label_noise"]["classifier"] is None
    assert any("fewer than 25 different pictures" in text for text in found["left_out"])


def test_groups_that_tie_all_samples_together_leave_the_classifier_out(made: Make) -> None:
    rows = np.arange(120)
    groups = {"clip": (rows % 12).astype(str), "subject": (rows // 12).astype(str)}
    found = found_in(made(faces(120), groups=groups))
    assert found["label_noise"]["classifier"] is None
    assert any("persons (clips) cannot be kept apart" in text for text in found["left_out"])


def test_a_class_that_one_person_alone_shows_does_not_stop_it(made: Make) -> None:
    rows = np.arange(120)
    people = np.where(rows % 2, "one", rows.astype(str))
    found = found_in(made(faces(120), groups={"subject": people}))
    assert found["label_noise"]["classifier"] is None
