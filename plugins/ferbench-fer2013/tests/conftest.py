"""Made-up copies of a small FER2013, and counts that are official for them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from ferbench_fer2013.official import NAMES, PRIVATE, PUBLIC, TRAINING, Official, Witness
from PIL import Image

COUNTS = {TRAINING: (8, 3, 5, 9, 7, 4, 6), PUBLIC: (2, 1, 3, 4, 2, 2, 3), PRIVATE: (3, 2, 1, 5, 3, 1, 2)}


@dataclass
class Copy:
    """Rows of a copy; tests change them, then write them in one layout or another."""

    pixels: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    official: Official = field(default_factory=lambda: Official(COUNTS))

    def take(self, rows: np.ndarray) -> Copy:
        return Copy(self.pixels[rows], self.labels[rows], self.usage[rows], self.official)

    def csv(self, columns: tuple[str, ...] = ("emotion", "pixels", "Usage")) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for pixels, label, usage in zip(self.pixels, self.labels, self.usage, strict=True):
            cells = {"emotion": str(label), "pixels": " ".join(map(str, pixels)), "Usage": usage}
            writer.writerow([cells[name.strip()] for name in columns])
        return text.getvalue()

    def write(self, path: Path, columns: tuple[str, ...] = ("emotion", "pixels", "Usage")) -> Path:
        path.write_text(self.csv(columns), encoding="utf-8")
        return path

    def folder(self, root: Path, named: bool = True, suffix: str = ".png") -> Path:
        """Write pictures as train/<emotion>/…, test/<emotion>/…, with the split in their names or without."""
        for row, (pixels, label, usage) in enumerate(zip(self.pixels, self.labels, self.usage, strict=True)):
            place = root / ("train" if usage == TRAINING else "test") / NAMES[label]
            place.mkdir(parents=True, exist_ok=True)
            name = f"{usage}_{row}" if named else f"im{row}"
            Image.fromarray(pixels.reshape(48, 48)).save(place / f"{name}{suffix}")
        return root


@pytest.fixture
def copy() -> Copy:
    """A good copy, with witnesses."""
    rng = np.random.default_rng(8)
    labels = np.concatenate([rng.permutation(np.repeat(np.arange(7), counts)) for counts in COUNTS.values()])
    usage = np.repeat(list(COUNTS), [sum(counts) for counts in COUNTS.values()])
    pixels = rng.integers(0, 256, (len(labels), 2304), dtype=np.uint8)
    hashes = [hashlib.blake2b(row.tobytes(), digest_size=8).hexdigest() for row in pixels]
    witnesses = tuple(Witness(row, int(labels[row]), hashes[row]) for row in range(0, len(labels), 3))
    return Copy(pixels, labels, usage, Official(COUNTS, witnesses))


def make_zip(path: Path, members: dict[str, bytes | Path]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content if isinstance(content, bytes) else content.read_bytes())
    return path


def make_tar(path: Path, members: dict[str, bytes | Path]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else content.read_bytes()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def zip_folder(path: Path, folder: Path) -> Path:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return make_zip(path, {f"{folder.name}/{file.relative_to(folder)}": file for file in files})


def make_gzip(path: Path, file: Path) -> Path:
    path.write_bytes(gzip.compress(file.read_bytes()))
    return path


@pytest.fixture
def pack() -> dict[str, object]:
    """Ways to pack files: zip, tar, gz and zip_folder."""
    return {"zip": make_zip, "tar": make_tar, "gz": make_gzip, "zip_folder": zip_folder}
