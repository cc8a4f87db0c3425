"""The edition of label.csv: found in a clone, joined by the pictures' names, and every fault is named."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import ferbench_ferplus
import numpy as np
import pytest
from ferbench_fer2013.reading import read_checked as read_pictures
from ferbench_ferplus.labels import aligned, read_labels
from ferbench_ferplus.numbering import TWINS, numbered_rows

from ferbench import DataError, ReadContext
from ferbench.data.registry import add

TRAIN = "data/FER2013Train/label.csv"


def change(clone: Path, line: int, text: str) -> Path:
    """Put ``text`` in place of a line of Training's file."""
    lines = (clone / TRAIN).read_text(encoding="utf-8").splitlines()
    lines[line - 1] = text
    (clone / TRAIN).write_text("\n".join(lines), encoding="utf-8")
    return clone


def test_a_clone_gives_the_votes_of_its_three_files(other: Any, tmp_path: Path) -> None:
    found = other.parsed(other.write_labels(tmp_path / "FERPlus"))
    named = np.flatnonzero(other.names != "")
    assert found.partial == ""
    assert found.samples.ids.tolist() == [f"fer2013-{row:05d}" for row in named]
    columns = found.samples.columns
    np.testing.assert_array_equal(columns["votes"], other.counts[named, :8])
    np.testing.assert_array_equal(columns["unknown"], other.counts[named, 8])
    np.testing.assert_array_equal(columns["image_name"], other.names[named])
    assert found.notes[0] == "Votes: the edition of label.csv (majority, where whole: 41 / 7 / 7)."
    assert len(found.notes) == 2


def test_its_folder_data_and_its_zip_are_read_too(other: Any, tmp_path: Path) -> None:
    clone = other.write_labels(tmp_path / "FERPlus")
    pictures = read_pictures(clone / "fer2013.csv", other.official[0])
    context = ReadContext(registered={"fer2013": pictures}.__getitem__)
    with zipfile.ZipFile(tmp_path / "FERPlus-master.zip", "w") as archive:
        for file in (clone / "data").rglob("*.csv"):
            archive.write(file, f"FERPlus-master/{file.relative_to(clone)}")
    whole = other.parsed(clone)
    for path in (clone / "data", tmp_path / "FERPlus-master.zip"):
        np.testing.assert_array_equal(
            other.parsed(path, context).samples.columns["votes"], whole.samples.columns["votes"]
        )


def test_where_both_editions_lie_labels_are_taken_and_the_other_is_named(copy: Any, other: Any, tmp_path: Path) -> None:
    clone = other.write_labels(copy.write(tmp_path / "FERPlus"))
    found = other.parsed(clone)
    assert found.partial == "" and "label.csv" in found.notes[0]
    assert found.notes[1] == (
        "FERPlus/fer2013new.csv is another edition (majority: 42 / 7 / 7) and was not taken. To take that one, add the "
        "file fer2013new.csv by itself."
    )


def test_the_editions_have_fingerprints_of_their_own(
    copy: Any, other: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path / "registered"))
    (dataset,) = ferbench_ferplus.ferbench_datasets()
    made = replace(dataset, read=copy.parsed)
    new, labels = add(made, copy.write(tmp_path / "new")), add(made, other.write_labels(tmp_path / "labels"))
    assert new.partial == labels.partial == ""
    assert new.fingerprint != labels.fingerprint
    assert "fer2013new.csv" in new.notes[0] and "label.csv" in labels.notes[0]


def test_labels_that_the_authors_script_wrote_are_told_by_their_counts(copy: Any, tmp_path: Path) -> None:
    clone = copy.write_labels(tmp_path / "FERPlus")
    for file in clone.rglob("label.csv"):
        file.write_text(file.read_text(encoding="utf-8").replace('"(0, 0, 48, 48)",', ""), encoding="utf-8")
    found = copy.parsed(clone)
    assert found.partial == "" and "fer2013new.csv" in found.notes[0]
    assert found.notes[1] == "They lay in label.csv, but their counts are those of fer2013new.csv."


def test_altered_labels_are_told_by_their_counts(other: Any, tmp_path: Path) -> None:
    clone = change(other.write_labels(tmp_path / "FERPlus"), 2, 'fer0000001.png,"(0, 0, 48, 48)",5,5,0,0,0,0,0,0,0,0')
    assert other.parsed(clone).partial == "Training has 40 pictures with a majority, of 41"


def test_a_folder_of_another_name_is_named(other: Any, tmp_path: Path) -> None:
    clone = other.write_labels(tmp_path / "FERPlus")
    (clone / "data" / "FER2013Valid").rename(clone / "data" / "valid")
    with pytest.raises(
        DataError, match=r"FERPlus/data/valid/label\.csv does not say .* must be FER2013Train, FER2013V"
    ):
        other.parsed(clone)


def test_a_missing_file_is_named(other: Any, tmp_path: Path) -> None:
    clone = other.write_labels(tmp_path / "FERPlus")
    (clone / "data" / "FER2013Valid" / "label.csv").unlink()
    with pytest.raises(DataError, match=r"FERPlus holds .*, but not FER2013Valid/label\.csv\. Add the clone"):
        other.parsed(clone)
    with pytest.raises(DataError, match=r"but not FER2013Valid/label\.csv and FER2013Test/label\.csv"):
        other.parsed(clone / "data" / "FER2013Train")


def test_two_files_of_a_split_are_named(other: Any, tmp_path: Path) -> None:
    clone = other.write_labels(tmp_path / "FERPlus")
    other.write_labels(clone / "again")
    with pytest.raises(DataError, match=r"FERPlus/again/data/.* and FERPlus/data/.* are both of PrivateTest"):
        other.parsed(clone)


BOX = '"(0, 0, 48, 48)"'
FAULTS = {
    "columns": (f"fer0000002.png,{BOX},10,0,0", "5 columns instead of 12"),
    "name": (f"face_2.jpg,{BOX},10,0,0,0,0,0,0,0,0,0", "the picture 'face_2.jpg' is not named as FER"),
    "below zero": (f"fer0000002.png,{BOX},11,-1,0,0,0,0,0,0,0,0", "neutral is '11', not 0 to 10 votes"),
    "a fraction": (f"fer0000002.png,{BOX},9.5,0,0,0,0,0,0,0,0,0", "neutral is '9.5', not 0 to 10 votes"),
    "no votes": (f"fer0000002.png,{BOX},0,0,0,0,0,0,0,0,0,0", "nobody voted on fer0000002.png"),
    "unknown picture": (f"fer0099999.png,{BOX},10,0,0,0,0,0,0,0,0,0", "fer0099999.png is not in FER2013"),
    "another split": (f"fer0000138.png,{BOX},10,0,0,0,0,0,0,0,0,0", "fer0000138.png is one of PrivateTest, and this"),
    "twice": (f"fer0000001.png,{BOX},10,0,0,0,0,0,0,0,0,0", "fer0000001.png comes twice"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_is_named_with_its_file_and_line(other: Any, tmp_path: Path, fault: str) -> None:
    text, message = FAULTS[fault]
    clone = change(other.write_labels(tmp_path / "FERPlus"), 3, text)
    with pytest.raises(DataError, match=rf"^FERPlus/data/FER2013Train/label\.csv, line 3: {message}"):
        other.parsed(clone)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xff", b'"' + b"1" * 200_000], ids=["empty", "no text", "no end"])
def test_files_that_are_no_table_are_named(other: Any, tmp_path: Path, content: bytes) -> None:
    clone = other.write_labels(tmp_path / "FERPlus")
    (clone / TRAIN).write_bytes(content)
    with pytest.raises(DataError, match=r"FER2013Train/label\.csv (has no rows|is no CSV file)"):
        other.parsed(clone)


def test_a_name_that_stands_for_two_pictures_may_come_twice(tmp_path: Path) -> None:
    row, number = next(iter(TWINS.items()))
    text = f"fer{number:07d}.png,{BOX},10,0,0,0,0,0,0,0,0,0\n"
    usage = np.full(7_000, "Training")
    own = int(numbered_rows(len(usage))[number])
    for times, rows in ((1, [own]), (2, [row, own])):
        (tmp_path / "label.csv").write_text(text * times, encoding="utf-8")
        with (tmp_path / "label.csv").open("rb") as stream:
            found = aligned({"Training": read_labels(stream, "label.csv")}, usage)
        assert np.flatnonzero(found.names).tolist() == rows
        assert found.counts[rows].sum(axis=1).tolist() == [10] * times
