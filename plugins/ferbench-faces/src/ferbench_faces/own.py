"""Families of a user's own pictures: ``folder:PATH`` and ``csv:PATH``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl

from ferbench import (
    DataError,
    Dataset,
    Parsed,
    ProtocolRule,
    ReadContext,
    UnknownNameError,
    given_split,
    grouped_holdout,
    k_fold,
    leave_one_group_out,
)

if TYPE_CHECKING:
    from ferbench_faces.listing import Listing

MOST_BYTES = 4 << 30
"""Pictures that would take more memory are not read."""

DEFAULT_SIDE = 112
_UNITS: tuple[Literal["subject", "clip", "trial"], ...] = ("subject", "clip", "trial")


@dataclass(frozen=True)
class Own:
    """Pictures of a user before they are read: ``listing`` below ``root``, and the classes of its targets."""

    root: Path
    listing: Listing
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """What may follow the path: ``?size=96&colour=grey``. Without a size that of the pictures, if they have one."""

    size: int | None = None
    colour: str = ""


def make(prefix: str, find: Callable[[Path], Own], argument: str) -> Dataset:
    """The data set ``prefix:argument``. Raises DataError for pictures that make none."""
    place, options = _parsed(prefix, argument)
    try:
        if not place.exists():
            raise UnknownNameError(f"{prefix}:{argument} names {place}, which does not exist.")
        own = find(place)
    except OSError as error:
        raise DataError(f"{error.filename or place} cannot be read: {error.strerror or error}.") from None
    splits = set(own.listing.origin.tolist()) if own.listing.origin is not None else set()
    _check_splits(f"{prefix}:{argument}", own, splits)
    protocols = tuple(_protocols(splits, own.listing.groups))
    # The same name means other pictures from another folder, and other classes once the folder has changed.
    facts = repr((str(place), own.classes, [rule.name for rule in protocols]))
    return Dataset(
        name=f"{prefix}:{argument}",
        description=f"Pictures of {len(own.classes)} classes in {place}",
        classes=own.classes,
        protocols=protocols,
        read=partial(read, place, find, options),
        version=f"1-{hashlib.sha256(facts.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}",
        licence="That of the pictures",
        how_to_get="The pictures are there: they only have to be read",
        place=str(place),
    )


def read(place: Path, find: Callable[[Path], Own], options: Options, path: Path | None, context: ReadContext) -> Parsed:
    """Read the pictures at ``place`` into memory; ``path`` must be the same one."""
    from ferbench_faces.listing import in_memory

    if path is not None and path.resolve() != place.resolve():
        raise DataError(f"The name says {place}, not {path}: leave the path out, or change the name.")
    own = find(place)
    size, colour, notes = _form(own, options, context)
    needed = len(own.listing.files) * size[0] * size[1] * (3 if colour else 1)
    if needed > MOST_BYTES:
        raise DataError(
            f"{len(own.listing.files):,} pictures of {size[1]}×{size[0]} pixels would take {needed / 2**30:.1f} GiB, "
            f"more than {MOST_BYTES >> 30}. Make them smaller by ?size=… at the end of the name."
        )
    parsed = in_memory(own.root, own.listing, size, colour, context, [])
    return replace(parsed, notes=(*own.notes, *notes))


def _form(own: Own, options: Options, context: ReadContext) -> tuple[tuple[int, int], bool, tuple[str, ...]]:
    """Height and width of the pictures, whether they are read in colour, and what there is to say of that."""
    from ferbench_faces.pictures import picture_forms

    forms = picture_forms(own.root, own.listing.files, context)
    colour = options.colour == "rgb" or (not options.colour and any(form.colour for form in forms))
    sizes = {form.size for form in forms}
    if options.size:
        return (options.size, options.size), colour, ()
    if not sizes:  # no picture opens: reading says why
        return (DEFAULT_SIDE, DEFAULT_SIDE), colour, ()
    if len(sizes) == 1:
        return sizes.pop(), colour, ()
    smallest, largest = (f"{w}×{h}" for h, w in (min(sizes), max(sizes)))
    note = f"Pictures of {len(sizes):,} sizes ({smallest} to {largest}) were made {DEFAULT_SIDE}×{DEFAULT_SIDE}; "
    return (DEFAULT_SIDE, DEFAULT_SIDE), colour, (f"{note}?size=… at the end of the name chooses another.",)


def _parsed(prefix: str, argument: str) -> tuple[Path, Options]:
    text, _, query = argument.partition("?")
    found = dict(parse_qsl(query, keep_blank_values=True))
    strange = sorted(set(found) - {"size", "colour"})
    if not text or strange:
        what = f"there is no option {strange[0]!r}" if strange else "there is no path"
        raise UnknownNameError(
            f"{prefix}:{argument}: {what}. Write {prefix}:PATH or {prefix}:PATH?size=96&colour=grey."
        )
    size, colour = found.get("size", ""), found.get("colour", "")
    if size and not (size.isascii() and size.isdigit() and len(size) <= 4 and 8 <= int(size) <= 1024):
        raise UnknownNameError(f"{prefix}:{argument}: the size {size!r} is not 8 to 1024 pixels.")
    if colour not in ("", "grey", "rgb"):
        raise UnknownNameError(f"{prefix}:{argument}: the colour {colour!r} is neither grey nor rgb.")
    return Path(text).expanduser().absolute(), Options(int(size) if size else None, colour)


def _check_splits(name: str, own: Own, splits: set[str]) -> None:
    """Raise DataError for fewer than two classes, in all or in a split."""
    if len(own.classes) < 2:
        raise DataError(f"{name} has the class {', '.join(own.classes)} only; at least two are needed.")
    if splits and not {"train", "test"} <= splits and not {"train", "val"} <= splits:
        raise DataError(f"{name} has the splits {', '.join(sorted(splits))}: train, and test or val, are needed.")
    for split in sorted(splits):
        assert own.listing.origin is not None
        held = set(own.listing.targets[own.listing.origin == split].tolist())
        if len(held) < 2:
            only = own.classes[held.pop()]
            raise DataError(f"{name}: the split {split} holds one class only ({only}). Nothing can be learnt or told.")


def _protocols(splits: set[str], groups: Mapping[str, object]) -> Iterator[ProtocolRule]:
    """The pictures' own split where they have one, and divisions that keep a subject (clip, trial) on one side."""
    unit = next((name for name in _UNITS if name in groups), None)
    if splits:
        test = "test" if "test" in splits else "val"
        val = "val" if {"val", "test"} <= splits else None
        told = f"Their own split: train, {'val' if val else 'a tenth of it as val'}, tested on {test}"
        # It is theirs: a subject on several sides is told at every row, and not refused.
        yield ProtocolRule("official", given_split("train", val, test), told, unit=unit or "sample", allow_leak=True)
    whole = unit or "sample"
    told = f"{'identical pictures' if unit is None else f'each {unit}'} on one side"
    yield ProtocolRule("80-20", grouped_holdout(0.2, unit), f"A fifth as test, {told}", unit=whole)
    yield ProtocolRule("5-fold", k_fold(5, unit), f"Five folds, {told}", unit=whole)
    if unit:
        yield ProtocolRule(f"leave-one-{unit}-out", leave_one_group_out(unit), f"A fold for each {unit}", unit=unit)
