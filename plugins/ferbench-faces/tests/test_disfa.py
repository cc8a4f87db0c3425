"""DISFA: frames out of videos, twelve intensities each; emotions by rules; nine subjects tested in each fold."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ferbench_faces import lab_disfa
from ferbench_faces.lab import lab_datasets
from ferbench_faces.lab_disfa import SUBJECTS, read_emotions, read_units
from ferbench_faces.lab_disfa_labels import EMOTIONS, UNITS, emotions_of
from scipy.io import savemat

from ferbench import DataError, ReadContext
from ferbench.data.parsed import checked

cv2 = pytest.importorskip("cv2")

CONTEXT = ReadContext()
FRAMES = 12
SETS = {item.name: item for item in lab_datasets()}
HAPPY = {12: 4, 6: 3, 25: 2}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole copy has twelve frames of each subject here."""
    monkeypatch.setattr(lab_disfa, "FRAMES", FRAMES)


def write_video(path: Path, frames: int = FRAMES) -> None:
    """Frames that get brighter; a black corner, in which the landmarks lie."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (64, 48))
    for number in range(frames):
        frame = np.full((48, 64, 3), 60 + 10 * number, dtype=np.uint8)
        frame[:24, :24] = 0
        video.write(frame)
    video.release()


def write_subject(root: Path, subject: str, landmarks: bool = False) -> None:
    """Neutral but for the frames 5 and 6, which are happy."""
    for folder in ("Videos_LeftCamera", f"ActionUnit_Labels/{subject}"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    write_video(root / "Videos_LeftCamera" / f"LeftVideo{subject}_comp.avi")
    for unit in UNITS:
        lines = [f"{n},{HAPPY.get(unit, 0) if n in (5, 6) else 0}\n" for n in range(1, FRAMES + 1)]
        (root / "ActionUnit_Labels" / subject / f"{subject}_au{unit}.txt").write_text("".join(lines))
    if landmarks:
        place = root / "Landmark_Points" / subject / "tmp_frame_lm"
        place.mkdir(parents=True)
        points = np.stack([np.linspace(4, 20, 66), np.linspace(4, 20, 66)], axis=1)
        for number in range(FRAMES):
            savemat(place / f"{subject}_{number:04d}_lm.mat", {"pts": points})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("disfa")
    for subject in SUBJECTS:
        write_subject(root, subject)
    return root


@pytest.fixture
def few(tmp_path: Path) -> Path:
    for subject in ("SN001", "SN013", "SN003"):
        write_subject(tmp_path / "DISFA", subject, landmarks=True)
    return tmp_path / "DISFA"


def test_every_frame_has_its_intensities(whole: Path) -> None:
    copy = read_units(whole, CONTEXT)
    checked(SETS["disfa"], copy)
    assert copy.partial == "" and copy.corrupted == ()
    assert copy.inputs is not None and copy.inputs["image"].shape == (27 * FRAMES, 64, 64)
    row = copy.samples.ids.tolist().index("disfa-SN010-0005")
    expected = [float(HAPPY.get(unit, 0)) for unit in UNITS]
    assert copy.samples.targets.dtype == np.float32 and copy.samples.targets[row].tolist() == expected
    assert copy.samples.targets[row - 1].tolist() == [0.0] * 12
    assert abs(float(copy.inputs["image"][row, 40, 40]) - 100) < 4  # the fifth frame, 60 + 4 * 10
    assert SETS["disfa"].task == "regression" and SETS["disfa"].classes == tuple(f"AU{unit}" for unit in UNITS)


def test_nine_subjects_are_tested_in_each_fold(whole: Path) -> None:
    samples = read_units(whole, CONTEXT).samples
    subjects = samples.groups["subject"]
    for name, count in (("3-fold", 9), ("leave-one-subject-out", 1)):
        rule = next(rule for rule in SETS["disfa"].protocols if rule.name == name)
        tested = [set(subjects[fold.test].tolist()) for fold in rule.divide(samples)]
        assert rule.unit == "subject" and all(len(test) == count for test in tested)
        assert set().union(*tested) == set(SUBJECTS)


def test_frames_of_one_emotion_are_a_set_of_their_own(whole: Path) -> None:
    copy = read_emotions(whole, CONTEXT)
    checked(SETS["disfa-emotions"], copy)
    assert len(copy.samples.ids) == 54 and set(copy.samples.targets.tolist()) == {EMOTIONS.index("happiness")}
    assert copy.samples.ids[:2].tolist() == ["disfa-SN001-0005", "disfa-SN001-0006"]
    assert copy.samples.columns["action_units"].shape == (54, 12)
    assert "Frames by emotion: surprise 0, fear 0, disgust 0, happiness 54, sadness 0, anger 0." in copy.notes
    assert copy.inputs is not None and abs(float(copy.inputs["image"][1, 40, 40]) - 110) < 4


@pytest.mark.parametrize(
    ("units", "emotion"),
    [
        ({12: 2}, "happiness"),
        ({12: 1}, None),
        ({12: 3, 6: 3, 25: 3}, "happiness"),
        ({1: 2, 2: 2}, "surprise"),
        ({1: 3, 2: 3, 5: 2, 26: 3}, "surprise"),
        ({1: 3, 2: 3, 5: 3}, None),
        ({1: 3, 2: 3, 5: 5}, "fear"),
        ({1: 2, 2: 2, 4: 2}, "fear"),
        ({9: 2}, "disgust"),
        ({9: 2, 4: 3}, "disgust"),
        ({1: 2, 4: 2, 15: 2}, "sadness"),
        ({6: 2, 15: 2}, "sadness"),
        ({4: 2, 5: 2}, "anger"),
        ({12: 3, 9: 3}, None),
        ({4: 5}, None),
        ({}, None),
    ],
)
def test_rules_give_what_they_give_by_hand(units: dict[int, int], emotion: str | None) -> None:
    intensities = np.array([[units.get(unit, 0) for unit in UNITS]], dtype=np.uint8)
    expected = -1 if emotion is None else EMOTIONS.index(emotion)
    assert emotions_of(intensities).tolist() == [expected]


def test_landmarks_cut_the_face_out_and_a_neighbour_lends_its_box(few: Path) -> None:
    points = few / "Landmark_Points" / "SN001" / "tmp_frame_lm"
    (points / "SN001_0003_lm.mat").unlink()
    (points / "SN001_0000_lm.mat").write_bytes(b"no landmarks")
    savemat(points / "SN001_0005_lm.mat", {"pts": np.full((66, 2), 1e300)})
    (points / "SN001_0007_lm.mat").rename(points / "l00008_lm.mat")  # a few of the set are named so, counted from 1
    copy = read_units(few, CONTEXT)
    assert copy.inputs is not None and copy.inputs["image"].mean() < 5  # the black corner
    assert "3 frames without landmarks of their own have the box of a neighbour." in copy.notes
    shutil.rmtree(few / "Landmark_Points")
    without = read_units(few, CONTEXT)
    assert without.inputs is not None and without.inputs["image"].mean() > 50
    assert any("There are no landmarks" in note for note in without.notes)


def test_landmarks_in_a_file_that_may_unpack_to_gigabytes_are_not_read(few: Path) -> None:
    file = few / "Landmark_Points/SN001/tmp_frame_lm/SN001_0004_lm.mat"
    savemat(file, {"pts": np.zeros((6_500_000, 2))}, do_compression=True)
    assert 100_000 < file.stat().st_size < 200_000
    assert "1 frames without landmarks of their own have the box of a neighbour." in read_units(few, CONTEXT).notes


def labels(root: Path, unit: int, subject: str = "SN001") -> Path:
    return root / "ActionUnit_Labels" / subject / f"{subject}_au{unit}.txt"


def video(root: Path, subject: str = "SN001") -> Path:
    return root / "Videos_LeftCamera" / f"LeftVideo{subject}_comp.avi"


@pytest.mark.parametrize(
    ("change", "said", "frames"),
    [
        (lambda root: shutil.rmtree(labels(root, 1).parent), "subjects without labels: SN001, SN002", 24),
        (lambda root: video(root).unlink(), "subjects without a video: SN001, SN002", 24),
        (lambda root: labels(root, 26).unlink(), "subjects without labels of every action unit: SN001", 24),
        (
            lambda root: shutil.rmtree(root / "Landmark_Points" / "SN001"),
            "subjects without landmarks: SN001, SN002",
            24,
        ),
        (lambda root: write_video(video(root), 7), "the video of SN001 ends after 7 of 12 frames", 31),
    ],
    ids=["labels", "video", "action unit", "landmarks", "end of the video"],
)
def test_a_part_that_is_missing_is_named_and_left_out(
    few: Path, change: Callable[[Path], None], said: str, frames: int
) -> None:
    change(few)
    copy = read_units(few, CONTEXT)
    assert said in copy.partial and len(copy.samples.ids) == frames


def test_a_video_two_frames_shorter_than_its_labels_will_do(few: Path) -> None:
    write_video(video(few), 10)
    copy = read_units(few, CONTEXT)
    assert "ends after" not in copy.partial and len(copy.samples.ids) == 34


def test_labels_of_another_length_are_named(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_disfa, "FRAMES", 4845)
    assert "subjects whose labels are not of 4,845 frames: SN001 (12)" in read_units(few, CONTEXT).partial


@pytest.mark.parametrize(
    ("unit", "content", "message"),
    [
        (4, "1,0\n2,6\n", r"SN001_au4\.txt, line 2: '2,6' instead of frame 2 and an intensity from 0 to 5"),
        (4, "1,0\n3,0\n", r"SN001_au4\.txt, line 2: '3,0' instead of frame 2"),
        (4, "1,0\n2\n", r"SN001_au4\.txt, line 2: '2' instead of frame 2"),
        (4, "1,-1\n", r"line 1: '1,-1' instead"),
        (4, "", r"SN001_au4\.txt holds no frames"),
        (4, "1,0\n", r"SN001_au4\.txt has 1 frames, .*SN001_au1\.txt 12: all action units"),
        (7, "1,0\n", r"SN001_au7\.txt is of action unit 7; DISFA has 1, 2, 4"),
    ],
)
def test_labels_outside_of_the_set_are_refused_with_file_and_line(
    few: Path, unit: int, content: str, message: str
) -> None:
    labels(few, unit).write_text(content)
    with pytest.raises(DataError, match=message):
        read_units(few, CONTEXT)


def test_a_subject_that_is_not_of_the_set_is_refused(few: Path) -> None:
    shutil.copy(video(few), video(few, "SN014"))
    with pytest.raises(DataError, match="holds files of SN014; DISFA's subjects are SN001"):
        read_units(few, CONTEXT)


def test_a_damaged_video_is_counted(few: Path) -> None:
    video(few).write_bytes(b"no video")
    copy = read_units(few, CONTEXT)
    assert len(copy.samples.ids) == 24
    assert copy.corrupted[0].endswith("LeftVideoSN001_comp.avi: it is no video, or one that OpenCV cannot decode")


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("Videos_LeftCamera", r"holds no labels \(SN001_au1\.txt\)\. Unpack ActionUnit_Labels beside"),
        ("ActionUnit_Labels", r"holds no video of the left camera .*Unpack Videos_LeftCamera beside"),
    ],
)
def test_a_folder_too_low_is_told_which_one_to_add(few: Path, folder: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_units(few / folder, CONTEXT)


def test_the_set_is_found_below_a_folder_too_high(few: Path) -> None:
    assert len(read_units(few.parent, CONTEXT).samples.ids) == 36


def test_the_right_camera_alone_will_not_do(few: Path) -> None:
    for path in (few / "Videos_LeftCamera").iterdir():
        path.rename(path.with_name(path.name.replace("Left", "Right")))
    with pytest.raises(DataError, match="holds videos of the right camera alone"):
        read_units(few, CONTEXT)
