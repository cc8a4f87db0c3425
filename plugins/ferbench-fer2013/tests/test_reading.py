"""A copy is found in every layout, and named for what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ferbench_fer2013
import numpy as np
import pytest
from ferbench_fer2013.official import MERGED, PRIVATE, PUBLIC, TRAINING
from ferbench_fer2013.reading import read, read_checked
from PIL import Image

from ferbench import DataError, Parsed, ReadContext


def check_same(parsed: Parsed, copy: Any) -> None:
    assert parsed.partial == "" and parsed.inputs is not None
    np.testing.assert_array_equal(parsed.inputs["image"], copy.pixels.reshape(-1, 48, 48))
    np.testing.assert_array_equal(parsed.samples.targets, copy.labels)
    np.testing.assert_array_equal(parsed.samples.origin, copy.usage)
    assert parsed.samples.ids.tolist() == [f"fer2013-{row:05d}" for row in range(len(copy.labels))]


ICML = ("emotion", " Usage", " pixels")


@pytest.mark.parametrize("layout", ["csv", "icml", "tar", "zip", "nested", "folder", "folder of an archive", "csv.gz"])
def test_every_layout_of_the_rows_is_found(copy: Any, pack: Any, tmp_path: Path, layout: str) -> None:
    csv = copy.write(tmp_path / "fer2013.csv")
    icml = copy.write(tmp_path / "icml_face_data.csv", ICML)
    tar = pack["tar"](tmp_path / "fer2013.tar.gz", {"fer2013/README": b"hello", "fer2013/fer2013.csv": csv})
    (tmp_path / "folder").mkdir()
    made = {
        "csv": lambda: csv,
        "icml": lambda: icml,
        "tar": lambda: tar,
        "zip": lambda: pack["zip"](tmp_path / "a.zip", {"fer2013.csv": csv}),
        "nested": lambda: pack["zip"](tmp_path / "b.zip", {"example.csv": b"id,x\n1,2\n", "fer2013.tar.gz": tar}),
        "folder": lambda: copy.write(tmp_path / "folder" / "fer2013.csv").parent,
        "folder of an archive": lambda: pack["zip"](tmp_path / "folder" / "c.zip", {"icml_face_data.csv": icml}).parent,
        "csv.gz": lambda: pack["gz"](tmp_path / "fer2013.csv.gz", csv),
    }
    check_same(read_checked(made[layout](), copy.official), copy)


def test_the_challenge_s_whole_archive_is_read(copy: Any, pack: Any, tmp_path: Path) -> None:
    csv = copy.write(tmp_path / "fer2013.csv")
    members = {
        "example_submission.csv": b"id,emotion\n1,2\n",
        "fer2013.tar.gz": pack["tar"](tmp_path / "fer2013.tar.gz", {"fer2013/fer2013.csv": csv}),
        "icml_face_data.csv": copy.write(tmp_path / "icml.csv", ICML),
        "test.csv": b"pixels\n1 2 3\n",
        "train.csv": b"emotion,pixels\n0,1 2 3\n",
    }
    check_same(read_checked(pack["zip"](tmp_path / "challenge.zip", members), copy.official), copy)


def by_name(copy: Any) -> dict[str, tuple[bytes, int, str]]:
    """Pixels, label and split of every row by its number."""
    facts = zip(copy.pixels, copy.labels, copy.usage, strict=True)
    return {str(row): (pixels.tobytes(), int(label), usage) for row, (pixels, label, usage) in enumerate(facts)}


def rows_of(parsed: Parsed) -> dict[str, tuple[bytes, int, str]]:
    assert parsed.inputs is not None and parsed.samples.origin is not None
    facts = zip(parsed.samples.ids, parsed.inputs["image"], parsed.samples.targets, parsed.samples.origin, strict=True)
    return {
        name.rpartition("_")[2].rpartition("im")[2]: (pixels.tobytes(), int(label), str(usage))
        for name, pixels, label, usage in facts
    }


@pytest.mark.parametrize("zipped", [False, True])
def test_pictures_in_folders_keep_their_split_by_their_names(
    copy: Any, pack: Any, tmp_path: Path, zipped: bool
) -> None:
    folder = copy.folder(tmp_path / "archive")
    (folder / "train" / ".DS_Store").write_bytes(b"litter")
    source = pack["zip_folder"](tmp_path / "archive.zip", folder) if zipped else folder
    parsed = read_checked(source, copy.official)
    assert rows_of(parsed) == by_name(copy)
    assert parsed.partial == "" and parsed.protocols is None
    assert parsed.notes == (
        "These are recompressed pictures: results differ a little from those on the pixels of fer2013.csv.",
    )
    assert parsed.samples.ids[0].startswith("fer2013-angry/Training_")


def test_pictures_without_those_names_offer_the_merged_test_alone(copy: Any, tmp_path: Path) -> None:
    parsed = read_checked(copy.folder(tmp_path / "archive", named=False), copy.official)
    assert parsed.protocols == ("merged-test",)
    assert parsed.partial == ""
    merged = {
        row: (face, label, usage if usage == TRAINING else MERGED)
        for row, (face, label, usage) in by_name(copy).items()
    }
    assert rows_of(parsed) == merged
    assert "names PublicTest and PrivateTest are lost" in parsed.notes[1]


def test_one_lost_name_makes_a_merged_copy(copy: Any, tmp_path: Path) -> None:
    folder = copy.folder(tmp_path / "archive")
    named = next((folder / "test" / "happy").glob("PublicTest_*"))
    named.rename(named.with_name("face.png"))
    parsed = read_checked(folder, copy.official)
    assert parsed.protocols == ("merged-test",) and parsed.partial == ""


def test_folders_may_bear_the_names_of_the_splits(copy: Any, tmp_path: Path) -> None:
    for usage in (TRAINING, PUBLIC, PRIVATE):
        part = copy.take(np.flatnonzero(copy.usage == usage)).folder(tmp_path / "parts" / usage, named=False)
        (part / ("train" if usage == TRAINING else "test")).rename(tmp_path / usage)
    (tmp_path / "fer").mkdir()
    for usage in (TRAINING, PUBLIC, PRIVATE):
        (tmp_path / usage).rename(tmp_path / "fer" / usage)
    parsed = read_checked(tmp_path / "fer", copy.official)
    assert parsed.partial == "" and parsed.protocols is None


def test_jpeg_and_colour_are_read_as_grey(copy: Any, tmp_path: Path) -> None:
    folder = copy.folder(tmp_path / "archive", suffix=".jpg")
    for file in (folder / "train" / "sad").iterdir():
        Image.open(file).convert("RGB").save(file)
    parsed = read_checked(folder, copy.official)
    assert parsed.partial == "" and parsed.inputs is not None
    assert parsed.inputs["image"].shape == (len(copy.labels), 48, 48)


PICTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "another size": (
        lambda file: Image.new("L", (96, 96)).save(file),
        "has 96×96 pixels instead of 48×48: this is an altered copy",
    ),
    "no picture": (lambda file: file.write_bytes(b"hello"), "is damaged, or no picture"),
    "cut off": (lambda file: file.write_bytes(file.read_bytes()[:200]), "is damaged, or no picture"),
    "no emotion": (lambda file: file.rename(file.parent.parent / file.name), "'train', which is no emotion of FER2013"),
}


@pytest.mark.parametrize("fault", list(PICTURES))
def test_a_picture_that_cannot_be_used_is_named(copy: Any, tmp_path: Path, fault: str) -> None:
    folder = copy.folder(tmp_path / "archive")
    change, message = PICTURES[fault]
    change(next((folder / "train" / "happy").iterdir()))
    with pytest.raises(DataError, match=rf"^archive/train/.*Training_\d+\.png .*{message}"):
        read_checked(folder, copy.official)


def test_a_picture_in_no_split_is_named(copy: Any, tmp_path: Path) -> None:
    folder = copy.folder(tmp_path / "archive", named=False)
    with pytest.raises(DataError, match=r"im\d+\.png tells neither by a folder train or test nor by its own name"):
        read_checked(folder / "train", copy.official)


def test_a_folder_that_holds_the_pictures_twice_is_named(copy: Any, tmp_path: Path) -> None:
    copy.folder(tmp_path / "archive" / "one")
    copy.folder(tmp_path / "archive" / "two")
    with pytest.raises(DataError, match="the folder holds the data set more than once"):
        read_checked(tmp_path / "archive", copy.official)


def test_a_download_without_fer2013_is_named(copy: Any, pack: Any, tmp_path: Path) -> None:
    wrong = pack["zip"](tmp_path / "wrong.zip", {"train.csv": b"emotion,pixels\n0,1\n", "notes.txt": b"hello"})
    with pytest.raises(
        DataError, match=r"wrong\.zip holds neither fer2013\.csv .*train\.csv of the challenge.*notes\.txt"
    ):
        read_checked(wrong, copy.official)
    (tmp_path / "train.csv").write_text("emotion,pixels\n0,1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.csv, line 1: there is no column Usage"):
        read_checked(tmp_path / "train.csv", copy.official)


def test_faults_inside_archives_are_named_with_their_place(copy: Any, pack: Any, tmp_path: Path) -> None:
    bad = copy.csv().replace("Training", "Train", 1).encode()
    inner = pack["tar"](tmp_path / "fer2013.tar.gz", {"fer2013/fer2013.csv": bad})
    outer = pack["zip"](tmp_path / "all.zip", {"fer2013.tar.gz": inner})
    place = r"^all\.zip/fer2013\.tar\.gz/fer2013/fer2013\.csv, line 2: the usage 'Train' is unknown"
    with pytest.raises(DataError, match=place):
        read_checked(outer, copy.official)


def test_the_end_of_an_archive_is_checked_too(copy: Any, pack: Any, tmp_path: Path) -> None:
    tar = pack["tar"](tmp_path / "fer2013.tar.gz", {"fer2013/fer2013.csv": copy.csv().encode()})
    tar.write_bytes(tar.read_bytes()[:-4])
    with pytest.raises(DataError, match=r"fer2013\.tar\.gz is truncated or damaged"):
        read_checked(tar, copy.official)


def test_a_small_copy_is_a_partial_one_of_the_real_data(copy: Any, tmp_path: Path) -> None:
    parsed = read(copy.write(tmp_path / "fer2013.csv"), ReadContext(allow_partial=True))
    assert parsed.partial == (
        "Training has 42 of 28,709 rows: a partial copy; PublicTest has 17 of 3,589 rows: a partial copy; "
        "PrivateTest has 17 of 3,589 rows: a partial copy"
    )
    assert len(parsed.samples.ids) == 76


def test_the_data_set_is_described() -> None:
    (dataset,) = ferbench_fer2013.ferbench_datasets()
    names = [rule.name for rule in dataset.protocols]
    assert names == ["official", "public-test", "merged-test", "paper-80-20", "6-class"]
    assert dataset.classes == ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    assert not dataset.public and dataset.licence and "kaggle" in dataset.how_to_get
