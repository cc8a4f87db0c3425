"""Finds the files of a data set below the folder that a user names, whichever level of it that is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferbench import DataError
from ferbench_faces.listing import LITTER, raised
from ferbench_faces.pictures import listed, printable


@dataclass(frozen=True)
class Found:
    """A file: ``file`` is its place below the folder, ``match`` what the pattern found in its name."""

    file: str
    match: re.Match[str]


def folder_of(path: Path | None, name: str) -> Path:
    """The folder that was added. Raises DataError for an archive or another file."""
    if path is None:
        raise DataError(f"{name} is a download; it cannot be made.")
    if not path.is_dir():
        raise DataError(f"{path} is a file. Unpack the archives of {name} into one folder, and add that folder.")
    return path


def walk_files(root: Path, skip: re.Pattern[str] | None = None) -> Iterator[str]:
    """Yield every file below a folder as a posix path, sorted; none of those that systems leave behind.

    Folders whose names ``skip`` matches as a whole are passed over, links to folders are not followed. Raises OSError
    for a folder that may not be read.
    """
    for folder, folders, names in os.walk(root, onerror=raised):
        kept = (name for name in folders if skip is None or not skip.fullmatch(name))
        folders[:] = sorted(name for name in kept if not name.startswith(LITTER))
        place = Path(folder).relative_to(root)
        for name in sorted(names):
            if not name.startswith(LITTER):
                yield (place / name).as_posix()


def find_files(files: Sequence[str], pattern: re.Pattern[str]) -> list[Found]:
    """Those whose path ends as ``pattern`` says; a folder's or file's name begins where it does."""
    found = []
    for file in files:
        match = pattern.search(file)
        if match and match.end() == len(file) and (match.start() == 0 or file[match.start() - 1] == "/"):
            found.append(Found(file, match))
    return found


def once(files: Sequence[Found], name: str) -> dict[tuple[str, ...], str]:
    """Each file by what its name says. Raises DataError when two say the same."""
    known: dict[tuple[str, ...], str] = {}
    for found in files:
        key = found.match.groups()
        if key in known:
            raise DataError(
                f"{printable(known[key])} and {printable(found.file)} are the same part of {name}: the folder holds "
                "the data set more than once. Add a folder with one copy."
            )
        known[key] = found.file
    return known


def lacking(what: str, names: Sequence[str]) -> list[str]:
    """Name what is missing; empty where nothing is."""
    return [f"{what}: {listed(names)}"] if names else []
