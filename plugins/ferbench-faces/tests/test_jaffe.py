"""JAFFE: subject and expression by a picture's name; each of the ten women tested once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ferbench_faces.lab import lab_datasets
from ferbench_faces.lab_jaffe import SUBJECTS, read
from PIL import Image

from ferbench import DataError, Parsed, ReadContext
from ferbench.data.parsed import checked

CONTEXT = ReadContext()
JAFFE = next(item for item in lab_datasets() if item.name == "jaffe")
CODES = ("NE", "HA", "SA", "SU", "AN", "DI", "FE")
OTHER_NUMBERS = {
    "KA": {"HA": "1234", "FE": "1234"},
    "KL": {"DI": "1234"},
    "KM": {"HA": "1234", "SA": "1235", "DI": "13"},
    "KR": {"HA": "12"},
    "NM": {"DI": "13"},
    "YM": {"FE": "1234"},
}
"""Which pictures there are of an expression, where not 1 to 3: read in a public listing of the folder."""


def names() -> list[str]:
    found: list[str] = []
    for subject in SUBJECTS:
        for code in CODES:
            for number in OTHER_NUMBERS.get(subject, {}).get(code, "123"):
                found.append(f"{subject}.{code}{number}.{len(found) + 1}.tiff")
    return found


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    root = tmp_path / "jaffe"
    root.mkdir()
    for level, name in enumerate(names()):
        Image.fromarray(np.full((16, 16), level, dtype=np.uint8)).save(root / name)
    (root / "README").write_text("about the pictures")
    return root


def test_a_whole_copy_is_read_with_the_published_counts(whole: Path) -> None:
    copy = read(whole, CONTEXT)
    checked(JAFFE, copy)
    assert copy.partial == "" and copy.inputs is not None and copy.inputs["image"].shape == (213, 16, 16)
    assert np.bincount(copy.samples.targets).tolist() == [30, 29, 32, 31, 31, 30, 30]
    row = copy.samples.ids.tolist().index("jaffe-KA.NE1.1")
    assert copy.samples.targets[row] == 6 and copy.samples.groups["subject"][row] == "KA"
    assert copy.inputs["image"][row].max() == 0  # the first picture is black


def test_each_woman_is_tested_once(whole: Path) -> None:
    samples = read(whole, CONTEXT).samples
    rule = JAFFE.protocols[0]
    folds = rule.divide(samples)
    tested = [set(samples.groups["subject"][fold.test].tolist()) for fold in folds]
    assert rule.unit == "subject" and tested == [{name} for name in SUBJECTS]
    assert sum(len(fold.test) for fold in folds) == 213
    assert [r.name for r in JAFFE.protocols if r.allow_leak] == ["image-70-10-20"]


def test_the_folder_above_will_do(whole: Path) -> None:
    assert len(read(whole.parent, CONTEXT).samples.ids) == 213


def test_missing_pictures_and_subjects_are_named(whole: Path) -> None:
    for path in [*whole.glob("YM.*"), *whole.glob("KA.AN1.*")]:
        path.unlink()
    partial = read(whole, CONTEXT).partial
    assert "190 pictures instead of 213 (anger 26 of 30" in partial and "subjects without a picture: YM" in partial


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("KA.XX1.300.tiff", r"KA\.XX1\.300\.tiff: JAFFE has no expression XX, only AN, DI"),
        ("ZZ.AN1.300.tiff", r"ZZ\.AN1\.300\.tiff: JAFFE has no subject ZZ, only KA, KL"),
        ("face.tiff", r"face\.tiff is not named as JAFFE's pictures are \(KA\.AN1\.39\.tiff\)"),
    ],
)
def test_a_picture_that_is_not_of_the_set_is_refused(whole: Path, name: str, message: str) -> None:
    (next(whole.glob("KA.AN1.*"))).rename(whole / name)
    with pytest.raises(DataError, match=message):
        read(whole, CONTEXT)


def test_a_folder_without_pictures_is_told_which_one_to_add(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("about the pictures")
    with pytest.raises(DataError, match=r"holds no pictures of JAFFE \(KA\.AN1\.39\.tiff\)\. Add the folder jaffe"):
        read(tmp_path, CONTEXT)


def test_a_damaged_picture_is_counted(whole: Path) -> None:
    next(whole.glob("KA.AN1.*")).write_bytes(b"")
    copy: Parsed = read(whole, CONTEXT)
    assert len(copy.samples.ids) == 212 and copy.corrupted[0].endswith("the file is empty")
