"""CK+: the last three frames of each labelled sequence as its emotion, the first one as neutral."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext
from ferbench_faces.lab_crop import Box, face_box, read_faces
from ferbench_faces.lab_files import count_faults, find_files, folder_of, lacking, once, walk_files
from ferbench_faces.lab_parsed import parsed
from ferbench_faces.pictures import inside, printable, read_pictures

CLASSES = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""In the order of the labels 1 to 7, and the neutral first frames."""

SEQUENCES = dict(zip(CLASSES, (45, 18, 59, 25, 69, 28, 83), strict=False))
"""Labelled sequences of each emotion, 327 of 118 subjects (Lucey et al. 2010, section 3.3)."""

PEAKS = 3
NEUTRAL = CLASSES.index("neutral")
FOLDER_PROTOCOLS = ("7-contempt", "6-class", "image-70-10-20")
"""Those that a copy without neutral frames offers."""

_NAME = r"(S\d{3})_(\d{3})_(\d{8})"
_FRAME = re.compile(rf"{_NAME}\.png", re.ASCII)
_LABEL = re.compile(rf"{_NAME}_emotion\.txt", re.ASCII)
_POINTS = re.compile(rf"{_NAME}_landmarks\.txt", re.ASCII)
_FOLDERS = {name: label for label, name in enumerate(CLASSES[:7])} | {"happy": CLASSES.index("happiness")}
_LANDMARKS = 68
_MOST_BYTES = 100_000

Key = tuple[str, ...]
"""Subject, sequence and frame, as their files' names say."""


@dataclass(frozen=True)
class Chosen:
    """Frames that become samples, with their classes; ``faults`` say what of the published set they lack."""

    frames: Sequence[Key]
    targets: Sequence[int]
    faults: Sequence[str]


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read CK+ as it is distributed, or its copy as 48×48 faces in a folder for each emotion.

    Raises DataError that names the file that cannot be read, or says which folder to add.
    """
    root = folder_of(path, "CK+")
    files = list(walk_files(root))
    frames = once(find_files(files, _FRAME), "CK+")
    labels = find_files(files, _LABEL)
    if not frames:
        raise DataError(
            f"{root} holds no frames of CK+ (S005_001_00000001.png). Add the folder that holds both cohn-kanade-images "
            "and Emotion, or CK+48."
        )
    if labels:
        points = once(find_files(files, _POINTS), "CK+")
        return _from_sequences(root, frames, once(labels, "CK+"), points)
    in_folders = {key: _FOLDERS.get(Path(root.name, file).parent.name.lower()) for key, file in frames.items()}
    if all(label is None for label in in_folders.values()):
        raise DataError(
            f"{root} holds frames of CK+ but no emotion labels (S005_001_00000011_emotion.txt). Unpack "
            "Emotion_labels.zip beside cohn-kanade-images, and add the folder that holds both."
        )
    return _from_folders(root, frames, in_folders, context)


def _from_sequences(
    root: Path, frames: Mapping[Key, str], labels: Mapping[Key, str], points: Mapping[Key, str]
) -> Parsed:
    chosen = _chosen(frames, {key: _emotion(root, file) for key, file in labels.items()})
    boxes: list[Box | None] = [None] * len(chosen.frames)
    rows = list(range(len(chosen.frames)))
    faults = list(chosen.faults)
    if points:
        rows = [row for row in rows if chosen.frames[row] in points]
        bare = [frames[key] for key in chosen.frames if key not in points]
        faults += lacking("frames without landmarks", bare)
        boxes = [face_box(_landmarks(root, points[chosen.frames[row]])) for row in rows]
        note = "Faces are cut out by their landmarks, a quarter larger than they reach."
    else:
        note = "There are no landmarks (Landmarks.zip): the middle square of each frame is taken, not the face alone."
    if not rows:
        raise DataError(f"{root}: no labelled sequence of CK+ has its frames there. {'; '.join(faults)}.")
    keys = [chosen.frames[row] for row in rows]
    pictures = read_faces(root, [frames[key] for key in keys], boxes)
    targets = np.array([chosen.targets[row] for row in rows], dtype=np.int64)
    unlabelled = len({key[:2] for key in frames} - {key[:2] for key in labels})
    notes = (note, f"{unlabelled:,} sequences have no emotion label and are left out (266 in the published set).")
    return parsed(pictures, _ids(keys), targets, _groups(keys), faults, notes)


def _chosen(frames: Mapping[Key, str], labels: Mapping[Key, int]) -> Chosen:
    """The last three frames and the first of every labelled sequence that is whole."""
    sequences: dict[Key, list[Key]] = {}
    for key in sorted(frames):
        sequences.setdefault(key[:2], []).append(key)
    counts: Counter[str] = Counter()
    missing, keys, targets = [], [], []
    seen: set[Key] = set()
    for label, emotion in sorted(labels.items()):
        if label[:2] in seen:
            raise DataError(f"Two emotion labels are of sequence {'/'.join(label[:2])}: the labels were altered.")
        seen.add(label[:2])
        own = sequences.get(label[:2], [])
        # A label is named after the last frame.
        if len(own) <= PEAKS or own[-1] != label or int(own[0][2]) != 1:
            missing.append("/".join(label[:2]))
            continue
        counts[CLASSES[emotion]] += 1
        keys += [own[0], *own[-PEAKS:]]
        targets += [NEUTRAL, *[emotion] * PEAKS]
    faults = lacking("labelled sequences without their first or last frames", missing)
    faults += count_faults(counts, SEQUENCES, "labelled sequences")
    return Chosen(keys, targets, faults)


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
    return parsed(pictures, _ids(keys), targets, _groups(keys), faults, (note,), FOLDER_PROTOCOLS)


def _ids(keys: Sequence[Key]) -> list[str]:
    return [f"ck-plus-{'_'.join(key)}" for key in keys]


def _groups(keys: Sequence[Key]) -> dict[str, list[str]]:
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


def _landmarks(root: Path, file: str) -> np.ndarray:
    try:
        points = np.array([line.split() for line in _text(root, file).splitlines() if line.strip()], dtype=np.float64)
    except ValueError:
        points = np.empty(0)
    if points.shape != (_LANDMARKS, 2) or not np.isfinite(points).all():
        raise DataError(f"{printable(file)} does not hold {_LANDMARKS} landmarks, a pair of numbers each.")
    return points


def _text(root: Path, file: str) -> str:
    path = inside(root, file)
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(f"{printable(file)} is too large for a label or landmarks of CK+.")
    return path.read_text(encoding="ascii", errors="replace")
