"""TFEID: subject, part and expression by a picture's name; copies in class folders; each fault named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ferbench_faces.further import further_datasets
from ferbench_faces.lab_tfeid import CLASSES, COUNTS, SUBJECTS, read
from PIL import Image

from ferbench import DataError, ReadContext
from ferbench.data.parsed import checked
from ferbench.data.registry import add, load
from ferbench.data.splits import make_splits

CONTEXT = ReadContext()
TFEID = next(item for item in further_datasets() if item.name == "tfeid")
CODES = {"anger": "a", "disgust": "d", "fear": "f", "happiness": "h", "neutral": "n", "sadness": "s", "surprise": "p"}
ABSENT = {
    "anger": {"f03", "f17", "m01", "m02", "m03", "m06"},
    "neutral": {"m18"},
    "sadness": {"m02"},
    "surprise": {"f06", "f09", "f15", "m04"},
}
"""Who is not there in an expression: read in a public listing of the seven grey folders."""


def draw(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (15, 12), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write(root: Path, form: str = "g", part: str = "dfh") -> Path:
    """The seven folders, 268 pictures of 12×15."""
    number = 0
    for emotion, code in CODES.items():
        suffix = "JPG" if emotion == "surprise" else "jpg"
        for subject in SUBJECTS:
            if subject not in ABSENT.get(emotion, ()):
                number += 1
                draw(root / f"{part}_{emotion}_{form}" / f"{subject}_{part}_{code}{form}.{suffix}", number)
    return root


@pytest.fixture
def seven(tmp_path: Path) -> Path:
    return write(tmp_path / "dfh_gray")


def test_a_copy_of_seven_expressions_is_whole_and_offers_no_contempt(seven: Path) -> None:
    copy = read(seven, CONTEXT)
    checked(TFEID, copy)
    assert copy.partial == "" and copy.inputs is not None and copy.inputs["image"].shape == (268, 224, 224)
    counts = np.bincount(copy.samples.targets, minlength=8).tolist()
    assert counts == [0 if name == "contempt" else COUNTS[name] for name in CLASSES]
    assert copy.protocols == ("7-neutral", "6-class", "image-70-10-20")
    row = copy.samples.ids.tolist().index("tfeid-f01_dfh_pg")
    assert CLASSES[copy.samples.targets[row]] == "surprise" and copy.samples.groups["subject"][row] == "f01"
    with Image.open(seven / "dfh_surprise_g/f01_dfh_pg.JPG") as image:
        middle = image.crop((0, 1, 12, 13)).resize((224, 224), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(copy.inputs["image"][row], np.asarray(middle))


def test_with_contempt_all_eight_are_offered_whatever_its_pictures_are_called(tmp_path: Path) -> None:
    write(tmp_path, form="x")
    (tmp_path / "dfh_disgust_x").rename(tmp_path / "dfh_disguest_x")  # so is one of the set's own folders spelt
    for number, subject in enumerate(SUBJECTS[:34]):
        for side in "lr":
            draw(tmp_path / "dfh_contempt_x" / f"{subject}_dfh_c{side}x.jpg", 300 + 2 * number + (side == "l"))
    copy = read(tmp_path, CONTEXT)
    assert copy.partial == "" and len(copy.samples.ids) == 336
    assert copy.protocols == ("7-neutral", "6-class", "8-class", "image-70-10-20")


def test_nobody_stands_on_two_sides_of_a_fold(seven: Path, data_root: Path) -> None:
    add(TFEID, seven)
    loaded = load(TFEID)
    folds = [make_splits(loaded, TFEID.protocols[0], fold) for fold in range(10)]
    tested = [set(fold.test.groups["subject"].tolist()) for fold in folds]
    assert tested[0] == {"f01", "f12", "m01", "m11"}  # the first, eleventh, and so on, of forty
    assert set.union(*tested) == set(SUBJECTS) and sum(map(len, tested)) == 40
    assert not any(set(fold.train.groups["subject"]) & set(fold.test.groups["subject"]) for fold in folds)
    with pytest.raises(DataError, match=r"does not offer protocol '8-class', only 7-neutral, 6-class"):
        make_splits(loaded, TFEID.protocols[2])


def test_missing_pictures_and_people_are_named(seven: Path) -> None:
    for path in [*seven.glob("*/m20_*"), seven / "dfh_fear_g/f01_dfh_fg.jpg"]:
        path.unlink()
    partial = read(seven, CONTEXT).partial
    assert "260 pictures of the part dfh instead of 268 (anger 33 of 34, " in partial and "fear 38 of 40" in partial
    assert "subjects without a picture: m20" in partial


def test_another_part_is_read_and_said_to_be_unchecked(seven: Path) -> None:
    write(seven / "slight", part="dfs")
    shutil.rmtree(seven / "slight/dfs_anger_g")
    copy = read(seven, CONTEXT)
    assert copy.partial == "" and len(copy.samples.ids) == 268 + 234
    assert any(note.startswith("234 pictures of the part dfs: how many it should have is not") for note in copy.notes)
    assert set(copy.samples.columns["part"].tolist()) == {"dfh", "dfs"}


ADJECTIVES = {"anger": "Angry", "happiness": "Happy", "sadness": "Sad"}


def rearrange(seven: Path, name: str) -> Path:
    """The same pictures in folders of classes, called ``name`` of subject and number."""
    root = seven.parent / "TFEID"
    for number, path in enumerate(sorted(seven.glob("*/*"))):
        emotion = path.parent.name.split("_")[1]
        place = root / "data" / ADJECTIVES.get(emotion, emotion.title()) / name.format(path.name[:3], number)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
    return root


def test_class_folders_with_subjects_in_their_names_keep_people_apart(seven: Path) -> None:
    copy = read(rearrange(seven, "{}-{}.jpg"), CONTEXT)
    checked(TFEID, copy)
    assert copy.partial == "" and len(set(copy.samples.groups["subject"])) == 40
    assert copy.protocols == ("7-neutral", "6-class", "image-70-10-20")


def test_class_folders_without_subjects_offer_no_protocol_by_subject(seven: Path) -> None:
    copy = read(rearrange(seven, "{1}.jpg"), CONTEXT)
    checked(TFEID, copy)
    assert copy.partial == "" and copy.samples.groups == {} and copy.protocols == ("image-70-10-20",)
    assert any("do not say who is shown" in note for note in copy.notes)


def test_a_part_of_a_copy_in_class_folders_is_partial(seven: Path) -> None:
    root = rearrange(seven, "{1}.jpg")
    shutil.rmtree(root / "data/Fear")
    assert read(root, CONTEXT).partial == "228 pictures of the part dfh instead of 268 (fear 0 of 40)"


FAULTS = {
    "subject": ("dfh_anger_g/f07_dfh_ag.jpg", r"f07_dfh_ag\.jpg: TFEID has no subject f07, only f01 to f21 \(no f07\)"),
    "contradiction": ("dfh_fear_g/f03_dfh_ag.jpg", "lies in a folder of fear, and its name says anger"),
    "neither": ("misc/f03_dfh_qg.jpg", "neither its name nor its folder says an expression of TFEID"),
    "name": ("dfh_anger_g/me.jpg", r"dfh_anger_g/me\.jpg is not named as TFEID's pictures are \(f01_dfh_ag\.jpg\)"),
    "twice": ("more/dfh_anger_g/f01_dfh_ag.jpg", "are the same part of TFEID: the folder holds the data set more than"),
    "two forms": ("dfh_anger_x/f01_dfh_ax.jpg", "in several forms: dfh_surprise_g, dfh_anger_x. Add the folder of one"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_picture_that_cannot_be_told_is_refused(seven: Path, fault: str) -> None:
    file, message = FAULTS[fault]
    draw(seven / file, 999)
    with pytest.raises(DataError, match=message):
        read(seven, CONTEXT)


def test_a_folder_without_pictures_or_classes_is_told_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no pictures of TFEID .*Add the folder that holds the folders of its"):
        read(tmp_path, CONTEXT)
    draw(tmp_path / "pictures/1.jpg", 1)
    with pytest.raises(DataError, match=r"pictures/1\.jpg is not named .*, and lies in no folder of a class \(anger,"):
        read(tmp_path, CONTEXT)


def test_a_damaged_picture_is_counted(seven: Path) -> None:
    (seven / "dfh_fear_g/f01_dfh_fg.jpg").write_bytes(b"")
    copy = read(seven, CONTEXT)
    assert len(copy.samples.ids) == 267 and copy.corrupted == ("dfh_fear_g/f01_dfh_fg.jpg: the file is empty",)
