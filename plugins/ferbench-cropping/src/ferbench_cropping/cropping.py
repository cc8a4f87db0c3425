"""A data set's pictures, one after another, as faces in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import numpy as np

from ferbench import DataError, Dataset, FerbenchError, Parsed, Samples, View
from ferbench_cropping.detectors import Detector, largest
from ferbench_cropping.geometry import align, cut, square_around, tinted
from ferbench_cropping.naming import Crop

MOST_BYTES = 4 << 30
"""Faces that would take more memory are not cut out."""

_SHOWN = 5


def cropped(base: Dataset, parsed: Parsed, crop: Crop, detector: Detector) -> Parsed:
    """The faces in the pictures of ``base``, uint8 [n, size, size] or [n, size, size, 3]; the largest of each picture.

    Ids, targets and columns are those of ``base``. New columns: ``face_found``, bool [n], and ``face_box``, int64
    [n, 4], left, top, right and bottom of what was cut out of the picture (all of it where no face was found; of an
    aligned face the square before it was turned). Raises DataError where pictures have no face and the policy does not
    say what to do with them, and where the faces do not fit in memory.
    """
    count = len(parsed.samples.ids)
    faces, found, boxes = np.empty(0, np.uint8), np.zeros(count, dtype=bool), np.zeros((count, 4), dtype=np.int64)
    for place, picture in enumerate(_pictures(base, parsed)):
        if place == 0:
            colour = (3,) if _in_colour(crop, picture) else ()
            faces = _room(count, (crop.size, crop.size, *colour))
        face = largest(detector.find(picture))
        picture = tinted(picture, faces.ndim == 4)
        found[place] = face is not None
        height, width = picture.shape[:2]
        boxes[place] = (0, 0, width, height) if face is None else square_around(face.box)
        if face is not None and face.landmarks is not None and crop.aligned:
            faces[place] = align(picture, face.landmarks, crop.size)
        else:
            faces[place] = cut(picture, tuple(boxes[place].tolist()), crop.size)
    ids = [str(sample) for sample, seen in zip(parsed.samples.ids, found, strict=True) if not seen]
    if ids and crop.policy == "refuse":
        raise DataError(_refusal(base, crop, ids, count))
    kept = np.flatnonzero(found | (crop.policy != "skip"))
    if not found.any():
        raise DataError(f"{crop.detector} finds no face in any of the {count:,} pictures of {base.name}.")
    samples = _samples(parsed.samples, {"face_found": found, "face_box": boxes}, kept)
    if len(kept) < count:
        faces = faces[kept]
    return replace(
        parsed,
        samples=samples,
        inputs={base.inputs[0]: faces},
        files=None,
        partial="",  # the mark of the base is set by ferbench, with its name
        notes=(*(parsed.notes if base.bases else ()), *_notes(crop, detector, len(ids), count)),
    )


def _pictures(base: Dataset, parsed: Parsed) -> Iterator[np.ndarray]:
    """Each picture as uint8 [h, w] or [h, w, channels], from memory or through the base's ``decode``.

    Raises DataError that names a file that cannot be read.
    """
    name = base.inputs[0]
    if parsed.inputs is not None:
        yield from (np.asarray(picture) for picture in parsed.inputs[name])
        return
    assert parsed.files is not None and base.decode is not None
    decode = resolve_name(base.decode) if isinstance(base.decode, str) else base.decode
    rng = np.random.default_rng(0)
    boxes = parsed.samples.columns.get("box")
    for place, file in enumerate(parsed.files):
        box = None if boxes is None else tuple(boxes[place].tolist())
        try:
            picture = np.asarray(decode(Path(file), View(box=box), rng)[name])
        except FerbenchError:
            raise
        except Exception as error:  # another plugin's decoder may raise anything
            raise DataError(f"{file} cannot be decoded: {type(error).__name__}: {error}") from error
        yield picture


def _in_colour(crop: Crop, picture: np.ndarray) -> bool:
    return (picture.ndim == 3 and picture.shape[2] == 3) if crop.colour is None else crop.colour


def _room(count: int, shape: tuple[int, ...]) -> np.ndarray:
    needed = count * int(np.prod(shape))
    if needed > MOST_BYTES:
        raise DataError(
            f"{count:,} faces of {shape[0]}×{shape[1]} pixels would take {needed / 2**30:.1f} GiB, more than "
            f"{MOST_BYTES >> 30}. Choose a smaller size, or grey: cropped:haar-64-grey:NAME."
        )
    return np.empty((count, *shape), dtype=np.uint8)


def _samples(samples: Samples, facts: dict[str, np.ndarray], kept: np.ndarray) -> Samples:
    """Those of the base that are ``kept`` (int64), with further columns; a box of files that stream is used up."""
    columns = {name: values for name, values in samples.columns.items() if name != "box"} | facts
    if samples.hashes is not None:  # sides are those of the pictures, whatever of them is cut out
        columns.setdefault("dealt_as", samples.hashes)
    return Samples(
        ids=samples.ids[kept],
        targets=samples.targets[kept],
        origin=None if samples.origin is None else samples.origin[kept],
        groups={name: values[kept] for name, values in samples.groups.items()},
        columns={name: values[kept] for name, values in columns.items()},
    )


def _notes(crop: Crop, detector: Detector, without: int, count: int) -> Iterator[str]:
    yield f"faces found by {crop.detector} ({detector.made_by}) in {count - without:,} of {count:,} pictures"
    if without:
        done = "left out" if crop.policy == "skip" else "taken whole"
        yield f"{without:,} picture{'s' if without > 1 else ''} without a face {done}"


def _refusal(base: Dataset, crop: Crop, ids: list[str], count: int) -> str:
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return (
        f"{crop.detector} finds no face in {len(ids):,} of the {count:,} pictures of {base.name}: "
        f"{', '.join(ids[:_SHOWN])}{more}. Say what is to be done with them: leave them out "
        f"(cropped:{crop.written}-skip:{base.name}), or take the whole picture "
        f"(cropped:{crop.written}-whole:{base.name}); their number then stands at every row."
    )
