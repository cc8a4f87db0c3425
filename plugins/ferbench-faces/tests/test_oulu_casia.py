"""Oulu-CASIA: VL/Strong alone is taken, at whatever level the folder lies; subjects never stand on two sides."""

from __future__ import annotations

import io
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ferbench_faces import lab_oulu
from ferbench_faces.lab import lab_datasets
from ferbench_faces.lab_oulu import SUBJECTS, read
from PIL import Image

from ferbench import DataError, ReadContext
from ferbench.data.parsed import checked

CONTEXT = ReadContext()
OULU = next(item for item in lab_datasets() if item.name == "oulu-casia")
EMOTIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")


@cache
def picture(level: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.full((12, 16), level, dtype=np.uint8)).save(content, "JPEG", quality=95)
    return content.getvalue()


def write(root: Path, subjects: int, light: str = "VL/Strong", frames: int = 5) -> Path:
    for subject in range(1, subjects + 1):
        for emotion in EMOTIONS:
            place = root / light / f"P{subject:03d}" / emotion
            place.mkdir(parents=True)
            for frame in range(frames):
                (place / f"{frame:03d}.jpeg").write_bytes(picture(10 * frame + subject))
    return root


@pytest.fixture
def few(tmp_path: Path) -> Path:
    return write(tmp_path / "OriginalImg", 12)


def test_a_whole_copy_has_every_emotion_of_every_subject(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tuple(f"P{n:03d}" for n in range(1, 81)) == SUBJECTS
    monkeypatch.setattr(lab_oulu, "SUBJECTS", SUBJECTS[:12])
    copy = read(few, CONTEXT)
    checked(OULU, copy)
    assert copy.partial == "" and copy.inputs is not None and copy.inputs["image"].shape == (288, 12, 16)
    assert np.bincount(copy.samples.targets).tolist() == [36] * 6 + [72]


def test_subjects_are_dealt_in_turn(few: Path) -> None:
    samples = read(few, CONTEXT).samples
    folds = OULU.protocols[0].divide(samples)
    tested = [sorted(set(samples.groups["subject"][fold.test].tolist())) for fold in folds]
    assert tested == [["P001", "P011"], ["P002", "P012"], *[[f"P{n:03d}"] for n in range(3, 11)]]
    assert all(rule.unit == "subject" and not rule.allow_leak for rule in OULU.protocols)


def test_the_first_frame_is_neutral_and_the_last_three_are_the_emotion(few: Path) -> None:
    copy = read(few, CONTEXT)
    rows = np.flatnonzero(copy.samples.groups["clip"] == "P003/fear")
    assert [str(name) for name in copy.samples.ids[rows]] == [
        f"oulu-casia-P003-fear-{frame}" for frame in ("000", "002", "003", "004")
    ]
    assert copy.samples.targets[rows].tolist() == [6, 2, 2, 2]
    assert copy.inputs is not None
    np.testing.assert_allclose(copy.inputs["image"][rows].mean(axis=(1, 2)), [3, 23, 33, 43], atol=2)


def test_other_lights_and_cameras_are_passed_over(few: Path) -> None:
    for light in ("VL/Dark", "NI/Strong"):
        shutil.copytree(few / "VL" / "Strong", few / light)
    assert len(read(few, CONTEXT).samples.ids) == 12 * 24


@pytest.mark.parametrize("level", ["..", ".", "VL", "VL/Strong"])
def test_any_level_of_the_folder_will_do(few: Path, level: str) -> None:
    assert len(read((few / level).resolve(), CONTEXT).samples.ids) == 12 * 24


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("VL/Strong/P001", r"holds no frames of Oulu-CASIA in visible light.*Add the folder that holds VL"),
        ("NI", r"It holds NI/Strong alone\. Add the folder that holds VL"),
    ],
)
def test_a_folder_too_low_is_told_which_one_to_add(few: Path, folder: str, message: str) -> None:
    shutil.copytree(few / "VL", few / "NI")
    with pytest.raises(DataError, match=message):
        read(few / folder, CONTEXT)


def test_originals_and_cut_out_faces_together_are_refused(few: Path) -> None:
    shutil.copytree(few, few.parent / "PreProcessedImg")
    with pytest.raises(
        DataError, match="are the same part of Oulu-CASIA: the folder holds the data set more than once"
    ):
        read(few.parent, CONTEXT)


def test_a_sequence_under_two_spellings_of_its_emotion_is_refused(few: Path) -> None:
    place = few / "VL/Strong/P001"
    shutil.copytree(place / "Anger", place / "anger", dirs_exist_ok=True)
    if len(list(place.glob("[Aa]nger"))) == 1:
        pytest.skip("this file system does not tell Anger from anger")
    with pytest.raises(DataError, match="Oulu-CASIA: pictures come twice: vl/strong/p001/anger/000"):
        read(few, CONTEXT)


def test_sequences_that_are_missing_or_short_are_named_and_left_out(few: Path) -> None:
    shutil.rmtree(few / "VL" / "Strong" / "P001" / "Anger")
    for frame in ("003", "004"):
        (few / "VL" / "Strong" / "P002" / "Fear" / f"{frame}.jpeg").unlink()
    copy = read(few, CONTEXT)
    assert len(copy.samples.ids) == 70 * 4
    assert "sequences that are missing or have too few frames: P001/anger, P002/fear, P013/anger" in copy.partial
    assert "70 sequences instead of 480 (anger 11 of 80" in copy.partial


@pytest.mark.parametrize("name", ["P001/Contempt", "P081/Anger"])
def test_a_sequence_that_is_not_of_the_set_is_refused(few: Path, name: str) -> None:
    strong = few / "VL" / "Strong"
    (strong / name).parent.mkdir(exist_ok=True)
    (strong / "P001" / "Anger").rename(strong / name)
    with pytest.raises(DataError, match=rf"{name}/000\.jpeg is of no emotion or subject of Oulu-CASIA"):
        read(few, CONTEXT)
