"""The pictures of several data sets as one: brought to one size, and no picture on two sides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ferbench.data.fingerprint import pixel_hashes
from ferbench.data.registry import load
from ferbench.data.splits import count_folds, each_of, make_splits
from ferbench.errors import DataError, MissingDataError
from ferbench.nouns.dataset import Dataset, Parsed, ProtocolRule, ReadContext, Samples
from ferbench.nouns.emotions import canonical
from ferbench.nouns.split import Split

MOST_BYTES = 2**31
"""A composed data set lies in memory as a whole while it is made: at most 2 GiB."""

SIDES = ("test", "val", "train")
"""By precedence: a picture that stands on several sides stays on the first of them."""


@dataclass(frozen=True)
class Piece:
    """One side of a data set: the samples whose classes are kept, and their targets in the composed classes."""

    source: str
    side: str
    split: Split
    targets: np.ndarray


def unite(
    name: str,
    parts: Sequence[tuple[Dataset, ProtocolRule]],
    classes: Sequence[str],
    size: int | None,
    colour: bool,
    context: ReadContext,
) -> Parsed:
    """Join data sets, each divided by its own protocol (first fold), into pictures uint8 [n, size, size(, 3)].

    Pictures are resized to a square by Pillow's bilinear filter, antialiased where they shrink; grey is ITU-R 601 luma.
    Of equal pictures on several sides those in test are kept, then those in val. Raises MissingDataError that names
    every data set that is not there, DataError for one that cannot be joined.
    """
    _require(name, parts, context)
    pieces = [piece for base, rule in parts for piece in _pieces(base, rule, classes)]
    if not pieces:
        raise DataError(f"{name}: no data set has a sample of {', '.join(classes)}.")
    pictures = _joined(name, pieces, size or _smallest(pieces), colour)
    samples = _samples(pieces)
    kept, told = _apart(samples, pixel_hashes({"image": pictures}))
    assert samples.origin is not None
    emptied = sorted(set(SIDES) - set(samples.origin[kept].tolist()))
    if emptied:
        raise DataError(f"{name}: nothing is left of {', '.join(emptied)}. {' '.join((_counted(pieces), *told))}")
    form = f"{pictures.shape[1]}×{pictures.shape[2]}, {'colour' if colour else 'grey'}"
    filled = f"Pictures are {form}; those of another size were resized by Pillow's bilinear filter."
    notes = (_counted(pieces), filled, *_folds_taken(parts), *told)
    if not kept.all():
        samples, pictures = _taken(samples, kept), pictures[kept]
    return Parsed(samples, {"image": pictures}, notes=notes)


def _joined(name: str, pieces: Sequence[Piece], size: int, colour: bool) -> np.ndarray:
    """Every picture, uint8 [n, size, size] or, in colour, [n, size, size, 3]. Raises DataError if they are too many."""
    shape = (sum(len(piece.split) for piece in pieces), size, size) + ((3,) if colour else ())
    needed = math.prod(shape)
    if needed > MOST_BYTES:
        raise DataError(
            f"{name} would be {shape[0]:,} pictures of {size}×{size}, {needed / 2**30:.1f} GiB; at most "
            f"{MOST_BYTES / 2**30:.0f} GiB can be composed. Choose a smaller size, grey, or fewer data sets."
        )
    pictures = np.empty(shape, np.uint8)
    start = 0
    for piece in pieces:
        for place, picture in enumerate(each_of(piece.split, "image"), start):
            pictures[place] = _fitted(picture, size, colour, piece)
        start += len(piece.split)
    return pictures


def _folds_taken(parts: Sequence[tuple[Dataset, ProtocolRule]]) -> list[str]:
    counts = [(f"{base.name}@{rule.name}", count_folds(load(base), rule)) for base, rule in parts]
    return [f"{place}: the first of {count} folds is taken." for place, count in counts if count > 1]


def _require(name: str, parts: Sequence[tuple[Dataset, ProtocolRule]], context: ReadContext) -> None:
    """Ask for every base, so that it is followed when it changes. Raises MissingDataError that names all missing."""
    missing = []
    for base, _ in parts:
        try:
            context.registered(base.name)
        except MissingDataError as error:
            missing.append(str(error))
    if missing:
        raise MissingDataError("\n".join([f"{name} cannot be made yet.", *missing]))


def _pieces(base: Dataset, rule: ProtocolRule, classes: Sequence[str]) -> Iterator[Piece]:
    loaded = load(base)
    splits = make_splits(loaded, rule)
    places = {name: index for index, name in enumerate(classes)}
    for side, split in zip(SIDES, (splits.test, splits.val, splits.train), strict=True):
        column = np.array([places.get(canonical(own), -1) for own in split.classes])
        targets = column[split.targets]
        rows = np.flatnonzero(targets >= 0)
        if len(rows):
            yield Piece(base.name, side, split.take(rows), targets[rows])


def _smallest(pieces: Sequence[Piece]) -> int:
    """The smallest height or width, of a data set that streams: that of its first picture."""
    return int(min(min(next(each_of(piece.split, "image")).shape[:2]) for piece in pieces))


def _fitted(picture: np.ndarray, size: int, colour: bool, piece: Piece) -> np.ndarray:
    """A picture as uint8 [size, size] or, in colour, [size, size, 3]."""
    plain = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    if plain.ndim != 2 and (plain.ndim != 3 or plain.shape[2] != 3):
        raise DataError(f"{piece.source} holds inputs of the shape {list(picture.shape)}, which are no pictures.")
    image = Image.fromarray(np.ascontiguousarray(plain)).convert("RGB" if colour else "L")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _samples(pieces: Sequence[Piece]) -> Samples:
    """Samples whose ids and groups begin with the name of their data set."""
    groups = sorted({name for piece in pieces for name in piece.split.groups})

    def group(piece: Piece, name: str) -> np.ndarray:
        values = piece.split.groups.get(name)
        if values is None:
            return np.full(len(piece.split), "")
        return np.array([f"{piece.source}/{value}" if value else "" for value in values.tolist()])

    def each(attribute: str) -> np.ndarray:
        return np.concatenate([np.full(len(piece.split), getattr(piece, attribute)) for piece in pieces])

    return Samples(
        ids=np.concatenate([[f"{piece.source}/{one}" for one in piece.split.ids.tolist()] for piece in pieces]),
        targets=np.concatenate([piece.targets for piece in pieces]),
        origin=each("side"),
        groups={name: np.concatenate([group(piece, name) for piece in pieces]) for name in groups},
        columns={"source": each("source")},
    )


def _apart(samples: Samples, hashes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which samples are kept (bool [n]) so that no picture stands on two sides, and what there is to tell of it."""
    assert samples.origin is not None
    rank = np.array([SIDES.index(side) for side in samples.origin.tolist()])
    same = np.unique(hashes, return_inverse=True)[1]
    first = np.full(int(same.max()) + 1, len(SIDES))
    np.minimum.at(first, same, rank)
    kept = rank == first[same]
    dropped = {side: int((~kept & (samples.origin == side)).sum()) for side in ("train", "val")}
    told = [f"{count:,} of {side}" for side, count in dropped.items() if count]
    notes = [f"Left out of these, because the same picture is tested or chosen on: {', '.join(told)}."] if told else []
    source, target = (_variety(values[kept], same[kept]) for values in (samples.columns["source"], samples.targets))
    several = source > 1
    if several.any():
        notes.append(
            f"{int(several[same[kept]].sum()):,} samples show pictures that several data sets have on one side; "
            f"{int((several & (target > 1))[same[kept]].sum()):,} of them under different classes."
        )
    return kept, tuple(notes)


def _variety(values: np.ndarray, same: np.ndarray) -> np.ndarray:
    """How many different values there are of each picture (numbered by ``same``), int64."""
    numbers = np.unique(values, return_inverse=True)[1]
    pairs = np.unique(np.column_stack([same, numbers]), axis=0)
    return np.bincount(pairs[:, 0])


def _counted(pieces: Sequence[Piece]) -> str:
    parts: dict[str, list[str]] = {}
    for piece in reversed(pieces):
        parts.setdefault(piece.source, []).append(f"{len(piece.split):,} {piece.side}")
    told = [f"{source} {', '.join(parts[source])}" for source in reversed(parts)]
    return f"Joined: {'; '.join(told)}."


def _taken(samples: Samples, kept: np.ndarray) -> Samples:
    assert samples.origin is not None
    return Samples(
        samples.ids[kept],
        samples.targets[kept],
        samples.origin[kept],
        {name: values[kept] for name, values in samples.groups.items()},
        {name: values[kept] for name, values in samples.columns.items()},
    )
