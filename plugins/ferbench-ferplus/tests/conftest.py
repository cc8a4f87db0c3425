"""Made-up copies of a small FER+, and counts that are official for them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from ferbench_fer2013 import CLASSES as FER2013_CLASSES
from ferbench_fer2013.official import PRIVATE, PUBLIC, TRAINING
from ferbench_fer2013.official import Official as OfficialPictures
from ferbench_ferplus.labels import FOLDERS
from ferbench_ferplus.numbering import numbered_rows
from ferbench_ferplus.official import LABELS, NEW, Official
from ferbench_ferplus.reading import read_checked
from ferbench_ferplus.votes import COLUMNS, EMOTIONS

from ferbench import Parsed, ReadContext

SIZES = {TRAINING: 84, PUBLIC: 28, PRIVATE: 28}
"""Pictures of each split: every emotion of FER2013 equally often."""

KINDS = ("clear", "clear", "torn", "nobody", "unknown")
"""How people voted on the pictures, in turn. Where nobody saw a face, FER+ has no name."""


@dataclass(frozen=True)
class Copy:
    """Rows of a copy; tests change them, then write them. ``labels`` are those of FER2013.

    ``official``: what a good copy's pictures and votes come to.
    """

    pixels: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    names: np.ndarray
    counts: np.ndarray
    official: tuple[OfficialPictures, Mapping[str, Official]]

    def take(self, rows: np.ndarray) -> Copy:
        parts = {name: getattr(self, name)[rows] for name in ("pixels", "labels", "usage", "names", "counts")}
        return replace(self, **parts)

    def parsed(self, path: Path, context: ReadContext | None = None) -> Parsed:
        """Read what lies at ``path``, and check it against what is official for this copy."""
        return read_checked(path, context or ReadContext(), *self.official)

    def votes(self, columns: tuple[str, ...] = COLUMNS) -> str:
        """The text of fer2013new.csv."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for usage, name, counts in zip(self.usage, self.names, self.counts, strict=True):
            cells = dict(zip(COLUMNS, [usage, name, *map(int, counts)], strict=True))
            writer.writerow([cells[column.strip()] for column in columns])
        return text.getvalue()

    def pictures(self) -> str:
        """The text of fer2013.csv."""
        lines = [
            f"{label},{' '.join(map(str, pixels))},{usage}"
            for pixels, label, usage in zip(self.pixels, self.labels, self.usage, strict=True)
        ]
        return "\n".join(["emotion,pixels,Usage", *lines, ""])

    def label_file(self, split: str) -> str:
        """The text of one split's label.csv."""
        rows = zip(self.names, self.counts, self.usage, strict=True)
        lines = [
            f'{name},"(0, 0, 48, 48)",{",".join(map(str, counts))}'
            for name, counts, usage in rows
            if name and usage == split
        ]
        return "\n".join([*lines, ""])

    def write_labels(self, folder: Path) -> Path:
        """Write the three files label.csv into folders of a clone, fer2013.csv beside them; return the clone."""
        for split, name in FOLDERS.items():
            (folder / "data" / name).mkdir(parents=True, exist_ok=True)
            (folder / "data" / name / "label.csv").write_text(self.label_file(split), encoding="utf-8")
        (folder / "fer2013.csv").write_text(self.pictures(), encoding="utf-8")
        return folder

    def write(self, folder: Path) -> Path:
        """Write both files into a folder."""
        folder.mkdir(exist_ok=True)
        (folder / "fer2013.csv").write_text(self.pictures(), encoding="utf-8")
        (folder / "fer2013new.csv").write_text(self.votes(), encoding="utf-8")
        return folder


def voted(kind: str, emotion: int) -> list[int]:
    """Votes of ten people on a picture of ``emotion`` (0 to 6)."""
    counts = [0] * 10
    if kind == "clear":
        counts[emotion], counts[7], counts[8] = 8, 1, 1
    elif kind == "torn":
        counts[emotion], counts[(emotion + 1) % 7] = 5, 5
    elif kind == "unknown":
        counts[emotion], counts[8] = 3, 7
    else:
        counts[9] = 10
    return counts


PICTURES = OfficialPictures({split: (size // 7,) * 7 for split, size in SIZES.items()})

# Blocks of seven pictures: Training has 12 (6 clear, 2 torn, 2 unknown, 2 of nobody), PublicTest and PrivateTest have
# 4 (one of each).
VOTES = Official(
    majority={TRAINING: 42, PUBLIC: 7, PRIVATE: 7},
    distributions=8 * 7,
    accepted=8 * 7,
    emotions={TRAINING: (6,) * 7 + (0,), PUBLIC: (1,) * 7 + (0,), PRIVATE: (1,) * 7 + (0,)},
    most_votes={TRAINING: 8 * 7, PUBLIC: 2 * 7, PRIVATE: 2 * 7},
)

# The other edition has a clear picture less.
OTHER_VOTES = Official(majority={TRAINING: 41, PUBLIC: 7, PRIVATE: 7}, distributions=8 * 7, accepted=8 * 7)


@pytest.fixture
def copy() -> Copy:
    """A good copy."""
    number = sum(SIZES.values())
    rng = np.random.default_rng(2)
    labels = np.arange(number) % 7
    emotions = np.array([EMOTIONS.index(name) for name in FER2013_CLASSES])[labels]
    numbers = {row: f"fer{number:07d}.png" for number, row in enumerate(numbered_rows(number).tolist())}
    kinds = [KINDS[row // 7 % len(KINDS)] for row in range(number)]
    return Copy(
        pixels=rng.integers(0, 256, (number, 2304), dtype=np.uint8),
        labels=labels,
        usage=np.repeat(list(SIZES), list(SIZES.values())),
        names=np.array(["" if kind == "nobody" else numbers[row] for row, kind in enumerate(kinds)]),
        counts=np.array([voted(kind, emotion) for kind, emotion in zip(kinds, emotions, strict=True)]),
        official=(PICTURES, {NEW: VOTES, LABELS: OTHER_VOTES}),
    )


@pytest.fixture
def altered(copy: Copy) -> Copy:
    """A copy with the right number of everything, but the votes on one picture given to another emotion."""
    counts = copy.counts.copy()
    counts[0] = np.roll(counts[0][:7], 1).tolist() + counts[0][7:].tolist()
    return replace(copy, counts=counts)


@pytest.fixture
def other(copy: Copy) -> Copy:
    """A good copy of the other edition of the votes, whose first picture is torn."""
    counts = copy.counts.copy()
    counts[0] = [5, 0, 0, 0, 5, 0, 0, 0, 0, 0]
    return replace(copy, counts=counts)
