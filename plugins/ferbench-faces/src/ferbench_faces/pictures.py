"""Pictures of any kind, size and mode, many at once; what cannot be read is counted and named."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from ferbench import DataError, ReadContext

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""What Pillow may open: formats whose decoders run no other program and fetch nothing."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp"})

MOST_PIXELS = 100_000_000
"""A picture that says it has more is not unpacked."""

_SHOWN = 5
_ENDS, _TAIL = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}, 4096
_ORIENTATION, _QUARTER_TURNS = 0x0112, (5, 6, 7, 8)
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")
_TOGETHER = 64


@dataclass(frozen=True)
class Pictures:
    """Pictures of one size, uint8 [n, height, width] or [n, height, width, 3].

    ``kept``: int64 [n], which of the files they are. ``corrupted``: the files that cannot be read, "file: why".
    ``missing``: files that are not there.
    """

    images: np.ndarray
    kept: np.ndarray
    corrupted: tuple[str, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """Files that open as pictures (``kept``: int64, which they are); the rest is as in :class:`Pictures`."""

    kept: np.ndarray
    corrupted: tuple[str, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """What a picture's header says: ``size`` (height, width) as it is seen, and whether it may have colours."""

    size: tuple[int, int]
    colour: bool


def is_box(left: int, top: int, right: int, bottom: int) -> bool:
    """Whether this can be a part of a picture: not empty, and of no more pixels than one may have."""
    near = all(abs(edge) <= MOST_PIXELS for edge in (left, top, right, bottom))
    return near and left < right and top < bottom and (right - left) * (bottom - top) <= MOST_PIXELS


class UnreadableError(Exception):
    """A file is no picture that can be read; the message says why."""


def read_pictures(
    root: Path, files: Sequence[str], size: tuple[int, int] | None, colour: bool, context: ReadContext
) -> Pictures:
    """Read ``files`` below ``root``, each made ``size`` (height, width; bilinear, the sides stretched apart).

    Without ``size`` all must have the same one. Grey is luminance (ITU-R 601); EXIF rotation is applied, 16 bits are
    scaled to 8, alpha is dropped, and of an animation the first frame is taken. What is no picture, is cut short or
    has more than MOST_PIXELS is left out and named in ``corrupted``. Raises DataError when a file lies outside of
    ``root``, when sizes differ without ``size``, when nothing can be read, and when files are missing, unless
    ``context.allow_partial`` leaves them out.
    """
    paths, missing = _places(root, files, context)
    present = np.array([place for place, path in enumerate(paths) if path is not None], dtype=np.int64)
    found = [(place, path) for place, path in enumerate(paths) if path is not None]
    height, width = size or _first_size([path for _, path in found])
    images = np.empty((len(found), height, width, *((3,) if colour else ())), dtype=np.uint8)

    def read(row: int) -> str:
        place, path = found[row]
        try:
            pixels = decode_picture(path, size, colour)
        except UnreadableError as error:
            return f"{printable(files[place])}: {error}"
        if pixels.shape[:2] != (height, width):
            raise DataError(
                f"{printable(files[place])} has {pixels.shape[1]}×{pixels.shape[0]} pixels, others {width}×{height}: "
                "the pictures of this data set have one size. Is this an altered copy?"
            )
        images[row] = pixels
        return ""

    faults = _in_threads(read, len(found))
    good = np.array([row for row, fault in enumerate(faults) if not fault], dtype=np.int64)
    corrupted = tuple(fault for fault in faults if fault)
    _demand_some(root, files, good, corrupted)
    if corrupted:
        for row, source in enumerate(good):  # in place: a second copy may not fit in memory
            images[row] = images[source]
    return Pictures(images[: len(good)], present[good], corrupted, missing)


def check_pictures(root: Path, files: Sequence[str], context: ReadContext) -> Checked:
    """Open each of ``files`` below ``root``, read its header and look for its end, for sets that are streamed.

    Finds empty files, those that are no picture and those that are cut short; only what has no end is decoded. A
    fault in the midst of the pixels is not found. Raises DataError as :func:`read_pictures` does.
    """
    paths, missing = _places(root, files, context)
    found = [(place, path) for place, path in enumerate(paths) if path is not None]

    def check(row: int) -> str:
        place, path = found[row]
        try:
            with _opened(path) as image:
                ended = _has_end(path, image.format)
            if not ended:
                decode_picture(path, None, colour=True)
            return ""
        except UnreadableError as error:
            return f"{printable(files[place])}: {error}"

    faults = _in_threads(check, len(found))
    kept = np.array([place for (place, _), fault in zip(found, faults, strict=True) if not fault], dtype=np.int64)
    corrupted = tuple(fault for fault in faults if fault)
    _demand_some(root, files, kept, corrupted)
    return Checked(kept, corrupted, missing)


def picture_forms(root: Path, files: Sequence[str], context: ReadContext) -> list[Form]:
    """Size and colour of those of ``files`` that open, from their headers. Raises DataError as the others do."""
    paths, _ = _places(root, files, context)
    found: list[Form | None] = [None] * len(files)

    def look(row: int) -> str:
        path = paths[row]
        if path is not None:
            try:
                with _opened(path) as image:
                    # Asked of a PNG without one, Pillow decodes all pixels to look for it behind them.
                    known = image.format == "TIFF" or "exif" in image.info
                    turned = known and image.getexif().get(_ORIENTATION, 1) in _QUARTER_TURNS
                    size = (image.width, image.height) if turned else (image.height, image.width)
                    found[row] = Form(size, image.mode not in _GREY)
            except Exception:  # the picture is told when it is read
                return ""
        return ""

    _in_threads(look, len(files))
    return [form for form in found if form is not None]


def decode_picture(
    path: Path, size: tuple[int, int] | None, colour: bool, box: tuple[int, int, int, int] | None = None
) -> np.ndarray:
    """Read one picture, uint8 [height, width] or [height, width, 3], as :func:`read_pictures` does.

    ``box`` (left, top, right, bottom) is cut out first; what of it lies outside of the picture is black. Raises
    UnreadableError.
    """
    from PIL import Image

    with _opened(path) as image:
        try:
            flat = _flat(_upright(image), "RGB" if colour else "L")
            if box is not None:
                flat = flat.crop(box)
            if size is not None and flat.size != (size[1], size[0]):
                flat = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            return np.array(flat)
        except UnreadableError:
            raise
        except Exception as error:  # a damaged file makes the decoders raise almost anything
            raise UnreadableError(_reason(error)) from None


def printable(name: str) -> str:
    """Return a file's name fit for a terminal and a table: without line breaks and bytes that are no text."""
    text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def listed(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(printable(name) for name in names[:_SHOWN]) + more


def inside(root: Path, file: str) -> Path:
    """Return the path of ``file`` below ``root``. Raises DataError when it leads outside, also by a link."""
    plain = PurePosixPath(file)
    path = root / plain
    try:
        below = not plain.is_absolute() and ".." not in plain.parts and "\0" not in file
        below = below and path.resolve().is_relative_to(root.resolve())
    except RuntimeError:  # before Python 3.13; from then on the file is missing
        raise DataError(f"{printable(file)} below {root} is a link that leads in a circle. Remove it.") from None
    if not below:
        raise DataError(f"{printable(file)} leads outside of {root}, which no file of a data set may. Remove it.")
    return path


def _places(root: Path, files: Sequence[str], context: ReadContext) -> tuple[list[Path | None], tuple[str, ...]]:
    """The path of each file, None where it is missing, and the missing ones."""
    paths: list[Path | None] = [inside(root, file) for file in files]
    paths = [path if path is not None and path.is_file() else None for path in paths]
    missing = tuple(printable(file) for file, path in zip(files, paths, strict=True) if path is None)
    if len(missing) == len(files):
        raise DataError(
            f"None of the {len(files):,} pictures is below {root}: {listed(missing)}. Is it the right folder?"
        )
    if missing and not context.allow_partial:
        raise DataError(
            f"{len(missing):,} of {len(files):,} pictures are not below {root}: {listed(missing)}. Get them; or go on "
            "without them by --allow-partial, which marks every row made from this copy."
        )
    return paths, missing


def _demand_some(root: Path, files: Sequence[str], good: np.ndarray, corrupted: Sequence[str]) -> None:
    if not len(good):
        raise DataError(f"None of the {len(files):,} pictures below {root} can be read: {listed(corrupted)}.")


def _first_size(paths: Sequence[Path]) -> tuple[int, int]:
    """Height and width of the first picture that can be read; 0 and 0 where none can."""
    for path in paths:
        try:
            height, width = decode_picture(path, None, colour=False).shape
            return height, width
        except UnreadableError:
            continue
    return 0, 0


def _has_end(path: Path, form: str | None) -> bool:
    """Whether the mark that ends a JPEG or PNG stands near the end of the file; other formats have none to look for."""
    mark = _ENDS.get(form or "")
    if mark is None:
        return True
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL))
        return mark in stream.read(_TAIL)


def _opened(path: Path) -> Image.Image:
    """Open a picture and read its header. Raises UnreadableError."""
    from PIL import Image

    try:
        if not path.stat().st_size:
            raise UnreadableError("the file is empty")
        image = Image.open(path, formats=FORMATS)
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(_reason(error)) from None
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise UnreadableError(f"it says it has {image.width:,}×{image.height:,} pixels")
    return image


def _upright(image: Image.Image) -> Image.Image:
    """The first frame, turned as its EXIF says."""
    from PIL import ImageOps

    image.seek(0)
    return ImageOps.exif_transpose(image)


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """A picture in mode L or RGB."""
    from PIL import Image

    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise UnreadableError("its pixels have more than 16 bits")
        scaled = np.empty(values.shape, np.uint8)
        for row, wide in zip(scaled, values, strict=True):  # as wide integers all of a large picture takes gigabytes
            row[:] = (wide.astype(np.int64) + 128) // 257
        image = Image.fromarray(scaled)
    elif image.mode == "F":
        raise UnreadableError("its pixels are floating point numbers, of which nobody says what is white")
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert(mode)


def _reason(error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is no picture"
    if isinstance(error, Image.DecompressionBombError):
        return "it says it has more pixels than any picture"
    return printable(str(error) or type(error).__name__)[:200]


def _in_threads(work: Callable[[int], str], count: int) -> list[str]:
    """``work`` for each row; Pillow's decoders let other threads run."""
    from functools import partial

    slices = [range(start, min(start + _TOGETHER, count)) for start in range(0, count, _TOGETHER)]
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        return [fault for faults in pool.map(partial(_each, work), slices) for fault in faults]


def _each(work: Callable[[int], str], rows: range) -> list[str]:
    return [work(row) for row in rows]
