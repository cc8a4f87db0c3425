"""AffectNet is read in both of its layouts, streamed, and every fault is named."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from ferbench_faces import affectnet as reader
from ferbench_faces.wild import wild_datasets
from PIL import Image

from ferbench import DataError, ReadContext, View
from ferbench.data.registry import add, load
from ferbench.data.splits import make_splits

SETS = {dataset.name: dataset for dataset in wild_datasets()}
LAYOUTS = ("arrays", "tables")


@pytest.fixture
def good(affectnet: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy whose counts are taken for AffectNet's."""
    monkeypatch.setattr(reader, "COUNTS", affectnet.counts())
    return affectnet


def write(copy: Any, layout: str, root: Path) -> Path:
    written: Path = copy.write_arrays(root) if layout == "arrays" else copy.write_tables(root)
    return written


@pytest.mark.parametrize("layout", LAYOUTS)
def test_expressions_are_read_and_tested_on_the_published_val(
    good: Any, tmp_path: Path, data_root: Path, layout: str
) -> None:
    dataset = SETS["affectnet"]
    added = add(dataset, write(good, layout, tmp_path / "affectnet"))
    assert (added.samples, added.partial, added.corrupted) == (48, "", ())  # no faces and unsure ones are left out
    loaded = load(dataset)
    assert loaded.inputs is None
    eight = make_splits(loaded, dataset.protocols[0])
    assert (len(eight.train) + len(eight.val), len(eight.test)) == (32, 16)
    assert np.bincount(eight.test.targets).tolist() == [2] * 8
    seven = make_splits(loaded, dataset.protocols[1])
    assert len(seven.test) == 14 and "contempt" not in seven.test.classes
    batch = eight.test.batch(np.array([3]), View(), np.random.default_rng(0))
    assert batch.inputs["image"].shape == (1, 224, 224, 3)


def test_the_face_is_cut_out_by_its_box(good: Any, tmp_path: Path, data_root: Path) -> None:
    add(SETS["affectnet"], good.write_tables(tmp_path / "affectnet"))
    test = make_splits(load(SETS["affectnet"]), SETS["affectnet"].protocols[0]).test
    place = int(np.flatnonzero(test.ids == "affectnet-val-1/0028")[0])
    seen = test.batch(np.array([place]), View(), np.random.default_rng(0)).inputs["image"][0]
    with Image.open(tmp_path / "affectnet/Manually_Annotated_Images/1/0028.jpg") as image:
        face = image.crop((4, 6, 44, 50)).resize((224, 224), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(seen, np.asarray(face))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_valence_and_arousal_are_a_regression(good: Any, tmp_path: Path, data_root: Path, layout: str) -> None:
    dataset = SETS["affectnet-va"]
    add(dataset, write(good, layout, tmp_path / "affectnet"))
    splits = make_splits(load(dataset), dataset.protocols[0])
    assert splits.test.label_kind == "real" and splits.test.classes == ("valence", "arousal")
    assert len(splits.train) + len(splits.val) == 32
    row = next(i for i, name in enumerate(splits.test.ids) if name.endswith(("-41", "/0029")))
    np.testing.assert_allclose(splits.test.targets[row], [(41 % 7) / 8 - 0.5, (41 % 3) / 4])


def test_values_beyond_one_are_refused(good: Any, tmp_path: Path) -> None:
    good.rows[5] = (*good.rows[5][:3], -2.0, 0.5)
    with pytest.raises(
        DataError, match=r"train_set/images/5\.jpg has valence and arousal \[-2\.0, 0\.5\], not -1 to 1"
    ):
        reader.read_values(good.write_arrays(tmp_path), ReadContext())


def test_what_is_not_a_number_is_no_valence(good: Any, tmp_path: Path) -> None:
    root = good.write_arrays(tmp_path)
    np.save(root / "train_set/annotations/4_val.npy", np.array("nan"))
    np.save(root / "train_set/annotations/5_val.npy", np.array("0.5"))
    with pytest.raises(DataError, match=r"train_set/images/4\.jpg has valence and arousal \[nan, "):
        reader.read_values(root, ReadContext())


def test_numbers_are_read_as_text_and_as_numbers(good: Any, tmp_path: Path) -> None:
    root = good.write_arrays(tmp_path)
    np.save(root / "train_set/annotations/4_exp.npy", np.int64(4))
    assert reader.read_expressions(root, ReadContext()).partial == ""


def claim_terabytes(path: Path) -> None:
    """Write the header of an array that no machine can hold, and eight bytes."""
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10**14,)})
        stream.write(bytes(8))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "label": (lambda path: np.save(path, np.array("11")), "4_exp.npy holds 11, not a label 0 to 10"),
    "two": (lambda path: np.save(path, np.array([1, 2])), "4_exp.npy is damaged, or holds no single number"),
    "pickle": (
        lambda path: np.save(path, np.array(object(), dtype=object), allow_pickle=True),
        "4_exp.npy is damaged",
    ),
    "complex": (lambda path: np.save(path, np.array(4 + 0j)), "4_exp.npy is damaged, or holds no single number"),
    "empty": (lambda path: path.write_bytes(b""), "4_exp.npy is damaged"),
    "a claim of terabytes": (claim_terabytes, "4_exp.npy is damaged"),
    "a broken header": (
        lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00{garbage        "),
        "4_exp.npy is damaged",
    ),
    "an archive": (lambda path: ZipFile(path, "w").close(), "4_exp.npy is damaged"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_an_annotation_that_is_none_is_named(good: Any, tmp_path: Path, fault: str) -> None:
    change, message = FAULTS[fault]
    root = good.write_arrays(tmp_path)
    change(root / "train_set/annotations/4_exp.npy")
    with pytest.raises(DataError, match=message):
        reader.read_expressions(root, ReadContext())


def test_missing_values_are_named_where_they_are_needed(good: Any, tmp_path: Path) -> None:
    root = good.write_arrays(tmp_path)
    (root / "train_set/annotations/4_aro.npy").unlink()
    assert reader.read_expressions(root, ReadContext()).partial == ""
    with pytest.raises(DataError, match=r"4_aro\.npy is missing"):
        reader.read_values(root, ReadContext())


ROWS = {
    "columns": (["0/0003.jpg", "1"], "line 5: 2 columns instead of 9"),
    "number": (
        ["0/0003.jpg", "a", "6", "40", "44", "", "3", "0", "0"],
        "line 5: the box, the expression, .* no number",
    ),
    "label": (["0/0003.jpg", "4", "6", "40", "44", "", "12", "0", "0"], r"line 5: the expression 12 is not 0 to 10"),
    "box": (["0/0003.jpg", "4", "6", "0", "44", "", "3", "0", "0"], r"0/0003\.jpg has an expression, but no box"),
    "large box": (["0/0003.jpg", "4", "6", "9" * 20, "44", "", "3", "0", "0"], "line 5: no picture can hold .* box"),
    "twice": (["2/0002.jpg", "4", "6", "40", "44", "", "2", "0", "0"], r"pictures come twice: .*2/0002\.jpg"),
    "outside": (["../../x.jpg", "4", "6", "40", "44", "", "2", "0", "0"], "leads outside"),
}


@pytest.mark.parametrize("fault", list(ROWS))
def test_a_fault_of_a_table_is_named_with_its_line(good: Any, tmp_path: Path, fault: str) -> None:
    row, message = ROWS[fault]
    root = good.write_tables(tmp_path)
    table = root / "Manually_Annotated_file_lists/training.csv"
    rows = list(csv.reader(table.read_text().splitlines()))
    rows[4] = row
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    with pytest.raises(DataError, match=message):
        reader.read_expressions(root, ReadContext())


def test_a_table_without_names_of_columns_is_read(good: Any, tmp_path: Path) -> None:
    root = good.write_tables(tmp_path)
    table = root / "Manually_Annotated_file_lists/validation.csv"
    table.write_text("\n".join(table.read_text().splitlines()[1:]))
    assert reader.read_expressions(root, ReadContext()).partial == ""


def test_counts_and_corrupted_pictures_are_told(good: Any, tmp_path: Path) -> None:
    good.rows.pop(0)
    root = good.write_arrays(tmp_path)
    (root / "val_set/images/40.jpg").write_bytes(b"")
    found = reader.read_expressions(root, ReadContext())
    assert found.partial == "train has 31 samples instead of 32 (neutral 3 of 4)"
    assert found.corrupted == ("val_set/images/40.jpg: the file is empty",)


def test_other_folders_are_refused(good: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not laid out as AffectNet \(neither is there Manually_Annotated_file"):
        reader.read_expressions(tmp_path, ReadContext())
    root = good.write_tables(tmp_path)
    (root / "Manually_Annotated_Images").rename(root / "images")
    with pytest.raises(DataError, match="but no folder Manually_Annotated_Images"):
        reader.read_expressions(root, ReadContext())


def test_the_counts_of_the_real_set_come_to_its_description() -> None:
    assert sum(map(sum, reader.COUNTS.values())) == 291651 and sum(reader.COUNTS["train"]) == 287651
