"""Finds the votes in a download, and says which edition of them is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ferbench import DataError, DownloadLimits, walk_download
from ferbench_ferplus.labels import FOLDERS, Labels, read_labels, split_of
from ferbench_ferplus.official import LABELS, NEW, Official
from ferbench_ferplus.votes import NoVotesError, Votes, read_votes

LIMITS = DownloadLimits(members=200_000, member_bytes=1 << 30, total_bytes=4 << 30)


@dataclass(frozen=True)
class Found:
    """``new``: the votes of fer2013new.csv; or ``files``: label.csv of each split. ``label`` names them to people.

    ``passed_over``: a fer2013new.csv that lies beside ``files``.
    """

    label: str
    new: Votes | None = None
    files: Mapping[str, Labels] = field(default_factory=dict)
    passed_over: str = ""

    @property
    def edition(self) -> str:
        """The file whose edition this is by its name."""
        return LABELS if self.files else NEW


def find_votes(path: Path) -> Found:
    """Read the files label.csv where there are any, else the first table of votes.

    Raises DataError where there are neither, where a split has no label.csv or two, or where they cannot be read.
    """
    files: dict[str, Labels] = {}
    new: list[tuple[Votes, str]] = []
    others: list[str] = []
    for entry in walk_download(path, LIMITS, expand=lambda _: False):
        if not is_csv(entry.path):
            continue
        split = split_of(entry.label)
        if split in files:
            raise DataError(f"{files[split].label} and {entry.label} are both of {split}: remove one of them.")
        with entry.open() as stream:
            if split:
                files[split] = read_labels(stream, entry.label)
            elif not new:
                try:
                    new.append((read_votes(stream, entry.label), entry.label))
                except NoVotesError:
                    if (path.is_file() and entry.label == path.name) or entry.path.name == NEW:
                        raise
                    others.append(entry.label)
    if files:
        _check_complete(path, files)
        return Found(_list(file.label for file in files.values()), None, files, new[0][1] if new else "")
    if not new:
        raise DataError(_nothing(path, others))
    return Found(new[0][1], new[0][0])


def _check_complete(path: Path, files: Mapping[str, Labels]) -> None:
    missing = [f"{folder}/{LABELS}" for split, folder in FOLDERS.items() if split not in files]
    if missing:
        raise DataError(
            f"{path.name} holds {_list(file.label for file in files.values())}, but not {_list(missing)}. Add the "
            "clone of https://github.com/microsoft/FERPlus, or its folder data."
        )


def _nothing(path: Path, others: Sequence[str]) -> str:
    seen = f" It holds: {'; '.join(others[:5])}." if others else ""
    return (
        f"{path.name} holds no votes of FER+.{seen} Add fer2013new.csv of https://github.com/microsoft/FERPlus, or the "
        "clone or zip of that repository, or a folder or zip that has the votes beside fer2013.csv."
    )


def _list(names: Iterable[str]) -> str:
    return " and ".join(names)


def notes_of(found: Found, edition: str, editions: Mapping[str, Official]) -> tuple[str, ...]:
    """Say which edition of the votes was taken, and how to take the other."""
    notes = [f"Votes: the edition of {edition} (majority, where whole: {_sizes(editions[edition])})."]
    if edition != found.edition:
        notes.append(f"They lay in {found.edition}, but their counts are those of {edition}.")
    elif found.passed_over:
        notes.append(
            f"{found.passed_over} is another edition (majority: {_sizes(editions[NEW])}) and was not taken. "
            f"To take that one, add the file {NEW} by itself."
        )
    return tuple(notes)


def _sizes(official: Official) -> str:
    return " / ".join(f"{number:,}" for number in official.majority.values())


def is_csv(path: PurePosixPath) -> bool:
    """Whether a file is a table, and none of those that systems leave behind."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.suffix.lower() == ".csv" and not hidden
