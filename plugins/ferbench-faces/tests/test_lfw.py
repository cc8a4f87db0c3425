"""LFW has no emotions: with a table of the user's own it is a data set of persons, without one it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ferbench_faces.further import further_datasets
from ferbench_faces.lfw import CLASSES, read
from PIL import Image

from ferbench import DataError, ReadContext
from ferbench.data.parsed import checked
from ferbench.data.registry import add, load
from ferbench.data.splits import make_splits

CONTEXT = ReadContext()
LFW = next(item for item in further_datasets() if item.name == "lfw")
PEOPLE = ("Aaron_Eckhart", "Lech_Walesa", "Zoë_Ball", "Al_Sharpton", "Jack_La_Lanne", "Yu_Shyi-kun")
EMOTIONS = ("happy", "Neutral", "sad", "anger", "surprise", "fear", "disgust")


def draw(root: Path, person: str, number: int, size: tuple[int, int] = (250, 250)) -> str:
    """Write a picture that no other has; return its line in a table."""
    path = root / "lfw" / person / f"{person}_{number:04d}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = PEOPLE.index(person) * 100 + number
    coarse = np.random.default_rng(seed).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.NEAREST).save(path)
    return path.relative_to(root).as_posix()


def write(root: Path, each: int = 7) -> list[str]:
    """Persons with seven pictures each; the lines of their table."""
    return [f"{draw(root, name, n)},{EMOTIONS[n % 7]}" for name in PEOPLE for n in range(1, each + 1)]


def label(root: Path, lines: Sequence[str], head: str = "path,label") -> Path:
    (root / "emotions.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return root


def test_labels_of_the_user_make_it_a_data_set_of_persons(tmp_path: Path, data_root: Path) -> None:
    lines = write(tmp_path / "whole")
    (tmp_path / "whole/people.txt").write_text("10\n1\nAaron_Eckhart\t7\n")
    copy = read(label(tmp_path / "whole", lines[:-3]), CONTEXT)
    checked(LFW, copy)
    assert copy.partial == "" and copy.notes[0] == "39 of LFW's 13,233 pictures have a label in emotions.csv."
    assert copy.samples.ids[0] == "lfw-Aaron_Eckhart_0001"
    assert [CLASSES[target] for target in copy.samples.targets[:3]] == ["neutral", "sadness", "anger"]
    assert set(copy.samples.groups["subject"].tolist()) == set(PEOPLE)
    add(LFW, tmp_path / "whole")
    splits = make_splits(load(LFW), LFW.protocols[0])
    sides = [set(side.groups["subject"].tolist()) for side in (splits.train, splits.val, splits.test)]
    assert not sides[0] & sides[2] and not sides[0] & sides[1] and not sides[1] & sides[2]


def test_the_face_in_the_middle_is_cut_out(tmp_path: Path) -> None:
    copy = read(label(tmp_path, write(tmp_path)), CONTEXT)
    assert copy.inputs is not None and copy.inputs["image"].shape == (42, 112, 112)
    with Image.open(tmp_path / "lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg") as image:
        face = image.convert("L").crop((54, 54, 196, 196)).resize((112, 112), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(copy.inputs["image"][0], np.asarray(face))


def test_without_a_table_it_is_refused_with_the_reason_and_the_mend(tmp_path: Path) -> None:
    write(tmp_path, each=1)
    with pytest.raises(DataError) as refused:
        read(tmp_path, CONTEXT)
    told = str(refused.value)
    assert "has no emotion labels; those of the mixture of FER2013 and LFW that papers name were never" in told
    assert f"write them into {tmp_path / 'emotions.csv'}, the columns path and label" in told


def test_missing_pictures_are_told_and_may_be_left_out(tmp_path: Path) -> None:
    label(tmp_path, write(tmp_path))
    (tmp_path / "lfw/Lech_Walesa/Lech_Walesa_0002.jpg").unlink()
    (tmp_path / "lfw/Lech_Walesa/Lech_Walesa_0003.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 42 pictures are not below .*: lfw/Lech_Walesa/Lech_Walesa_0002\.jpg"):
        read(tmp_path, CONTEXT)
    copy = read(tmp_path, ReadContext(allow_partial=True))
    assert copy.partial == "1 of 42 pictures are missing: lfw/Lech_Walesa/Lech_Walesa_0002.jpg"
    assert copy.corrupted == ("lfw/Lech_Walesa/Lech_Walesa_0003.jpg: the file is empty",)
    assert "lfw-Lech_Walesa_0004" in copy.samples.ids and len(copy.samples.ids) == 40


FAULTS = {
    "label": ("lfw/Al_Sharpton/Al_Sharpton_0008.jpg,bored", "has the label bored; the data set lfw knows anger, disg"),
    "name": ("lfw/Al_Sharpton/Lech_Walesa_0001.jpg,sad", "Lech_Walesa_0001.jpg, which is not named as LFW's pictures"),
    "twice": ("lfw-funneled/Al_Sharpton/Al_Sharpton_0001.jpg,sad", "names a picture in several copies of LFW"),
    "outside": ("../Al_Sharpton/Al_Sharpton_0001.jpg,sad", r"line 44: '\.\./.*' is no path below"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_line_that_is_no_label_of_lfw_is_refused(tmp_path: Path, fault: str) -> None:
    line, message = FAULTS[fault]
    with pytest.raises(DataError, match=message):
        read(label(tmp_path, [*write(tmp_path), line]), CONTEXT)


def test_another_folder_and_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no pictures of LFW .*Unpack lfw\.tgz"):
        read(label(tmp_path, []), CONTEXT)
    lines = write(tmp_path)
    draw(tmp_path, "Al_Sharpton", 1, (64, 64))
    with pytest.raises(DataError, match="has 64×64 pixels: LFW's have 250×250"):
        read(label(tmp_path, lines), CONTEXT)


def test_further_columns_are_told(tmp_path: Path) -> None:
    lines = [f"{line},train,someone,-" for line in write(tmp_path)]
    notes = read(label(tmp_path, lines, "path,label,split,subject,remark"), CONTEXT).notes
    assert notes[1:] == (
        "Columns that were not used: remark.",
        "Columns that were not used (persons are known by the files): split, subject.",
    )
