"""ExpW, FERG and EmotioNet are read in their layouts, and every fault is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ferbench_faces import emotionet, expw, ferg
from ferbench_faces.wild import EMOTIONET_UNITS, wild_datasets
from PIL import Image

from ferbench import DataError, ReadContext, View
from ferbench.data.registry import add, load
from ferbench.data.splits import make_splits

SETS = {dataset.name: dataset for dataset in wild_datasets()}


def draw(path: Path, number: int, size: tuple[int, int], mode: str = "RGB") -> Path:
    """Write a picture that no other number has; ``size`` is width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path)
    return path


def write_expw(root: Path, lines: Sequence[str] | None = None) -> Path:
    """21 pictures with two faces each, of every expression six."""
    made = [
        f"angry_{i}.jpg {face} {5 + face} {10 * face} {30 + 10 * face} {45 + face} {90.5 - i:.3f} {(2 * i + face) % 7}"
        for i in range(21)
        for face in range(2)
    ]
    for i in range(21):
        draw(root / f"image/origin/angry_{i}.jpg", i, (80, 60))
    (root / "label").mkdir(exist_ok=True)
    (root / "label/label.lst").write_text("\n".join(made if lines is None else lines) + "\n")
    return root


@pytest.fixture
def faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of the made-up ExpW."""
    monkeypatch.setattr(expw, "COUNTS", (6,) * 7)


def test_two_faces_of_one_photograph_are_two_samples_on_one_side(tmp_path: Path, data_root: Path, faces: None) -> None:
    dataset = SETS["expw"]
    added = add(dataset, write_expw(tmp_path / "expw"))
    assert (added.samples, added.partial) == (42, "")
    loaded = load(dataset)
    hashes = loaded.samples.hashes
    assert hashes is not None and len(np.unique(hashes)) == 42
    np.testing.assert_allclose(loaded.samples.columns["confidence"][:3], [90.5, 90.5, 89.5])
    splits = make_splits(loaded, dataset.protocols[0])
    sides = [set(side.groups["picture"]) for side in (splits.train, splits.val, splits.test)]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    row = int(np.flatnonzero(loaded.samples.ids == "expw-angry_0-1")[0])
    assert loaded.samples.columns["box"][row].tolist() == [10, 6, 40, 46]


def test_a_face_is_read_by_its_box(tmp_path: Path) -> None:
    root = write_expw(tmp_path)
    seen = expw.decode(root / "image/origin/angry_0.jpg", View(box=(10, 6, 40, 46)), np.random.default_rng(0))["image"]
    with Image.open(root / "image/origin/angry_0.jpg") as image:
        face = image.crop((10, 6, 40, 46)).resize((224, 224), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(seen, np.asarray(face))


def test_lines_that_come_twice_are_taken_once_and_counted(tmp_path: Path, faces: None) -> None:
    root = write_expw(tmp_path)
    lines = (root / "label/label.lst").read_text().splitlines()
    found = expw.read(write_expw(root, [*lines, lines[3]]), ReadContext())
    assert found.partial == "" and "1 lines of label/label.lst come twice, and were taken once." in found.notes


EXPW_FAULTS = {
    "columns": ("angry_0.jpg 0 5 0 30", "line 2: 'angry_0.jpg 0 5 0 30' is no face: name, number, top"),
    "label": ("angry_0.jpg 1 5 0 30 45 90 7", "line 2: .* has the label 7, which is not 0 to 6"),
    "box": ("angry_0.jpg 1 5 30 30 45 90 6", "line 2: .* has an empty box"),
    "large box": ("angry_0.jpg 1 5 0 30000 45000 90 6", "line 2: .* has an empty box, or one that no picture can hold"),
    "number": (f"angry_0.jpg 1 5 0 {'9' * 20} 45 90 6", "line 2: .* has an empty box, or one that no picture can hold"),
    "twice": ("angry_0.jpg 0 5 0 31 45 90 6", "pictures come twice: expw-angry_0-0"),
    "outside": ("../../x.jpg 0 5 0 31 45 90 6", "leads outside"),
}


@pytest.mark.parametrize("fault", list(EXPW_FAULTS))
def test_a_fault_of_expw_is_named(tmp_path: Path, fault: str) -> None:
    line, message = EXPW_FAULTS[fault]
    root = write_expw(tmp_path)
    lines = (root / "label/label.lst").read_text().splitlines()
    with pytest.raises(DataError, match=message):
        expw.read(write_expw(root, [lines[0], line, *lines[2:]]), ReadContext())


def test_a_part_of_expw_is_partial(tmp_path: Path) -> None:
    assert expw.read(write_expw(tmp_path), ReadContext()).partial.startswith(
        "the copy has 42 samples instead of 91,793 (anger 6 of 3,671"
    )


def write_ferg(root: Path) -> Path:
    """Six characters, seven expressions, two pictures of each."""
    for number, (who, what, index) in enumerate(
        (who, what, index) for who in ferg.CHARACTERS for what in ferg._NAMES for index in range(2)
    ):
        draw(root / f"{who}/{who}_{what}/{who}_{what}_{index}.png", number, (64, 64), "RGBA")
    return root


def test_pictures_that_ferg_holds_twice_are_named(tmp_path: Path) -> None:
    write_ferg(tmp_path / "FERG_DB_256")
    draw(tmp_path / "again/aia/aia_anger/aia_anger_0.png", 1, (64, 64))
    with pytest.raises(DataError, match="The copy: pictures come twice: ferg-aia_anger_0"):
        ferg.read(tmp_path, ReadContext())


def test_characters_are_the_subjects_of_ferg(tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ferg, "PICTURES", 84)
    dataset = SETS["ferg"]
    assert add(dataset, write_ferg(tmp_path / "FERG_DB_256")).partial == ""
    loaded = load(dataset)
    assert loaded.inputs is not None and loaded.inputs["image"].shape == (84, 64, 64, 3)
    assert loaded.samples.ids[0] == "ferg-aia_anger_0"
    joy = np.char.find(loaded.samples.ids, "joy") >= 0
    assert set(loaded.samples.targets[joy].tolist()) == {dataset.classes.index("happiness")}
    dealt = make_splits(loaded, dataset.protocols[0])
    assert (len(dealt.train), len(dealt.val), len(dealt.test)) == (52, 21, 11)  # 34 : 14 : 7
    assert any("on several sides (allowed)" in note for note in dealt.notes)
    apart = [make_splits(loaded, dataset.protocols[1], fold) for fold in range(6)]
    assert [set(each.test.groups["subject"]) for each in apart] == [{who} for who in sorted(ferg.CHARACTERS)]


def test_what_ferg_lacks_or_should_not_have_is_named(tmp_path: Path) -> None:
    import shutil

    root = write_ferg(tmp_path / "FERG_DB_256")
    shutil.rmtree(root / "ray/ray_joy")
    found = ferg.read(root, ReadContext())
    assert found.partial == "these folders are missing or empty: ray_joy; 82 pictures of 55,767"
    draw(root / "bob/bob_joy/bob_joy_1.png", 1, (9, 9))
    with pytest.raises(DataError, match="There is no character bob in FERG"):
        ferg.read(root, ReadContext())
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no picture in a folder such as aia/aia_anger"):
        ferg.read(tmp_path / "none", ReadContext())


def line_of(number: int, units: dict[int, int]) -> str:
    name = f"N_{number:010d}_00001.jpg"
    address = f"https://host.example/emotionet/Images/N_{number // 10:010d}/{name}"
    return "\t".join([address, f"http://elsewhere.example/{number}.jpg", *(str(units.get(i, 0)) for i in range(1, 61))])


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """Twelve pictures, of one of which AU4 is not known, in a list with names of columns; one picture lies flat."""
    root = tmp_path / "emotionet"
    head = "\t".join(["URL", "URL orig", *(f"AU{i}" for i in range(1, 61))])
    units = [int(name.removeprefix("AU")) for name in EMOTIONET_UNITS]
    known = [line_of(i, dict.fromkeys(units, i % 2) | {12: 1}) for i in range(11)]
    for i in range(10):
        draw(root / f"Images/N_{i // 10:010d}/N_{i:010d}_00001.jpg", i, (40, 40))
    draw(root / "more/N_0000000010_00001.jpg", 10, (40, 40))
    (root / "lists").mkdir()
    (root / "lists/dataFile_0001.txt").write_text("\n".join([head, *known, line_of(11, {4: 999})]) + "\n")
    (root / "readme.txt").write_text("Please cite our paper.\n")
    return root


def test_action_units_are_read_and_pictures_found(lists: Path, data_root: Path) -> None:
    dataset = SETS["emotionet"]
    added = add(dataset, lists)
    assert (added.samples, added.partial) == (11, "")
    assert added.notes[-1] == "1 pictures were left out: not every one of their 12 units is known."
    loaded = load(dataset)
    smile, closed = EMOTIONET_UNITS.index("AU12"), EMOTIONET_UNITS.index("AU43")
    assert loaded.samples.targets[:, smile].tolist() == [1] * 11
    assert loaded.samples.targets[:3, closed].tolist() == [0, 1, 0]
    assert loaded.files is not None and loaded.files[10] == "more/N_0000000010_00001.jpg"
    splits = make_splits(loaded, dataset.protocols[0])
    assert splits.test.batch(np.array([0]), View(), np.random.default_rng(0)).inputs["image"].shape[1:] == (224, 224, 3)


def test_lists_of_emotionet_that_systems_leave_behind_are_passed_over(lists: Path) -> None:
    (lists / "__MACOSX/lists").mkdir(parents=True)
    (lists / "__MACOSX/lists/._dataFile_0001.txt").write_bytes(b"\x00\x05\x16\x07\xff")
    (lists / "lists/._dataFile_0001.txt").write_bytes(b"\x00\x05\x16\x07\xff")
    assert len(emotionet.read(lists, ReadContext()).samples.ids) == 11


def test_pictures_of_emotionet_that_cannot_be_had_any_more_make_it_partial(lists: Path) -> None:
    (lists / "more/N_0000000010_00001.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 11 pictures are not below .*--allow-partial"):
        emotionet.read(lists, ReadContext())
    found: Any = emotionet.read(lists, ReadContext(allow_partial=True))
    assert len(found.files) == 10 and found.partial.startswith("1 of 11 pictures are missing: N_0000000001/N_00")


UNITS_FAULTS = {
    "columns": ("\t".join(line_of(3, {}).split("\t")[:40]), "line 5: 40 columns instead of 62"),
    "number": (line_of(3, {}).replace("\t0", "\tx", 1), "line 5: an action unit is no whole number"),
    "address": (
        line_of(3, {}).replace("https://host", "https://[host", 1),
        r"line 5: 'https://\[host.*' is no address",
    ),
    "twice": (line_of(2, {}), "pictures come twice: N_0000000000/N_0000000002"),
}


@pytest.mark.parametrize("fault", list(UNITS_FAULTS))
def test_a_fault_of_emotionet_is_named(lists: Path, fault: str) -> None:
    line, message = UNITS_FAULTS[fault]
    file = lists / "lists/dataFile_0001.txt"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:4], line, *lines[5:]]))
    with pytest.raises(DataError, match=message):
        emotionet.read(lists, ReadContext())


def test_a_folder_without_a_list_of_emotionet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="holds no list of EmotioNet"):
        emotionet.read(tmp_path, ReadContext())
