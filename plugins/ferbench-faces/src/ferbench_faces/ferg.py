"""FERG: drawn characters, a folder each, and in it a folder for each emotion."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext
from ferbench_faces.listing import Listing, all_pictures, in_memory
from ferbench_faces.pictures import listed, printable
from ferbench_faces.wild import FERG_CLASSES as CLASSES

CHARACTERS = ("aia", "bonnie", "jules", "malcolm", "mery", "ray")
PICTURES = 55767
SIZE = (64, 64)
"""Height and width: the whole set in colour takes 685 MB."""

_FOLDER = re.compile(r"([a-z]+)_([a-z]+)")
_NAMES = {"joy": "happiness", **{name: name for name in CLASSES if name != "happiness"}}


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read every ``<character>/<character>_<emotion>/*.png``, made 64×64 in colour; the character is the subject."""
    assert path is not None
    if not path.is_dir():
        raise DataError(f"{path.name} is no folder. Unpack FERG_DB_256, and add the folder.")
    files = [file for file in all_pictures(path) if _FOLDER.fullmatch(_folder(file))]
    if not files:
        raise DataError(f"{path} holds no picture in a folder such as aia/aia_anger. Add the folder FERG_DB_256.")
    people, emotions = zip(*(_folder(file).split("_") for file in files), strict=True)
    strange = sorted({name for name in people if name not in CHARACTERS})
    if strange:
        raise DataError(f"There is no character {listed(strange)} in FERG; they are {', '.join(CHARACTERS)}.")
    unknown = sorted({name for name in emotions if name not in _NAMES})
    if unknown:
        raise DataError(f"There is no emotion {listed(unknown)} in FERG; they are {', '.join(_NAMES)}.")
    listing = Listing(
        files=files,
        ids=[f"ferg-{printable(Path(file).stem)}" for file in files],
        targets=np.array([CLASSES.index(_NAMES[name]) for name in emotions], dtype=np.int64),
        groups={"subject": np.array(people)},
    )
    return in_memory(path, listing, SIZE, True, context, _faults(people, emotions))


def _folder(file: str) -> str:
    return Path(file).parent.name


def _faults(people: tuple[str, ...], emotions: tuple[str, ...]) -> list[str]:
    found = set(zip(people, emotions, strict=True))
    lacking = [f"{who}_{what}" for who in CHARACTERS for what in _NAMES if (who, what) not in found]
    faults = [f"these folders are missing or empty: {listed(lacking)}"] if lacking else []
    if len(people) != PICTURES:
        faults.append(f"{len(people):,} pictures of {PICTURES:,}")
    return faults
