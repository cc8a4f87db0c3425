"""TFEID: posed expressions of forty Taiwanese people, named by subject, part and expression, or in class folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ferbench import DataError, Parsed, ReadContext, canonical
from ferbench_faces.counts import count_faults
from ferbench_faces.lab_crop import read_faces
from ferbench_faces.lab_files import folder_of, lacking, walk_files
from ferbench_faces.lab_parsed import parsed
from ferbench_faces.pictures import SUFFIXES, listed, printable

CLASSES = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
SUBJECTS = (*(f"f{n:02d}" for n in range(1, 22) if n != 7), *(f"m{n:02d}" for n in range(1, 21)))
"""Twenty women and twenty men; there is no f07."""

HIGH = "dfh"
"""The part whose counts are known: frontal, of high intensity."""

COUNTS = dict(zip(CLASSES, (34, 68, 40, 40, 40, 39, 36, 39), strict=True))
"""Its pictures: 336, or 268 without contempt, as copies of seven classes have them."""

WITH_CONTEMPT = ("8-class",)
BY_SUBJECT = ("7-neutral", "6-class", *WITH_CONTEMPT)
ANY_COPY = ("image-70-10-20",)

UNCUT = "The middle square of each picture is taken, not the face alone."

_FILE = re.compile(r"([fm]\d{2})_(d[a-z]{2})_([a-z][a-z0-9+-]*)", re.ASCII)
_FOLDER = re.compile(r"d[a-z]{2}_([a-z]+)_([a-z])", re.ASCII)
_SUBJECT = re.compile(r"([fm]\d{2})(?![a-z0-9])", re.ASCII)
_LETTERS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "p": "surprise",
    "s": "sadness",
}
_SPELT = {"disguest": "disgust"}


@dataclass(frozen=True)
class Shot:
    """A picture. ``subject`` and ``part`` are empty where its name does not say them."""

    file: str
    name: str
    emotion: str
    subject: str = ""
    part: str = ""


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read TFEID by its own names (f01_dfh_ag.jpg), else by folders of classes, wherever below the folder they lie.

    Raises DataError that names a picture of which nobody can tell what it shows, or that says which folder to add.
    """
    root = folder_of(path, "TFEID")
    files = [file for file in walk_files(root) if PurePosixPath(file).suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(
            f"{root} holds no pictures of TFEID (dfh_anger_g/f01_dfh_ag.jpg). Add the folder that holds the folders of "
            "its expressions."
        )
    _demand_one_form(root, files)
    own = [file for file in files if _FILE.fullmatch(_stem(file))]
    if own and len(own) < len(files):
        strange = next(file for file in files if file not in set(own))
        raise DataError(f"{printable(strange)} is not named as TFEID's pictures are (f01_dfh_ag.jpg). Remove it.")
    shots = sorted(
        (_named(root, file) if own else _in_class_folder(root, file) for file in files), key=lambda shot: shot.name
    )
    _demand_once(shots)
    return _parsed(root, shots)


def _parsed(root: Path, shots: Sequence[Shot]) -> Parsed:
    known = all(shot.subject for shot in shots)
    contempt = any(shot.emotion == "contempt" for shot in shots)
    notes = [UNCUT]
    protocols = (*(BY_SUBJECT if known else ()), *ANY_COPY)
    if not known:
        notes.append("The names of this copy do not say who is shown: no protocol that keeps people apart is offered.")
    if not contempt:
        protocols = tuple(name for name in protocols if name not in WITH_CONTEMPT)
        notes.append("This copy has no contempt: 8-class is not offered.")
    faults, told = _faults(shots, contempt)
    pictures = read_faces(root, [shot.file for shot in shots], [None] * len(shots))
    return parsed(
        pictures,
        [f"tfeid-{shot.name}" for shot in shots],
        np.array([CLASSES.index(shot.emotion) for shot in shots], dtype=np.int64),
        {"subject": [shot.subject for shot in shots]} if known else {},
        faults,
        [*notes, *told],
        protocols,
        {"part": [shot.part for shot in shots]} if any(shot.part for shot in shots) else None,
    )


def _faults(shots: Sequence[Shot], contempt: bool) -> tuple[list[str], list[str]]:
    """What is wrong with the part whose counts are known, and what to tell of the others.

    Pictures that do not name their part are taken for that one, which is what copies in class folders hold.
    """
    wanted = {name: count for name, count in COUNTS.items() if contempt or name != "contempt"}
    high = [shot for shot in shots if shot.part in ("", HIGH)]
    others = Counter(shot.part for shot in shots if shot.part not in ("", HIGH))
    told = [
        f"{count:,} pictures of the part {part}: how many it should have is not known here, and was not checked."
        for part, count in sorted(others.items())
    ]
    if not high:
        return [], told
    faults = count_faults(Counter(shot.emotion for shot in high), wanted, f"pictures of the part {HIGH}")
    if all(shot.subject for shot in high):
        faults += lacking("subjects without a picture", sorted(set(SUBJECTS) - {shot.subject for shot in high}))
    return faults, told


def _named(root: Path, file: str) -> Shot:
    """A picture by its own name; a folder of a class above it must say the same."""
    match = _FILE.fullmatch(_stem(file))
    assert match is not None
    subject, part, code = match.groups()
    if subject not in SUBJECTS:
        raise DataError(f"{printable(file)}: TFEID has no subject {subject}, only f01 to f21 (no f07) and m01 to m20.")
    by_folder, by_name = _of_folder(root, file), _LETTERS.get(code[0])
    if by_folder and by_name and by_folder != by_name:
        raise DataError(f"{printable(file)} lies in a folder of {by_folder}, and its name says {by_name}. Remove it.")
    # How pictures of contempt are named is not known here: their folder tells.
    emotion = by_folder or by_name
    if emotion is None:
        raise DataError(
            f"{printable(file)}: neither its name nor its folder says an expression of TFEID "
            f"({', '.join(CLASSES)}). Remove it."
        )
    return Shot(file, f"{subject}_{part}_{code}", emotion, subject, part)


def _in_class_folder(root: Path, file: str) -> Shot:
    emotion = _of_folder(root, file)
    if emotion is None:
        raise DataError(
            f"{printable(file)} is not named as TFEID's pictures are (f01_dfh_ag.jpg), and lies in no folder of a "
            f"class ({', '.join(CLASSES)}). Remove it, or add the folder above."
        )
    subject = _SUBJECT.match(_stem(file))
    told = subject[1] if subject and subject[1] in SUBJECTS else ""
    return Shot(file, f"{emotion}/{printable(PurePosixPath(file).name)}", emotion, told)


def _of_folder(root: Path, file: str) -> str | None:
    """The emotion that a picture's folder names: dfh_anger_g, Anger or angry."""
    folder = PurePosixPath(root.name, file).parent.name.lower()
    match = _FOLDER.fullmatch(folder)
    word = match[1] if match else folder
    emotion = canonical(_SPELT.get(word, word))
    return emotion if emotion in CLASSES else None


def _demand_one_form(root: Path, files: Sequence[str]) -> None:
    """Raise DataError where the same pictures lie there in several forms (``_g``: grey)."""
    folders = {PurePosixPath(root.name, file).parent.name.lower() for file in files}
    forms = {match[2]: folder for folder in sorted(folders) if (match := _FOLDER.fullmatch(folder))}
    if len(forms) > 1:
        raise DataError(
            f"{root} holds TFEID's pictures in several forms: {listed(list(forms.values()))}. Add the folder of one."
        )


def _demand_once(shots: Sequence[Shot]) -> None:
    by_name: dict[str, str] = {}
    for shot in shots:
        other = by_name.setdefault(shot.name, shot.file)
        if other != shot.file:
            raise DataError(
                f"{printable(other)} and {printable(shot.file)} are the same part of TFEID: the folder holds the data "
                "set more than once. Add a folder with one copy."
            )


def _stem(file: str) -> str:
    return PurePosixPath(file).stem.lower()
