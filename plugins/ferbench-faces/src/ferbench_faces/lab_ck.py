"""CK+: the last three frames of each labelled sequence as its emotion, the first one as neutral."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext
from ferbench_faces.counts import count_faults
from ferbench_faces.lab_crop import are_landmarks, face_box, read_faces
from ferbench_faces.lab_files import find_files, folder_of, lacking, once, walk_files
from ferbench_faces.lab_parsed import parsed
from ferbench_faces.pictures import inside, printable, read_pictures

CLASSES = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""In the order of the labels 1 to 7, and the neutral first frames."""

SEQUENCES = dict(zip(CLASSES, (45, 18, 59, 25, 69, 28, 83), strict=False))
"""Labelled sequences of each emotion, 327 of 118 subjects (Lucey et al. 2010)."""

PEAKS = 3
NEUTRAL = CLASSES.index("neutral")
FOLDER_PROTOCOLS = ("7-contempt", "6-class", "image-70-10-20", "index-10-fold")
"""Those that a copy without neutral frames offers."""

_NAME = r"(S\d{3})_(\d{3})_(\d{8})"
FRAME = re.compile(rf"{_NAME}\.png", re.ASCII)
_LABEL = re.compile(rf"{_NAME}_emotion\.txt", re.ASCII)
_POINTS = re.compile(rf"{_NAME}_landmarks\.txt", re.ASCII)
_FOLDERS = {name: label for label, name in enumerate(CLASSES[:7])} | {"happy": CLASSES.index("happiness")}
_LANDMARKS = 68
_MOST_BYTES = 100_000

FACES = "Faces are cut out by their landmarks, a quarter larger than they reach."
WHOLE_FRAMES = "There are no landmarks (Landmarks.zip): the middle square of each frame is taken, not the face alone."

Key = tuple[str, ...]
"""Subject, sequence and frame, as their files' names say."""


@dataclass(frozen=True)
class Copy:
    """What lies below the folder: the file of each frame, emotion label and frame's landmarks."""

    frames: Mapping[Key, str]
    labels: Mapping[Key, str]
    points: Mapping[Key, str]


@dataclass(frozen=True)
class Clip:
    """A labelled sequence that is whole, all its frames in order."""

    emotion: int
    frames: Sequence[Key]


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read CK+ as it is distributed, or its copy as 48×48 faces in a folder for each emotion.

    Raises DataError that names the file that cannot be read, or says which folder to add.
    """
    root = folder_of(path, "CK+")
    copy = find_copy(root)
    if copy.labels:
        return _from_sequences(root, copy)
    in_folders = {key: _FOLDERS.get(Path(root.name, file).parent.name.lower()) for key, file in copy.frames.items()}
    if all(label is None for label in in_folders.values()):
        raise DataError(no_labels(root))
    return _from_folders(root, copy.frames, in_folders, context)


def find_copy(root: Path) -> Copy:
    """Find the files of CK+ by their names. Raises DataError where there is no frame, or one lies there twice."""
    files = list(walk_files(root))
    frames, labels, points = (once(find_files(files, pattern), "CK+") for pattern in (FRAME, _LABEL, _POINTS))
    if not frames:
        raise DataError(
            f"{root} holds no frames of CK+ (S005_001_00000001.png). Add the folder that holds both cohn-kanade-images "
            "and Emotion, or CK+48."
        )
    return Copy(frames, labels, points)


def no_labels(root: Path) -> str:
    """Say what is missing beside frames, and which folder to add."""
    return (
        f"{root} holds frames of CK+ but no emotion labels (S005_001_00000011_emotion.txt). Unpack Emotion_labels.zip "
        "beside cohn-kanade-images, and add the folder that holds both."
    )


def labelled(root: Path, copy: Copy) -> tuple[list[Clip], list[str]]:
    """Every labelled sequence that has its first frame and its last ones; and what of the published set is missing."""
    sequences: dict[Key, list[Key]] = {}
    for key in sorted(copy.frames):
        sequences.setdefault(key[:2], []).append(key)
    found, missing = [], []
    seen: set[Key] = set()
    for label, file in sorted(copy.labels.items()):
        emotion = _emotion(root, file)
        if label[:2] in seen:
            raise DataError(f"Two emotion labels are of sequence {'/'.join(label[:2])}: the labels were altered.")
        seen.add(label[:2])
        own = sequences.get(label[:2], [])
        # A label is named after the last frame.
        if len(own) <= PEAKS or own[-1] != label or int(own[0][2]) != 1:
            missing.append("/".join(label[:2]))
        else:
            found.append(Clip(emotion, own))
    faults = lacking("labelled sequences without their first or last frames", missing)
    counts = Counter(CLASSES[item.emotion] for item in found)
    return found, faults + count_faults(counts, SEQUENCES, "labelled sequences")


def _from_sequences(root: Path, copy: Copy) -> Parsed:
    sequences, faults = labelled(root, copy)
    samples = [
        (key, label)
        for item in sequences
        for key, label in zip((item.frames[0], *item.frames[-PEAKS:]), (NEUTRAL, *[item.emotion] * PEAKS), strict=True)
    ]
    note = WHOLE_FRAMES
    if copy.points:
        faults += lacking(
            "frames without landmarks", [copy.frames[key] for key, _ in samples if key not in copy.points]
        )
        samples = [(key, label) for key, label in samples if key in copy.points]
        note = FACES
    if not samples:
        raise DataError(f"{root}: no labelled sequence of CK+ has its frames there. {'; '.join(faults)}.")
    keys = [key for key, _ in samples]
    boxes = [face_box(landmarks(root, copy.points[key])) if copy.points else None for key in keys]
    pictures = read_faces(root, [copy.frames[key] for key in keys], boxes)
    targets = np.array([label for _, label in samples], dtype=np.int64)
    return parsed(pictures, _ids(keys), targets, groups_of(keys), faults, (note, *unlabelled(copy)))


def unlabelled(copy: Copy) -> tuple[str, ...]:
    """Say how many sequences have no label; empty where all have one."""
    count = len({key[:2] for key in copy.frames} - {key[:2] for key in copy.labels})
    return (f"{count:,} sequences have no emotion label and are left out (266 in the published set).",) if count else ()


def _from_folders(
    root: Path, frames: Mapping[Key, str], labels: Mapping[Key, int | None], context: ReadContext
) -> Parsed:
    strange = [frames[key] for key, label in labels.items() if label is None]
    if strange:
        raise DataError(
            f"{printable(strange[0])} lies in no folder of an emotion of CK+ ({', '.join(CLASSES[:7])}). Remove it, or "
            "add the folder above."
        )
    keys = sorted(frames)
    targets = np.array([labels[key] for key in keys], dtype=np.int64)
    counts = {name: int((targets == label).sum()) for label, name in enumerate(CLASSES[:7])}
    faults = count_faults(counts, {name: PEAKS * count for name, count in SEQUENCES.items()}, "pictures")
    pictures = read_pictures(root, [frames[key] for key in keys], None, False, context)
    note = "This copy has peak frames alone: it offers no protocol with neutral faces."
    return parsed(pictures, _ids(keys), targets, groups_of(keys), faults, (note,), FOLDER_PROTOCOLS)


def _ids(keys: Sequence[Key]) -> list[str]:
    return [f"ck-plus-{'_'.join(key)}" for key in keys]


def groups_of(keys: Sequence[Key]) -> dict[str, list[str]]:
    """Subject and sequence of each frame."""
    return {"subject": [key[0] for key in keys], "clip": ["/".join(key[:2]) for key in keys]}


def _emotion(root: Path, file: str) -> int:
    text = _text(root, file).strip()
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value not in range(1, NEUTRAL + 1):
        raise DataError(
            f"{printable(file)} says {text[:20]!r}, which is no emotion of CK+ (1 to 7: {', '.join(CLASSES[:7])})."
        )
    return int(value) - 1


def landmarks(root: Path, file: str) -> np.ndarray:
    """Read 68 points, float64 [68, 2]. Raises DataError that names the file."""
    try:
        points = np.array([line.split() for line in _text(root, file).splitlines() if line.strip()], dtype=np.float64)
    except ValueError:
        points = np.empty(0)
    if len(points) != _LANDMARKS or not are_landmarks(points):
        raise DataError(f"{printable(file)} does not hold {_LANDMARKS} landmarks, a pair of numbers each.")
    return points


def _text(root: Path, file: str) -> str:
    path = inside(root, file)
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(f"{printable(file)} is too large for a label or landmarks of CK+.")
    return path.read_text(encoding="ascii", errors="replace")
