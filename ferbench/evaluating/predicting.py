"""Scores of new pictures: a folder with sub-folders in, a row a picture out."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ferbench.data.splits import ArraySplit
from ferbench.errors import DataError, StoreError
from ferbench.evaluating.loading import load_scorer
from ferbench.evaluating.scoring import raw_shapes
from ferbench.evaluating.setup import Setup, rebuild
from ferbench.store.files import write_text
from ferbench.store.store import CellFolder
from ferbench.training.precision import choose_device, numerics_for

CHUNK = 512
ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm"}
MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class Predicted:
    """How a folder was scored: number of pictures, and the files that could not be read with the reasons."""

    scored: int
    unreadable: tuple[tuple[str, str], ...]


def predict_folder(folder: CellFolder, pictures: Path, target: Path, device: str = "auto") -> Predicted:
    """Score every picture below ``pictures`` with a finished cell; write ``path,<class>…,prediction`` to ``target``.

    Raises DataError when there is no picture or the cell takes none, StoreError when it is not finished or its weights
    are gone.
    """
    paths = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise DataError(f"There is no picture in {pictures} ({', '.join(sorted(ENDINGS))}).")
    if folder.state != "done":
        raise StoreError(f"Cell {folder.id} ({folder.record['label']}) is {folder.state}; only finished cells predict.")
    if folder.record["facts"].get("ensemble"):
        raise StoreError(
            f"{folder.record['label']} joins stored predictions; it has no model of its own to predict with."
        )
    setup = rebuild(folder.record)
    if setup.dataset.modality != "image":
        raise DataError(f"{folder.record['label']} was trained on {setup.dataset.modality}, not on pictures.")
    scorer = load_scorer(setup, folder, numerics_for(choose_device(device), setup.recipe.precision))
    unreadable: list[tuple[str, str]] = []
    lines, count = io.StringIO(), 0
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["path", *setup.classes, "prediction"])
    for start in range(0, len(paths), CHUNK):
        read = list(_readable(setup, pictures, paths[start : start + CHUNK], unreadable))
        if not read:
            continue
        names = [path.relative_to(pictures).as_posix() for path, _ in read]
        scores = scorer.scores(_as_split(setup, names, np.stack([pixels for _, pixels in read])))
        for name, row in zip(names, scores.tolist(), strict=True):
            writer.writerow([name, *(f"{value:.6f}" for value in row), setup.classes[int(np.argmax(row))]])
        count += len(read)
    write_text(target, lines.getvalue())
    return Predicted(count, tuple(unreadable))


def _readable(
    setup: Setup, root: Path, paths: list[Path], unreadable: list[tuple[str, str]]
) -> Iterator[tuple[Path, np.ndarray]]:
    channels, height, width = raw_shapes(setup).picture
    for path in paths:
        try:
            yield path, read_picture(path, (width, height), "L" if channels == 1 else "RGB")
        except UnidentifiedImageError:
            why = "no picture, or a damaged one" if path.stat().st_size else "an empty file"
            unreadable.append((path.relative_to(root).as_posix(), why))
        except (
            OSError,
            ValueError,
            SyntaxError,
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as error:
            unreadable.append((path.relative_to(root).as_posix(), str(error)))


def read_picture(path: Path, size: tuple[int, int], mode: str) -> np.ndarray:
    """Read a picture, turned upright, as uint8 [height, width] (mode ``L``) or [height, width, 3] (``RGB``).

    Raises OSError or ValueError for a file that is no picture, or one of more than 50 million pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(f"{picture.width} × {picture.height} pixels are too many")
            upright = _of_eight_bits(ImageOps.exif_transpose(picture))
            return np.asarray(upright.convert(mode).resize(size, Image.Resampling.BILINEAR), np.uint8)


def _of_eight_bits(picture: Image.Image) -> Image.Image:
    """Bring grey pictures of 16 bits to 8; Pillow's own conversion cuts off all that is brighter than 255."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.asarray(picture)
    if not (values.min() >= 0 and values.max() <= 65535):
        raise ValueError("its brightness is beyond 16 bits")
    scale = 256 if picture.mode.startswith("I;16") or values.max() > 255 else 1
    return Image.fromarray((values // scale).astype(np.uint8))


def _as_split(setup: Setup, names: list[str], pixels: np.ndarray) -> ArraySplit:
    count, kind = len(names), setup.splits.test.label_kind
    targets = np.zeros(count, np.int64) if kind == "hard" else np.zeros((count, len(setup.classes)), np.float32)
    return ArraySplit(
        inputs={setup.dataset.inputs[0]: pixels},
        rows=np.arange(count),
        ids=np.array(names),
        targets=targets,
        hashes=np.zeros(count, np.uint64),
        classes=setup.classes,
        label_kind=kind,
    )
