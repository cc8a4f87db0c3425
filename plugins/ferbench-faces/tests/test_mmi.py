"""MMI: frontal videos by the emotion in the file of their name; the peak in the middle, subjects on one side."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ferbench_faces.lab import lab_datasets
from ferbench_faces.lab_mmi import chosen, read

from ferbench import DataError, ReadContext
from ferbench.data.parsed import checked

cv2 = pytest.importorskip("cv2")

CONTEXT = ReadContext()
MMI = next(item for item in lab_datasets() if item.name == "mmi")


def write_video(path: Path, levels: list[int], height: int = 48, width: int = 64) -> None:
    """Grey frames of one level each; the left third is black."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (width, height))
    for level in levels:
        frame = np.full((height, width, 3), level, dtype=np.uint8)
        frame[:, : width // 3] = 0
        video.write(frame)
    video.release()


def write_session(
    root: Path, number: int, subject: int, emotion: str | None = "1", view: str = "0", annotation: str = "oao_aucs.xml"
) -> Path:
    place = root / "Sessions" / str(number)
    place.mkdir(parents=True)
    name = f"S{subject:03d}-{number:03d}"
    write_video(place / f"{name}.avi", [10 * n + 20 for n in range(9)])
    (place / "session.xml").write_text(
        f'<?xml version="1.0"?><session sessionId="{number}"><subject id="{subject}"/><track filename="{name}.avi" '
        f'view="{view}"><annotation filename="{name}-{annotation}"/></track></session>'
    )
    if emotion is not None:
        (place / f"{name}.xml").write_text(
            f'<?xml version="1.0"?><Metatags><Metatag Name="Emotion" Value="{emotion}"/></Metatags>'
        )
    return place


@pytest.fixture
def few(tmp_path: Path) -> Path:
    for number in range(1, 13):
        write_session(tmp_path, number, subject=number, emotion=str((number - 1) % 6 + 1))
    return tmp_path


def test_the_peak_lies_in_the_middle_and_the_first_frame_is_neutral(few: Path) -> None:
    copy = read(few, CONTEXT)
    checked(MMI, copy)
    assert copy.inputs is not None and copy.inputs["image"].shape == (48, 224, 224)
    rows = np.flatnonzero(copy.samples.groups["clip"] == "S003-003")
    assert copy.samples.targets[rows].tolist() == [6, 2, 2, 2]
    assert copy.samples.ids[rows].tolist() == [f"mmi-S003-003-{role}" for role in ("first", "peak1", "peak2", "peak3")]
    levels = copy.inputs["image"][rows][:, 50:150, 120:200].mean(axis=(1, 2))
    np.testing.assert_allclose(levels, [20, 50, 60, 70], atol=4)
    assert "12 frontal videos of the six emotions, where papers count 205" in copy.partial


@pytest.mark.parametrize(
    ("count", "frames"), [(4, (0, 1, 2, 3)), (5, (0, 1, 2, 3)), (9, (0, 3, 4, 5)), (10, (0, 4, 5, 6))]
)
def test_four_different_frames_are_chosen(count: int, frames: tuple[int, ...]) -> None:
    assert chosen(count) == frames


def test_subjects_are_tested_once(few: Path) -> None:
    samples = read(few, CONTEXT).samples
    subjects = samples.groups["subject"]
    for rule in MMI.protocols:
        folds = rule.divide(samples)
        assert rule.unit == "subject" and len(folds) == 10
        assert sorted(s for fold in folds for s in set(subjects[fold.test].tolist())) == sorted(set(subjects.tolist()))


def test_a_video_whose_camera_lay_on_its_side_is_turned(tmp_path: Path) -> None:
    write_session(tmp_path, 1, 1)
    write_session(tmp_path, 2, 2, annotation="aucs.xml")
    copy = read(tmp_path, CONTEXT)
    assert copy.inputs is not None
    upright, turned = copy.inputs["image"][0], copy.inputs["image"][4]
    assert upright[:, :40].mean() < 5 < 15 < upright[:40, 100:].mean()  # black at the left
    assert turned[:40].mean() < 5 < 15 < turned[100:, :40].mean()  # black above


def test_other_views_and_unlabelled_videos_are_counted(few: Path) -> None:
    write_session(few, 20, 1, view="1")
    write_session(few, 21, 1, emotion=None)
    write_session(few, 22, 1, emotion="9")
    copy = read(few, CONTEXT)
    assert len(copy.samples.ids) == 48
    assert copy.notes == ("Videos left out: 1 not frontal, 2 not labelled with one of the six emotions.",)


def test_a_session_without_its_description_is_named(few: Path) -> None:
    (few / "Sessions" / "3" / "session.xml").unlink()
    assert "files that are missing: Sessions/3/session.xml" in read(few, CONTEXT).partial


@pytest.mark.parametrize("value", ["0", "happy", "-1", "1.5", "9" * 5000, ""])
def test_an_emotion_that_is_no_number_is_refused_with_its_file(few: Path, value: str) -> None:
    (few / "Sessions" / "3" / "S003-003.xml").write_text(f'<m><Metatag Name="Emotion" Value="{value}"/></m>')
    with pytest.raises(DataError, match=r"Sessions/3/S003-003\.xml: the emotion '.{0,20}' is no number of MMI"):
        read(few, CONTEXT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<session><track>", r"Sessions/3/session\.xml is no XML that can be read"),
        ('<?xml version="1.0" encoding="none"?><session/>', r"Sessions/3/session\.xml is no XML that can be read"),
        ('<!DOCTYPE s [<!ENTITY a "b">]><s>&a;</s>', r"Sessions/3/session\.xml is refused: it defines entities"),
    ],
)
def test_a_damaged_or_hostile_description_is_refused(few: Path, content: str, message: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        (few / "Sessions" / "3" / "session.xml").write_text(content, encoding=encoding)
        with pytest.raises(DataError, match=message):
            read(few, CONTEXT)


def test_a_session_that_lies_there_twice_is_named(few: Path) -> None:
    shutil.copytree(few / "Sessions/3", few / "Backup/3")
    with pytest.raises(DataError, match=r"Backup/3/S003-003\.avi and Sessions/3/S003-003\.avi are the same part"):
        read(few, CONTEXT)


def test_damaged_and_short_videos_are_named(few: Path) -> None:
    (few / "Sessions" / "1" / "S001-001.avi").write_bytes(b"no video")
    write_video(few / "Sessions" / "2" / "S002-002.avi", [1, 2, 3])
    copy = read(few, CONTEXT)
    assert copy.corrupted == ("Sessions/1/S001-001.avi: it is no video, or one that OpenCV cannot decode",)
    assert "videos of at most 3 frames: Sessions/2/S002-002.avi" in copy.partial
    assert len(copy.samples.ids) == 40


def test_folders_that_hold_nothing_to_learn_from_say_what_to_add(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("empty")
    with pytest.raises(
        DataError, match=r"holds no videos of MMI \(Sessions/1/S001-001\.avi\)\. Add the folder Sessions"
    ):
        read(tmp_path, CONTEXT)
    write_session(tmp_path, 1, 1, emotion=None)
    with pytest.raises(DataError, match=r"no video of MMI is frontal and labelled.*Download whole sessions"):
        read(tmp_path, CONTEXT)
