"""Made-up copies: small pictures in exactly the layouts in which the sets are distributed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def draw(path: Path, number: int, size: tuple[int, int] = (100, 100), mode: str = "RGB") -> Path:
    """Write a picture that no other number has; ``size`` is width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    shape = (size[1] // 4 + 1, size[0] // 4 + 1, 3)
    image = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).resize(size)
    image.convert(mode).save(path)
    return path


def write_table(path: Path, rows: Sequence[Sequence[object]], delimiter: str = ",") -> Path:
    """Write rows as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    return path


@dataclass
class RafDb:
    """A made-up part of RAF-DB: ``labels`` by name; tests change them, then write."""

    labels: dict[str, int]
    part: str = "basic"

    def counts(self, classes: int) -> dict[str, tuple[int, ...]]:
        """Samples of each class, by split."""
        return {
            split: tuple(
                np.bincount([n - 1 for name, n in self.labels.items() if name.startswith(split)], minlength=classes)
            )
            for split in ("train", "test")
        }

    def annotate(self, folder: Path) -> Path:
        """Write landmarks, gender, race and age beside what ``write`` has written; return the folder of them."""
        place = folder / self.part / "Annotation/manual"
        place.mkdir(parents=True)
        for number, name in enumerate(self.labels):
            codes = (number % 3, number // 3 % 3, f"{number % 5} " if number % 2 else number % 5)
            lines = ["53.300\t60.100", *["51.2 70.5"] * 4, *map(str, codes)]
            (place / f"{name}_manu_attri.txt").write_text("\n".join(lines) + "\n\n")
        return place

    def write(self, folder: Path, originals: bool = False) -> Path:
        """Write the whole of RAF-DB, of which this is one part; return it."""
        root = folder / self.part
        (root / "EmoLabel").mkdir(parents=True)
        lines = [f"{name}.jpg {label}" for name, label in self.labels.items()]
        (root / "EmoLabel/list_patition_label.txt").write_text("\n".join(lines) + "\n")
        for number, name in enumerate(self.labels):
            if not originals:
                draw(root / f"Image/aligned/{name}_aligned.jpg", number)
                continue
            draw(root / f"Image/original/{name}.jpg", number, (60 + number % 7, 80))
            box = root / f"Annotation/boundingbox/{name}_boundingbox.txt"
            box.parent.mkdir(parents=True, exist_ok=True)
            box.write_text(f"{5.2 + number % 3} 4.0 45.7 60.1 \n")
        return folder


@pytest.fixture
def raf_db() -> RafDb:
    """Seven basic emotions: 28 train, 14 test."""
    train = {f"train_{i + 1:05d}": i % 7 + 1 for i in range(28)}
    return RafDb(train | {f"test_{i + 1:04d}": i % 7 + 1 for i in range(14)})


@pytest.fixture
def compound() -> RafDb:
    """Eleven compound emotions: 33 train, 11 test."""
    train = {f"train_{i + 1:04d}": i % 11 + 1 for i in range(33)}
    return RafDb(train | {f"test_{i + 1:04d}": i % 11 + 1 for i in range(11)}, "compound")


@dataclass
class AffectNet:
    """A made-up AffectNet: rows of split, number, label, valence, arousal; the label 10 has no box."""

    rows: list[tuple[str, int, int, float, float]] = field(default_factory=list)

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Samples of each of the eight expressions, by split."""
        return {
            split: tuple(np.bincount([label for s, _, label, *_ in self.rows if s == split and label < 8], minlength=8))
            for split in ("train", "val")
        }

    def write_arrays(self, root: Path) -> Path:
        """Write train_set and val_set with .npy files: text, as they are given out."""
        for split, number, label, valence, arousal in self.rows:
            if label >= 8:
                continue  # they are not in this copy
            folder = root / f"{split}_set"
            draw(folder / f"images/{number}.jpg", number, (40, 40))
            (folder / "annotations").mkdir(exist_ok=True)
            for kind, value in (("exp", label), ("val", valence), ("aro", arousal)):
                np.save(folder / f"annotations/{number}_{kind}.npy", np.array(str(value)))
        return root

    def write_tables(self, root: Path) -> Path:
        """Write Manually_Annotated_Images and training.csv, validation.csv."""
        head = "subDirectory_filePath face_x face_y face_width face_height facial_landmarks expression valence arousal"
        for split, name in (("train", "training"), ("val", "validation")):
            lines: list[Sequence[object]] = [head.split()]
            for _, number, label, valence, arousal in (row for row in self.rows if row[0] == split):
                file = f"{number % 3}/{number:04x}.jpg"
                draw(root / "Manually_Annotated_Images" / file, number, (50 + number % 5, 60))
                box = ("NULL",) * 4 if label == 10 else (4, 6, 40, 44)
                lines.append([file, *box, "1.5;2.5;3;4", label, valence, arousal])
            write_table(root / f"Manually_Annotated_file_lists/{name}.csv", lines)
        return root


@pytest.fixture
def affectnet() -> AffectNet:
    """Eight expressions, 32 train and 16 val, and three pictures without one."""
    rows = [("train", i, i % 8, (i % 9) / 8 - 0.5, 0.25 - (i % 5) / 8) for i in range(32)]
    rows += [("val", i, i % 8, (i % 7) / 8 - 0.5, (i % 3) / 4) for i in range(40, 56)]
    return AffectNet([*rows, ("train", 100, 8, 0.1, 0.1), ("train", 101, 9, -2, -2), ("train", 102, 10, -2, -2)])
