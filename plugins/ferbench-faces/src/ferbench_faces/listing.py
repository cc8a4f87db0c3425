"""What the readers share: finding a copy's root, lists of pictures with labels, counts, and what is made of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext, Samples
from ferbench_faces.pictures import SUFFIXES, check_pictures, listed, printable, read_pictures

LITTER = (".", "__")
"""So begin the names of folders that systems and programs leave behind (``__MACOSX``); they are passed over."""


@dataclass(frozen=True)
class Listing:
    """Samples before a picture is read; n of each.

    ``files``: paths below the copy's root. ``targets``: int64 [n], or float32 [n, k]. The rest as in
    :class:`ferbench.Samples`.
    """

    files: Sequence[str]
    ids: Sequence[str]
    targets: np.ndarray
    origin: np.ndarray | None = None
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def samples(self, rows: np.ndarray) -> Samples:
        """The samples at ``rows`` (int64 [m])."""
        return Samples(
            ids=np.array(self.ids, dtype=np.str_)[rows],
            targets=self.targets[rows],
            origin=None if self.origin is None else self.origin[rows],
            groups={name: values[rows] for name, values in self.groups.items()},
            columns={name: values[rows] for name, values in self.columns.items()},
        )


def find_root(path: Path, markers: Sequence[str], name: str, depth: int = 2) -> Path:
    """Return the folder at or below ``path`` that holds all ``markers``. Raises DataError where none does."""
    if not path.is_dir():
        raise DataError(f"{path.name} is no folder. Unpack what you have of {name}, and add the folder.")
    level = [path]
    for _ in range(depth + 1):
        for folder in level:
            if all((folder / marker).exists() for marker in markers):
                return folder
        level = sorted(inner for folder in level for inner in folder.iterdir() if inner.is_dir())
    raise DataError(
        f"{path} is not laid out as {name}: neither it nor a folder in it holds {' and '.join(markers)}. "
        f"{_contents(path)} If archives lie there, unpack them first."
    )


def in_memory(
    root: Path,
    listing: Listing,
    size: tuple[int, int] | None,
    colour: bool,
    context: ReadContext,
    faults: Sequence[str],
) -> Parsed:
    """Read every picture of ``listing``. ``faults``: what else is wrong with the copy.

    Raises DataError for two pictures of one id, and as :func:`read_pictures` does.
    """
    no_twins(listing.ids, "The copy")
    found = read_pictures(root, listing.files, size, colour, context)
    return Parsed(
        listing.samples(found.kept),
        inputs={"image": found.images},
        partial="; ".join([*faults, *_missing(found.missing, listing)]),
        corrupted=found.corrupted,
    )


def streamed(root: Path, listing: Listing, base: Path, context: ReadContext, faults: Sequence[str]) -> Parsed:
    """Check that every picture of ``listing`` opens; they are read later. Paths are given below ``base``.

    Raises DataError for two pictures of one id, and as :func:`check_pictures` does.
    """
    no_twins(listing.ids, "The copy")
    found = check_pictures(root, listing.files, context)
    inside = root.relative_to(base)
    return Parsed(
        listing.samples(found.kept),
        files=[(inside / listing.files[row]).as_posix() for row in found.kept],
        partial="; ".join([*faults, *_missing(found.missing, listing)]),
        corrupted=found.corrupted,
        notes=("Of each file the header was read and the end looked for; its pixels are decoded when they are used.",),
    )


def all_pictures(root: Path) -> list[str]:
    """Every picture below ``root`` by its suffix, in the order of their names; hidden files and litter are not.

    Raises OSError for a folder that may not be read, DataError for a link to one: its pictures would be missing.
    """
    found = []
    for folder, folders, files in os.walk(root, onerror=raised):
        folders[:] = [name for name in folders if not name.startswith(LITTER)]
        inside = Path(folder).relative_to(root)
        linked = next((name for name in folders if Path(folder, name).is_symlink()), None)
        if linked is not None:
            raise DataError(
                f"{printable(str(inside / linked))} below {root} is a link to a folder, which is not followed. Put the "
                "folder itself there, or remove the link."
            )
        names = (name for name in files if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."))
        found += [(inside / name).as_posix() for name in names]
    return sorted(found)


def raised(error: OSError) -> None:
    """What :func:`os.walk` is to do with a folder that it cannot read, instead of passing it over."""
    raise error


def text_of(path: Path, label: str) -> str:
    """A text file, UTF-8 with or without a mark. Raises DataError where it is none, or empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{label} is no text. Get it again.") from None
    if not text.strip():
        raise DataError(f"{label} is empty. Get it again.")
    return text


def text_lines(path: Path, label: str) -> list[str]:
    """The lines of a text file. Raises DataError as :func:`text_of` does."""
    return text_of(path, label).splitlines()


def no_twins(names: Sequence[str], label: str) -> None:
    """Raise DataError when a name comes twice."""
    values, counts = np.unique(np.array(names, dtype=np.str_), return_counts=True)
    if (counts > 1).any():
        twice = listed(values[counts > 1].tolist())
        raise DataError(f"{label}: pictures come twice: {twice}. Remove one of each, or get it again.")


def _missing(missing: Sequence[str], listing: Listing) -> list[str]:
    return [f"{len(missing):,} of {len(listing.files):,} pictures are missing: {listed(missing)}"] if missing else []


def _contents(path: Path) -> str:
    names = sorted(printable(inner.name) for inner in path.iterdir())
    return f"It holds: {listed(names)}." if names else "It is empty."
