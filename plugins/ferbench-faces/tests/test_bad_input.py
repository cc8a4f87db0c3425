"""What a user meets who brings bad pictures: each kind through the command line, with its exit code and its message."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferbench.cli.main import main
from ferbench.data.registry import load
from ferbench.plugins import discover

Run = Callable[[str], tuple[int, str]]


def draw(path: Path, number: int, size: tuple[int, int] = (24, 24), mode: str = "RGB") -> None:
    """Write a picture that no other number has; ``size`` is width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path)


@pytest.fixture
def ferbench(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command line in the test's folder; returns its exit code, and what it printed in one line."""
    monkeypatch.chdir(tmp_path)

    def run(arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["ferbench", *arguments.split()])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return int(end.value.code or 0), re.sub(r"\s+", " ", printed.out + printed.err)

    return run


def write_classes(root: Path, each: int = 8) -> Path:
    """Pictures of two classes, 24×24."""
    for place, name in enumerate(("happy", "sad")):
        for number in range(each):
            draw(root / name / f"{number}.png", 100 * place + number)
    return root


def test_pictures_of_every_mode_size_and_name_are_taken(ferbench: Run, tmp_path: Path) -> None:
    sad = write_classes(tmp_path / "faces") / "sad"
    rng = np.random.default_rng(5)
    Image.fromarray(rng.integers(0, 65536, (24, 24), dtype=np.uint16)).save(sad / "16-bit.png")
    draw(sad / "palette.gif", 50, mode="P")
    draw(sad / "print.jpg", 51, mode="CMYK")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(rng.integers(0, 256, (24, 30), dtype=np.uint8)).save(sad / "turned.jpg", exif=turned)
    frames = [Image.fromarray(rng.integers(0, 256, (24, 24), dtype=np.uint8)) for _ in range(3)]
    frames[0].save(sad / "moving.gif", save_all=True, append_images=frames[1:])
    draw(sad / "large.png", 52, (300, 40))
    draw(sad / "odd näme\n'#?.png", 53)
    draw(sad / os.fsdecode(b"\xff.png"), 54)
    code, told = ferbench("data add folder:faces")
    assert code == 0 and "folder:faces is registered: 24 samples" in told and "corrupted" not in told
    assert "Pictures of 3 sizes (24×24 to 300×40) were made 112×112" in told
    names = set(load(discover().dataset("folder:faces")).samples.ids.tolist())
    assert {"sad/odd näme\\n'#?.png", "sad/\\udcff.png", "sad/16-bit.png", "sad/moving.gif"} <= names


def test_files_that_are_no_pictures_are_listed_and_stop_a_suite_that_allows_none(ferbench: Run, tmp_path: Path) -> None:
    faces = write_classes(tmp_path / "faces")
    (faces / "sad/zero.jpg").write_bytes(b"")
    (faces / "sad/0.png").write_bytes((faces / "sad/0.png").read_bytes()[:300])
    code, told = ferbench("data add folder:faces")
    assert code == 0 and "2 corrupted files left out; a suite must allow them" in told
    assert "sad/zero.jpg: the file is empty" in told and "sad/0.png: " in told
    code, told = ferbench("run --suite demo -d folder:faces -m majority --dry-run")
    assert code == 2 and "2 of the 17 files of folder:faces are corrupted, and the suite allows none" in told
    assert "write allow_corrupted = 2 into the suite" in told


def write_copies(root: Path) -> str:
    for name in ("happy", "sad"):
        for number in range(10):
            draw(root / f"faces/{name}/{number}.png", 1)
    return "run --suite demo -d folder:faces -m majority --dry-run"


def write_empty_class(root: Path) -> str:
    (write_classes(root / "faces") / "fear").mkdir()
    return ""


def write_one_class(root: Path) -> str:
    write_classes(root / "faces/train")
    draw(root / "faces/test/sad/1.png", 900)
    return ""


FOLDERS: dict[str, tuple[Callable[[Path], str], str]] = {
    "100 % duplicates": (write_copies, r"20 samples in 1 groups \(identical pixels\) are too few to set 20% of them"),
    "an empty class": (write_empty_class, r"has folders without a picture: fear\. Fill or remove them"),
    "a split with one class": (write_one_class, r"the split test holds one class only \(sadness\)"),
}


@pytest.mark.parametrize("fault", list(FOLDERS))
def test_a_folder_that_cannot_be_used_is_an_error_of_the_user(ferbench: Run, tmp_path: Path, fault: str) -> None:
    write, message = FOLDERS[fault]
    then = write(tmp_path)
    code, told = ferbench("data add folder:faces")
    if then:
        assert code == 0
        code, told = ferbench(then)
    assert code == 2 and re.search(message, told), told


def test_a_table_with_missing_paths_is_refused_and_may_be_taken_as_partial(ferbench: Run, tmp_path: Path) -> None:
    lines = [f"faces/{name}/{number}.png,{name}" for name in ("happy", "sad") for number in range(9)]
    write_classes(tmp_path / "faces")
    (tmp_path / "faces.csv").write_text("\n".join(["path,label", *lines]))
    code, told = ferbench("data add csv:faces.csv")
    assert code == 2 and "2 of 18 pictures are not below" in told and "faces/happy/8.png, faces/sad/8.png" in told
    code, told = ferbench("data add csv:faces.csv --allow-partial")
    assert code == 0 and "16 samples" in told and "2 of 18 pictures are missing" in told


def test_a_label_outside_of_the_set_is_named_with_its_line(ferbench: Run, tmp_path: Path, raf_db: Any) -> None:
    raf_db.labels["train_00002"] = 8
    raf_db.write(tmp_path / "raf")
    code, told = ferbench("data add raf-db raf")
    assert code == 2 and "line 2: the label 8 is not 1 to 7" in told
