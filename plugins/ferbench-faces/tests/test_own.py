"""Any folder or table of pictures is a data set by its name; what makes none is said with the mend."""

from __future__ import annotations

import csv
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ferbench_faces
import numpy as np
import pytest
from PIL import Image

from ferbench import DataError, Dataset, Family, FerbenchError, MissingDataError, UnknownNameError
from ferbench.cli.main import main
from ferbench.data.registry import Registered, add, load
from ferbench.data.splits import make_splits


def draw(path: Path, number: int, size: tuple[int, int] = (20, 24), mode: str = "RGB") -> Path:
    """Write a picture that no other number has; ``size`` is width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path)
    return path


def write_table(path: Path, rows: Sequence[Sequence[object]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    return path


def named(name: str) -> Dataset:
    """The data set of a family by its name."""
    prefix, _, argument = name.partition(":")
    families = (item for item in ferbench_faces.ferbench_datasets() if isinstance(item, Family))
    dataset = next(family for family in families if family.prefix == prefix).make(argument)
    assert isinstance(dataset, Dataset) and dataset.name == name
    return dataset


def added(dataset: Dataset, allow_partial: bool = False) -> Registered:
    return add(dataset, dataset.place, allow_partial)


def write_folder(root: Path, splits: tuple[str, ...] = (), names: tuple[str, ...] = ("Happy", "sad", "Angry")) -> Path:
    """Six pictures of each class, in each split."""
    for place, split in enumerate(splits or ("",)):
        for number, name in enumerate(names):
            for i in range(6):
                draw(root / split / name / f"{i}.jpg", 100 * place + 10 * number + i, (20, 24))
    return root


def test_folders_are_classes_by_their_canonical_names(tmp_path: Path, data_root: Path) -> None:
    dataset = named(f"folder:{write_folder(tmp_path / 'faces')}")
    assert dataset.classes == ("anger", "happiness", "sadness")
    assert [rule.name for rule in dataset.protocols] == ["80-20", "5-fold"]
    assert added(dataset).samples == 18
    loaded = load(dataset)
    assert loaded.inputs is not None and loaded.inputs["image"].shape == (18, 24, 20, 3)
    assert loaded.samples.ids[0] == "Angry/0.jpg" and loaded.samples.targets.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    splits = make_splits(loaded, dataset.protocols[1], 2)
    assert len(splits.train) + len(splits.val) + len(splits.test) == 18


@pytest.mark.parametrize(
    ("splits", "val", "test"),
    [
        (("train", "val", "test"), "val", "test"),
        (("Training", "Testing"), "Training", "Testing"),
        (("train", "valid"), "train", "valid"),
    ],
)
def test_splits_of_their_own_are_the_official_protocol(
    tmp_path: Path, data_root: Path, splits: tuple[str, ...], val: str, test: str
) -> None:
    dataset = named(f"folder:{write_folder(tmp_path / 'faces', splits)}")
    added(dataset)
    assert dataset.default_protocol.name == "official"
    made = make_splits(load(dataset), dataset.default_protocol)
    assert {name.partition("/")[0] for name in made.val.ids} == {val}
    assert {name.partition("/")[0] for name in made.test.ids} == {test} and len(made.test) == 18


def test_the_name_chooses_size_and_colour(tmp_path: Path, data_root: Path) -> None:
    root = write_folder(tmp_path / "faces")
    dataset = named(f"folder:{root}?size=16&colour=grey")
    added(dataset)
    inputs = load(dataset).inputs
    assert inputs is not None and inputs["image"].shape == (18, 16, 16)


def test_pictures_of_several_sizes_and_modes_become_one(tmp_path: Path, data_root: Path) -> None:
    root = write_folder(tmp_path / "faces")
    draw(root / "sad/large.png", 3, (300, 40), "L")
    draw(root / "sad/palette.gif", 4, (20, 24), "P")
    draw(root / "sad/print.tif", 5, (20, 24), "CMYK")
    found = added(named(f"folder:{root}"))
    assert found.samples == 21
    assert found.notes == (
        "Pictures of 2 sizes (20×24 to 300×40) were made 112×112; ?size=… at the end of the name chooses another.",
    )


def test_grey_pictures_stay_grey_and_turned_ones_keep_their_size(tmp_path: Path, data_root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    for number, name in enumerate(("a/1.png", "a/2.png", "b/1.png", "b/2.png")):
        draw(tmp_path / "grey" / name, number, (20, 24), "L")
    Image.new("L", (24, 20), 9).save(tmp_path / "grey/b/turned.jpg", exif=exif)
    dataset = named(f"folder:{tmp_path / 'grey'}")
    assert added(dataset).notes == ()
    inputs = load(dataset).inputs
    assert inputs is not None and inputs["image"].shape == (5, 24, 20)


def test_corrupted_pictures_are_counted_and_odd_names_kept(tmp_path: Path, data_root: Path) -> None:
    root = write_folder(tmp_path / "faces")
    (root / "sad/empty.jpg").write_bytes(b"")
    cut = draw(root / "sad/cut.png", 7)
    cut.write_bytes(cut.read_bytes()[:500])
    (root / "sad/.DS_Store").write_bytes(b"x")
    (root / "sad/notes.txt").write_text("no picture")
    draw(root / "sad/wëird näme\n'#?.png", 8, (20, 24))
    draw(root / os.fsdecode(b"sad/\xff.png"), 9, (20, 24))
    found = added(named(f"folder:{root}"))
    assert found.samples == 20 and found.corrupted[1] == "sad/empty.jpg: the file is empty"
    assert found.corrupted[0].startswith("sad/cut.png: ") and len(found.corrupted) == 2
    assert {"sad/\\xff.png", "sad/wëird näme\\n'#?.png"} & set(load(named(f"folder:{root}")).samples.ids) == {
        "sad/wëird näme\\n'#?.png"
    }


def test_a_folder_of_which_no_picture_can_be_read_says_so(tmp_path: Path, data_root: Path) -> None:
    root = write_folder(tmp_path / "faces")
    for picture in root.rglob("*.jpg"):
        picture.write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the 18 pictures below .*: Angry/0\.jpg: the file is empty"):
        added(named(f"folder:{root}"))


def test_a_link_to_itself_is_named(tmp_path: Path, data_root: Path) -> None:
    root = write_folder(tmp_path / "faces")
    (root / "sad/loop.jpg").symlink_to("loop.jpg")
    with pytest.raises(DataError, match=r"sad/loop\.jpg"):
        added(named(f"folder:{root}"))


def test_a_linked_folder_is_refused_since_its_pictures_would_be_missing(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "faces")
    draw(tmp_path / "elsewhere/1.jpg", 1)
    (root / "sad/more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"sad/more below .* is a link to a folder, which is not followed"):
        named(f"folder:{root}")


@pytest.mark.parametrize("inner", ["sad/more", "."])
def test_a_folder_that_may_not_be_read_is_an_error_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    root = write_folder(tmp_path / "faces")
    draw(root / "sad/more/1.jpg", 1)
    forbid(monkeypatch, root / inner)
    with pytest.raises(DataError, match=f"{root / inner} cannot be read: Permission denied"):
        named(f"folder:{root}")


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Refuse to list a folder as a system does, also to a superuser, whom no permission stops."""

    def guarded(look: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def looked(path: Any = ".") -> Any:
            if Path(path) == folder:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
            return look(path)

        return looked

    monkeypatch.setattr(os, "scandir", guarded(os.scandir))
    monkeypatch.setattr(os, "listdir", guarded(os.listdir))


def test_a_name_stands_for_one_folder(tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "here/faces")
    write_folder(tmp_path / "there/faces", names=("fear", "joy"))
    monkeypatch.chdir(tmp_path / "here")
    added(named("folder:faces"))
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(DataError, match=r"now 1-.*Add it again"):
        load(named("folder:faces"))
    with pytest.raises(DataError, match=r"The name says .*there/faces, not .*here/faces"):
        add(named("folder:faces"), tmp_path / "here/faces")


def test_pictures_that_were_not_added_say_how(tmp_path: Path, data_root: Path) -> None:
    root = write_folder(tmp_path / "faces")
    with pytest.raises(MissingDataError, match=rf"Then run: +ferbench data add folder:{root}\n"):
        load(named(f"folder:{root}"))


def test_the_command_line_adds_and_plans_it(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "a@b" / "faces", ("train", "test"))

    def ferbench(arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["ferbench", *arguments.split()])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    assert ferbench("data add folder:a@b/faces") == 0
    assert "folder:a@b/faces is registered: 36 samples" in capsys.readouterr().out
    assert ferbench("run --suite demo -d folder:a@b/faces@80-20 -m majority --dry-run") == 0
    assert "folder:a@b/faces@80-20" in capsys.readouterr().out
    suite = 'name = "s"\ndatasets = ["demo"]\nmodels = ["majority"]\nevaluate_on = ["folder:a@b/faces@80-20"]\n'
    (tmp_path / "s.toml").write_text(suite)
    assert ferbench("run --suite s.toml --dry-run") == 0
    assert ferbench("data export folder:a@b/faces@80-20 ids --ids-only") == 0
    assert ferbench("data audit folder:a@b/faces@80-20 --json") == 0
    assert '"protocol": "80-20"' in capsys.readouterr().out
    assert ferbench("data status") == 0
    assert "folder:a@b/faces" in capsys.readouterr().out
    assert ferbench("data add raf-db") == 2
    assert "say where it lies: ferbench data add raf-db PATH" in capsys.readouterr().err


def test_folders_that_programs_leave_behind_are_passed_over(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "faces", ("train", "test"))
    before = named(f"folder:{root}").classes
    draw(root / "__cache/a/1.png", 1)
    draw(root / "train/__cache/1.png", 1)
    assert named(f"folder:{root}").classes == before


FOLDERS: dict[str, Any] = {
    "empty class": (lambda root: (root / "fear").mkdir(), r"has folders without a picture: fear\. Fill or remove"),
    "no class": (lambda root: draw(root / "lost.jpg", 1), r"1 pictures lie in no folder of a class \(CLASS/…\): lost"),
    "two names": (lambda root: draw(root / "happiness/1.jpg", 1), "Happy, happiness are both happiness"),
    "half a split": (
        lambda root: draw(root / "train/a/1.jpg", 1),
        "holds train, and beside them Angry, Happy, sad, which is no split",
    ),
}


@pytest.mark.parametrize("fault", list(FOLDERS))
def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path, fault: str) -> None:
    change, message = FOLDERS[fault]
    root = write_folder(tmp_path / "faces")
    change(root)
    with pytest.raises(DataError, match=message):
        named(f"folder:{root}")


@pytest.mark.parametrize(
    ("splits", "names", "message"),
    [
        ((), ("joy",), r"has the class happiness only; at least two"),
        (("train",), ("joy", "fear"), r"has the splits train: train, and test or val, are needed"),
        (("val", "test"), ("joy", "fear"), r"has the splits test, val: train, and"),
    ],
)
def test_too_few_classes_or_splits_are_refused(
    tmp_path: Path, splits: tuple[str, ...], names: tuple[str, ...], message: str
) -> None:
    root = write_folder(tmp_path / "faces", splits, names)
    with pytest.raises(DataError, match=message):
        named(f"folder:{root}")


def test_a_split_with_one_class_is_refused(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "faces", ("train",))
    draw(root / "test/sad/1.jpg", 1)
    with pytest.raises(DataError, match=r"the split test holds one class only \(sadness\)"):
        named(f"folder:{root}")


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        ("?size=9999", "size '9999' is not 8 to 1024"),
        (f"?size={'9' * 5000}", "is not 8 to 1024"),
        ("?width=3", "no option 'width'"),
        ("?colour=b", "neither grey"),
    ],
)
def test_options_that_there_are_not_are_named(tmp_path: Path, tail: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        named(f"folder:{write_folder(tmp_path / 'faces')}{tail}")


def test_pictures_that_memory_cannot_hold_are_refused(tmp_path: Path, data_root: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("ferbench_faces.own.MOST_BYTES", 1000)
    with pytest.raises(DataError, match=r"18 pictures of 20×24 pixels would take 0\.0 GiB, .*\?size="):
        added(named(f"folder:{write_folder(tmp_path / 'faces')}"))


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="nowhere, which does not exist"):
        named(f"folder:{tmp_path / 'nowhere'}")


def write_pictures(root: Path, count: int = 24) -> list[list[object]]:
    """Rows of path, label, split, subject for pictures that lie below ``root``."""
    rows: list[list[object]] = []
    for i in range(count):
        draw(root / f"pictures/{i}.jpg", i, (20, 24))
        rows.append([f"pictures/{i}.jpg", ("joy", "Anger")[i % 2], ("train", "val", "test")[i // 2 % 3], f"s{i // 4}"])
    return rows


def test_a_table_names_pictures_labels_splits_and_subjects(tmp_path: Path, data_root: Path) -> None:
    rows = write_pictures(tmp_path)
    head = ["Path", "Emotion", "Split", "subject", "remark"]
    table = write_table(tmp_path / "faces.csv", [head, *[[*row, "-"] for row in rows]], ";")
    dataset = named(f"csv:{table}")
    assert dataset.classes == ("anger", "happiness")
    assert [rule.name for rule in dataset.protocols] == ["official", "80-20", "5-fold", "leave-one-subject-out"]
    assert added(dataset).notes == ("Columns that were not used: remark.",)
    loaded = load(dataset)
    assert loaded.samples.targets[:4].tolist() == [1, 0, 1, 0] and loaded.samples.groups["subject"][7] == "s1"
    assert any(
        "subjects on several sides (allowed)" in note for note in make_splits(loaded, dataset.protocols[0]).notes
    )
    out = make_splits(loaded, dataset.protocols[3], 2)
    assert set(out.test.groups["subject"]) == {"s2"}


def test_paths_of_windows_and_whole_paths_are_understood(tmp_path: Path, data_root: Path) -> None:
    rows = write_pictures(tmp_path)
    rows[0][0], rows[1][0] = "pictures\\0.jpg", str(tmp_path / "pictures/1.jpg")
    table = write_table(tmp_path / "faces.csv", [["file", "label"], *[row[:2] for row in rows]])
    assert added(named(f"csv:{table}")).samples == 24


def test_missing_paths_are_told_and_may_be_left_out(tmp_path: Path, data_root: Path) -> None:
    rows = write_pictures(tmp_path)
    for number in (3, 5):
        (tmp_path / f"pictures/{number}.jpg").unlink()
    dataset = named(f"csv:{write_table(tmp_path / 'f.csv', [['path', 'label'], *[row[:2] for row in rows]])}")
    with pytest.raises(DataError, match=r"2 of 24 pictures are not below .*: pictures/3\.jpg, pictures/5\.jpg\. Get"):
        added(dataset)
    found = added(dataset, allow_partial=True)
    assert (found.samples, found.partial) == (
        22,
        "2 of 24 pictures are missing: pictures/3.jpg, pictures/5.jpg",
    )


TABLES: dict[str, tuple[str, str]] = {
    "no path": ("name,label\na.jpg,x\n", "line 1: no column names the path; call it path or file .* are: name, label"),
    "no label": ("path\na.jpg\n", "line 1: no column names the label"),
    "two paths": ("path,file,label\na,b,x\n", "line 1: path, file both say the path. Keep one"),
    "columns": ("path,label\na.jpg\n", "line 2: 1 columns instead of the 2 of line 1"),
    "empty label": ("path,label\na.jpg,x\nb.jpg,\n", "line 3: there is no label"),
    "outside": ("path,label\n../a.jpg,x\n", r"line 2: '\.\./a\.jpg' is no path below"),
    "absolute": ("path,label\n/etc/passwd,x\n", "line 2: '/etc/passwd' is no path below"),
    "twice": ("path,label\na.jpg,x\na.jpg,y\n", "pictures come twice: a.jpg"),
    "split": ("path,label,split\na.jpg,x,late\n", "line 2: the split 'late' is not train, val or test"),
    "no rows": ("path,label\n", "has a line of names, and no picture"),
    "nothing": ("", "is empty"),
    "a quotation mark without end": ('path,label\na.jpg,"x\nb.jpg,y\n', "faces.csv, line 3: unexpected end of data"),
    "a cell without end": ('path,label\na.jpg,"x\n' + "b.jpg,y\n" * 20_000, "faces.csv, line .*: field larger than"),
    "one class": ("path,label\na.jpg,x\nb.jpg,x\n", "has the class x only"),
    "one class in test": (
        "path,label,split\na.jpg,x,train\nb.jpg,y,train\nc.jpg,y,test\n",
        r"the split test holds one class only \(y\)",
    ),
}


@pytest.mark.parametrize("fault", list(TABLES))
def test_a_table_that_is_no_data_set_is_refused(tmp_path: Path, fault: str) -> None:
    text, message = TABLES[fault]
    (tmp_path / "faces.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        named(f"csv:{tmp_path / 'faces.csv'}")


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="is no text"):
        named(f"csv:{tmp_path / 'faces.csv'}")
    with pytest.raises(FerbenchError, match=r"is no file\. csv:PATH names a table; a folder of"):
        named(f"csv:{tmp_path}")
