"""RAF-DB is read in its layout, checked against its counts, and every fault is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ferbench_faces import raf_db as reader
from ferbench_faces.wild import wild_datasets
from PIL import Image

from ferbench import DataError, Dataset, ReadContext, View
from ferbench.data.attributes import own_names, own_values
from ferbench.data.registry import add, load
from ferbench.data.slicing import sliced
from ferbench.data.splits import make_splits

PARTIAL = ReadContext(allow_partial=True)
LIST = "basic/EmoLabel/list_patition_label.txt"
SETS = {dataset.name: dataset for dataset in wild_datasets()}


@pytest.fixture
def good(raf_db: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy whose counts are taken for RAF-DB's."""
    monkeypatch.setattr(reader, "BASIC", raf_db.counts(7))
    return raf_db


def test_aligned_faces_are_read_with_labels_and_splits(good: Any, tmp_path: Path) -> None:
    found = reader.read_basic(good.write(tmp_path), ReadContext())
    assert found.partial == "" and found.corrupted == () and found.inputs is not None
    assert found.inputs["image"].shape == (42, 100, 100, 3)
    assert found.samples.ids[[0, 28]].tolist() == ["raf-db-train_00001", "raf-db-test_0001"]
    assert found.samples.targets[:8].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    with Image.open(tmp_path / "basic/Image/aligned/train_00003_aligned.jpg") as image:
        np.testing.assert_array_equal(found.inputs["image"][2], np.asarray(image))


def test_the_part_alone_is_read_too(good: Any, tmp_path: Path) -> None:
    whole = good.write(tmp_path)
    assert len(reader.read_basic(whole / "basic", ReadContext()).samples.ids) == 42


def test_val_is_carved_from_train_and_neutral_left_out_of_six(good: Any, tmp_path: Path, data_root: Path) -> None:
    add(SETS["raf-db"], good.write(tmp_path / "raf"))
    loaded = load(SETS["raf-db"])
    splits = make_splits(loaded, SETS["raf-db"].protocols[0])
    assert (len(splits.train) + len(splits.val), len(splits.test)) == (28, 14)
    assert all(name.startswith("raf-db-test") for name in splits.test.ids) and 1 <= len(splits.val) <= 5
    six = make_splits(loaded, SETS["raf-db"].protocols[1])
    assert len(six.test) == 12 and six.test.classes[-1] == "anger"


def test_original_pictures_are_streamed_by_their_boxes(good: Any, tmp_path: Path, data_root: Path) -> None:
    dataset: Dataset = SETS["raf-db-original"]
    added = add(dataset, good.write(tmp_path / "raf", originals=True))
    assert added.partial == "" and "the header was read and the end looked for" in added.notes[0]
    loaded = load(dataset)
    assert loaded.samples.columns["box"][0].tolist() == [5, 4, 46, 60]
    test = make_splits(loaded, dataset.protocols[0]).test
    seen = test.batch(np.array([0]), View(), np.random.default_rng(0)).inputs["image"]
    with Image.open(tmp_path / "raf/basic/Image/original/test_0001.jpg") as image:
        face = image.crop((6, 4, 46, 60)).resize((224, 224), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(seen[0], np.asarray(face))


def test_compound_emotions_are_read(compound: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "COMPOUND", {"train": (33,), "test": (11,)})
    found = reader.read_compound(compound.write(tmp_path), ReadContext())
    assert found.partial == "" and found.samples.targets.max() == 10
    assert found.samples.ids[0] == "raf-db-compound-train_0001"


def test_of_the_whole_of_raf_db_each_part_is_found(
    good: Any, compound: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "COMPOUND", {"train": (33,), "test": (11,)})
    good.write(tmp_path / "downloads/RAF-DB")
    compound.write(tmp_path / "downloads/RAF-DB")
    for path in (tmp_path / "downloads", tmp_path / "downloads/RAF-DB"):
        assert reader.read_basic(path, ReadContext()).partial == ""
        assert reader.read_compound(path, ReadContext()).partial == ""
    wrong = reader.read_compound(tmp_path / "downloads/RAF-DB/basic", ReadContext())
    assert wrong.partial.startswith("train has 28 samples instead of 33")


def test_gender_race_and_age_are_read_where_they_are_and_part_results(
    good: Any, tmp_path: Path, data_root: Path, compound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = good.write(tmp_path / "raf")
    assert reader.read_basic(root, ReadContext()).samples.columns == {}
    good.annotate(root)
    assert add(SETS["raf-db"], root).notes == ()
    loaded = load(SETS["raf-db"])
    assert {"gender", "race", "age"} <= set(own_names(loaded))
    columns = {name: own_values(loaded, name).tolist() for name in ("gender", "race", "age")}
    assert columns["gender"][:4] == ["male", "female", "unsure", "male"]
    assert columns["race"][::3][:4] == ["Caucasian", "African-American", "Asian", "Caucasian"]
    assert columns["age"][:6] == ["00-03", "04-19", "20-39", "40-69", "70 and more", "00-03"]
    assert sliced("age", own_values(loaded, "age")).slices == ("00-03", "04-19", "20-39", "40-69", "70 and more")
    monkeypatch.setattr(reader, "COMPOUND", {"train": (33,), "test": (11,)})
    compound.annotate(compound.write(tmp_path / "compound"))
    assert reader.read_compound(tmp_path / "compound", ReadContext()).samples.columns["gender"][2] == "unsure"


def test_of_original_pictures_the_attributes_stand_beside_the_boxes(good: Any, tmp_path: Path) -> None:
    good.annotate(good.write(tmp_path, originals=True))
    assert set(reader.read_original(tmp_path, ReadContext()).samples.columns) == {"box", "gender", "race", "age"}


def test_pictures_without_attributes_are_counted(good: Any, tmp_path: Path) -> None:
    place = good.annotate(good.write(tmp_path))
    (place / "train_00002_manu_attri.txt").unlink()
    found = reader.read_basic(tmp_path, ReadContext())
    assert found.notes == ("1 pictures have no file in Annotation/manual.",) and found.partial == ""
    assert found.samples.columns["gender"][:3].tolist() == ["male", "", "unsure"]
    for path in place.iterdir():
        path.unlink()
    bare = reader.read_basic(tmp_path, ReadContext())
    assert bare.samples.columns == {} and bare.notes[0].startswith("Annotation/manual holds no file of these pictures")


@pytest.mark.parametrize("text", ["1 2\n" * 5 + "0\n0\n5\n", "1 2\n" * 5 + "0\n0\n", "1 2\n" * 4 + "3\n0\n0\n1\n", "0"])
def test_attributes_of_another_form_are_named(good: Any, tmp_path: Path, text: str) -> None:
    place = good.annotate(good.write(tmp_path))
    (place / "train_00002_manu_attri.txt").write_text(text)
    with pytest.raises(DataError, match=r"train_00002_manu_attri\.txt does not hold 5 landmarks and the numbers of"):
        reader.read_basic(tmp_path, ReadContext())


def test_counts_that_are_not_those_of_the_set_make_a_copy_partial(good: Any, tmp_path: Path) -> None:
    del good.labels["train_00002"]
    found = reader.read_basic(good.write(tmp_path), ReadContext())
    assert found.partial == "train has 27 samples instead of 28 (fear 3 of 4)"


def test_missing_pictures_are_told_and_may_be_left_out(good: Any, tmp_path: Path) -> None:
    root = good.write(tmp_path)
    (root / "basic/Image/aligned/test_0001_aligned.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 42 pictures are not below .*test_0001_aligned\.jpg\. Get them; or go"):
        reader.read_basic(root, ReadContext())
    found = reader.read_basic(root, PARTIAL)
    assert found.partial == (
        "test has 13 samples instead of 14 (surprise 1 of 2); 1 of 42 pictures are missing: "
        "Image/aligned/test_0001_aligned.jpg"
    )
    assert len(found.samples.ids) == 41


def test_a_corrupted_picture_is_named_and_does_not_make_the_copy_partial(good: Any, tmp_path: Path) -> None:
    root = good.write(tmp_path)
    (root / "basic/Image/aligned/train_00004_aligned.jpg").write_bytes(b"")
    found = reader.read_basic(root, ReadContext())
    assert found.corrupted == ("Image/aligned/train_00004_aligned.jpg: the file is empty",)
    assert found.partial == "" and "raf-db-train_00004" not in found.samples.ids


LINES = {
    "label": ("train_00002.jpg 8", r"line 2: the label 8 is not 1 to 7\. Is this the list of raf-db-compound"),
    "zero": ("train_00002.jpg 0", "line 2: the label 0 is not 1 to 7"),
    "words": ("train_00002.jpg happy", "line 2: 'train_00002.jpg happy' is no name and label"),
    "path": ("../train_00002.jpg 1", r"line 2: '\.\./train_00002\.jpg 1' is no name and label"),
    "twice": ("train_00001.jpg 1", "pictures come twice: train_00001"),
}


@pytest.mark.parametrize("fault", list(LINES))
def test_a_fault_of_the_list_is_named_with_its_line(good: Any, tmp_path: Path, fault: str) -> None:
    line, message = LINES[fault]
    root = good.write(tmp_path)
    lines = (root / LIST).read_text().splitlines()
    (root / LIST).write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(DataError, match=message):
        reader.read_basic(root, ReadContext())


def test_another_layout_is_refused_with_what_is_missing(good: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"not laid out as RAF-DB \(basic\): .*EmoLabel/list_patition.* It is empty"):
        reader.read_basic(tmp_path / "empty", ReadContext())
    root = good.write(tmp_path / "raf", originals=True)
    (root / "basic/Image/aligned.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"has no folder Image/aligned, which holds the pictures; unpack aligned\.zip"):
        reader.read_basic(root, ReadContext())
    (root / "raf.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"raf\.zip is no folder\. Unpack"):
        reader.read_basic(root / "raf.zip", ReadContext())


@pytest.mark.parametrize("text", ["", "1 2 3", "9 9 3 3", "a b c d", "inf 1 2 3", "0 0 1e300 9", "0 0 20000 20000"])
def test_a_box_that_is_none_is_named(good: Any, tmp_path: Path, text: str) -> None:
    root = good.write(tmp_path, originals=True)
    (root / "basic/Annotation/boundingbox/train_00002_boundingbox.txt").write_text(text)
    with pytest.raises(DataError, match=r"boundingbox/train_00002_boundingbox\.txt is no box"):
        reader.read_original(root, ReadContext())


def test_the_counts_of_the_real_set_are_those_that_its_descriptions_name() -> None:
    assert sum(map(sum, reader.BASIC.values())) == 15339 and sum(map(sum, reader.COMPOUND.values())) == 3954
    assert SETS["raf-db"].classes == SETS["raf-db-original"].classes
