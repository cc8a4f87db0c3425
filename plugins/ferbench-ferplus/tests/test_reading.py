"""Votes and pictures are found wherever they lie, and joined only where they belong together."""

from __future__ import annotations

import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import ferbench_ferplus
import numpy as np
import pytest
from ferbench_fer2013.official import Official as OfficialPictures
from ferbench_fer2013.reading import read_checked as read_pictures
from ferbench_ferplus.reading import read, read_checked

from ferbench import DataError, MissingDataError, ReadContext


def test_a_folder_with_both_files_is_a_good_copy(copy: Any, tmp_path: Path) -> None:
    found = copy.parsed(copy.write(tmp_path / "both"))
    named = np.flatnonzero(copy.names != "")
    assert found.partial == ""
    assert found.samples.ids.tolist() == [f"fer2013-{row:05d}" for row in named]
    assert found.samples.origin is not None and found.inputs is not None
    np.testing.assert_array_equal(found.samples.origin, copy.usage[named])
    np.testing.assert_array_equal(found.inputs["image"].reshape(-1, 2304), copy.pixels[named])
    columns = found.samples.columns
    np.testing.assert_array_equal(columns["votes"], copy.counts[named, :8])
    np.testing.assert_array_equal(columns["unknown"], copy.counts[named, 8])
    np.testing.assert_array_equal(columns["not_a_face"], copy.counts[named, 9])
    np.testing.assert_array_equal(columns["image_name"], copy.names[named])
    assert found.notes == (
        "Votes: the edition of fer2013new.csv (majority, where whole: 42 / 7 / 7).",
        "28 pictures that FER+ does not name are out: nobody saw a face in them.",
    )


def test_a_zip_of_them_is_read_too(copy: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.writestr("FERPlus-master/fer2013new.csv", copy.votes())
        archive.writestr("FERPlus-master/README.md", "hello")
        archive.writestr("__MACOSX/._fer2013new.csv", "litter")
        archive.writestr("fer2013.csv", copy.pictures())
    assert copy.parsed(tmp_path / "both.zip").partial == ""


def test_the_pictures_may_be_the_archive_of_kaggle(copy: Any, tmp_path: Path) -> None:
    folder = copy.write(tmp_path / "both")
    with tarfile.open(folder / "fer2013.tar.gz", "w:gz") as archive:
        archive.add(folder / "fer2013.csv", "fer2013/fer2013.csv")
    (folder / "fer2013.csv").unlink()
    assert copy.parsed(folder).partial == ""


@pytest.mark.parametrize("packed", [False, True])
def test_votes_alone_take_the_pictures_that_are_registered(copy: Any, tmp_path: Path, packed: bool) -> None:
    folder = copy.write(tmp_path / "both")
    pictures = read_pictures(folder / "fer2013.csv", copy.official[0])
    context = ReadContext(registered={"fer2013": pictures}.__getitem__)
    votes = folder / "fer2013new.csv"
    if packed:
        votes = tmp_path / "FERPlus-master.zip"
        with zipfile.ZipFile(votes, "w") as archive:
            archive.writestr("FERPlus-master/fer2013new.csv", copy.votes())
    alone, both = copy.parsed(votes, context), copy.parsed(folder)
    assert alone.inputs is not None and both.inputs is not None
    np.testing.assert_array_equal(alone.inputs["image"], both.inputs["image"])
    np.testing.assert_array_equal(alone.samples.ids, both.samples.ids)


def test_votes_alone_say_what_to_run_where_no_pictures_are_registered(copy: Any, tmp_path: Path) -> None:
    votes = copy.write(tmp_path / "both") / "fer2013new.csv"
    message = r"not registered on this machine. Run\n  ferbench data add fer2013 PATH.*\n  ferbench data add ferplus /"
    with pytest.raises(MissingDataError, match=message):
        copy.parsed(votes)


def test_pictures_without_their_order_are_refused(copy: Any, tmp_path: Path) -> None:
    folder = copy.write(tmp_path / "both")
    pictures = read_pictures(folder / "fer2013.csv", copy.official[0])
    names = np.array([f"fer2013-angry/Training_{row}" for row in range(len(copy.usage))])
    lost = replace(pictures, samples=replace(pictures.samples, ids=names))
    with pytest.raises(DataError, match="made from pictures in folders, whose order is lost"):
        copy.parsed(folder / "fer2013new.csv", ReadContext(registered=lambda _: lost))


@pytest.mark.parametrize("name", ["fer2013.csv", "README.md"])
def test_a_download_without_votes_is_named(copy: Any, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "download"
    folder.mkdir()
    (folder / name).write_text(copy.pictures() if name.endswith("csv") else "hello", encoding="utf-8")
    with pytest.raises(DataError, match=r"download holds no votes of FER\+.* Add fer2013new\.csv"):
        copy.parsed(folder)


def test_pictures_in_place_of_votes_are_named(copy: Any, tmp_path: Path) -> None:
    pictures = copy.write(tmp_path / "both") / "fer2013.csv"
    with pytest.raises(DataError, match="These are pictures of FER2013, not votes"):
        copy.parsed(pictures)


def test_votes_of_another_length_are_refused(copy: Any, tmp_path: Path) -> None:
    folder = copy.write(tmp_path / "both")
    (folder / "fer2013new.csv").write_text("\n".join(copy.votes().splitlines()[:-5]), encoding="utf-8")
    with pytest.raises(DataError, match=r"fer2013new\.csv has votes for 135 pictures, and there are 140"):
        copy.parsed(folder)


def test_a_usage_that_does_not_fit_the_pictures_is_named_with_its_line(copy: Any, tmp_path: Path) -> None:
    folder = copy.write(tmp_path / "both")
    usage = copy.usage.copy()
    usage[[20, 90]] = usage[[90, 20]]
    (folder / "fer2013new.csv").write_text(replace(copy, usage=usage).votes(), encoding="utf-8")
    message = r"fer2013new\.csv, line 22: the usage is PublicTest, but the picture of this row is one of Training \(2 "
    with pytest.raises(DataError, match=message):
        copy.parsed(folder)


def test_pictures_in_another_order_within_their_split_are_refused(copy: Any, tmp_path: Path) -> None:
    folder = copy.write(tmp_path / "both")
    order = np.concatenate([np.roll(np.arange(84), 3), np.arange(84, len(copy.usage))])
    rolled = replace(copy, pixels=copy.pixels[order], labels=copy.labels[order])
    (folder / "fer2013.csv").write_text(rolled.pictures(), encoding="utf-8")
    with pytest.raises(DataError, match=r"does not fit the pictures: votes and FER2013's own labels agree on \d\d%"):
        copy.parsed(folder)


def test_altered_votes_are_told_by_their_counts(altered: Any, tmp_path: Path) -> None:
    found = altered.parsed(altered.write(tmp_path / "both"))
    assert "the votes of Training were altered: " in found.partial
    assert "5 instead of 6" in found.partial and "7 instead of 6" in found.partial


def test_lost_votes_are_told_by_their_counts(copy: Any, tmp_path: Path) -> None:
    counts = copy.counts.copy()
    counts[np.flatnonzero(copy.names != "")[:4]] = [0] * 8 + [10, 0]
    found = copy.parsed(replace(copy, counts=counts).write(tmp_path / "both"))
    assert found.partial == (
        "Training has 38 pictures with a majority, of 42; Training has 52 pictures with a label by argmax, of 56; "
        "Training has 52 pictures with a distribution, of 56; Training has 52 pictures with accepted emotions, of 56"
    )


def test_what_is_wrong_with_the_pictures_is_wrong_with_ferplus(copy: Any, tmp_path: Path) -> None:
    pictures, votes = copy.official
    more = OfficialPictures({split: (*counts[:6], counts[6] + 1) for split, counts in pictures.counts.items()})
    found = read_checked(copy.write(tmp_path / "both"), ReadContext(), more, votes)
    assert found.partial.startswith("pictures: Training has 84 of 85 rows: a partial copy")


def test_a_small_copy_is_a_partial_one_of_the_real_data(copy: Any, tmp_path: Path) -> None:
    found = read(copy.write(tmp_path / "both"), ReadContext(allow_partial=True))
    assert "Training has 42 pictures with a majority, of 25,060" in found.partial
    assert "Training has 84 of 28,709 rows" in found.partial


def test_the_data_set_is_described() -> None:
    (dataset,) = ferbench_ferplus.ferbench_datasets()
    assert [rule.name for rule in dataset.protocols] == [*ferbench_ferplus.SCHEMES, "argmax"]
    assert dataset.classes[:2] == ("neutral", "happiness") and dataset.classes[-1] == "contempt"
    assert {rule.ranking for rule in dataset.protocols[:4]} == {"majority labels"}
    assert dataset.protocols[4].ranking == ""
    assert not dataset.public and dataset.licence and "FERPlus" in dataset.how_to_get


def test_the_suite_holds_the_four_schemes() -> None:
    (suite,) = ferbench_ferplus.ferbench_suites()
    assert suite.datasets == tuple(f"ferplus@{name}" for name in ferbench_ferplus.SCHEMES)
    assert "tag:ferplus" in suite.models and len(suite.seeds) == 3
