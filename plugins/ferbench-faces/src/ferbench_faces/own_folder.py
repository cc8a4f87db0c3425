"""A folder of pictures: a folder a class, below folders train, val and test where there are such."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ferbench import DataError, canonical
from ferbench_faces.listing import LITTER, Listing, all_pictures
from ferbench_faces.own import Own
from ferbench_faces.pictures import listed, printable

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def find(place: Path) -> Own:
    """List the pictures. Raises DataError where a picture has no class, a class no picture, or two have one name."""
    if not place.is_dir():
        raise DataError(f"{place} is no folder. Unpack it, and name the folder; a table of pictures is csv:PATH.")
    tops = sorted(inner.name for inner in place.iterdir() if inner.is_dir() and not inner.name.startswith(LITTER))
    splits = {name: SPLITS[name.lower()] for name in tops if name.lower() in SPLITS}
    strange = [name for name in tops if name not in splits]
    if splits and strange:
        raise DataError(f"{place} holds {listed(list(splits))}, and beside them {listed(strange)}, which is no split.")
    files = all_pictures(place)
    depth = 2 if splits else 1
    homeless = [file for file in files if file.count("/") < depth]
    if homeless:
        where = "train/CLASS/…" if splits else "CLASS/…"
        raise DataError(f"{len(homeless):,} pictures lie in no folder of a class ({where}): {listed(homeless)}.")
    folders = [file.split("/")[depth - 1] for file in files]
    _check_classes(place, splits, folders)
    classes = tuple(sorted({canonical(printable(name)) for name in folders}))
    origin = np.array([splits[file.split("/")[0]] for file in files]) if splits else None
    targets = np.array([classes.index(canonical(printable(name))) for name in folders], dtype=np.int64)
    return Own(place, Listing(files, [printable(file) for file in files], targets, origin), classes)


def _check_classes(place: Path, splits: dict[str, str], folders: list[str]) -> None:
    """Raise DataError for a class without a picture, and for two folders of a split that are one class."""
    homes = [place / name for name in splits] or [place]
    for home in homes:
        names = [inner.name for inner in sorted(home.iterdir()) if inner.is_dir() and not inner.name.startswith(LITTER)]
        empty = [name for name in names if name not in folders]
        if empty:
            raise DataError(f"{home} has folders without a picture: {listed(empty)}. Fill or remove them.")
        by_class: dict[str, str] = {}
        for name in names:
            other = by_class.setdefault(canonical(printable(name)), name)
            if other != name:
                raise DataError(f"{home}: {listed([other, name])} are both {canonical(name)}. Make them one folder.")
    if not folders:
        raise DataError(f"{place} holds no folder of a class with pictures in it (CLASS/picture.jpg).")
