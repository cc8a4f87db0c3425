"""DISFA: frames of 27 videos, with the intensities of twelve action units, or the emotion that rules make of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext
from ferbench_faces.lab_crop import Box, are_landmarks, cut, face_box
from ferbench_faces.lab_disfa_labels import EMOTIONS, LABEL, UNITS, by_subject, emotions_of, read_intensities
from ferbench_faces.lab_files import find_files, folder_of, lacking, once, walk_files
from ferbench_faces.lab_parsed import parsed
from ferbench_faces.lab_video import grey_frames
from ferbench_faces.pictures import Pictures, UnreadableError, inside, listed, printable

SUBJECTS = tuple(f"SN{number:03d}" for number in (*range(1, 14), 16, 17, 18, 21, *range(23, 33)))
FRAMES = 4845
"""Coded frames of each subject."""

SIDE = 64
"""Of the faces, as in the LMU report: all frames together take half a gigabyte."""

_VIDEO = re.compile(r"(Left|Right)Video(SN\d{3})_[Cc]omp\.(?:avi|mp4|wmv)", re.ASCII)
_POINTS = re.compile(r"(SN\d{3})/(?:[^/]+/)?(SN\d{3}_|l0)(\d{4})_lm\.mat", re.ASCII)
_MOST_BYTES = 100_000
"""Of a file of landmarks, which takes 1 kB."""

_MOST_MISSED = 2
"""Videos may end so many frames before their labels: two decoders count one video differently."""


@dataclass(frozen=True)
class Video:
    """``intensities``: uint8 [frames, 12]. ``points``: landmark files by frame, counted from 0; empty without any."""

    subject: str
    file: str
    intensities: np.ndarray
    points: Mapping[int, str]


@dataclass(frozen=True)
class Copy:
    """What lies below the folder; ``faults`` say what of the published set is missing."""

    videos: tuple[Video, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Frames:
    """Decoded frames of a video, uint8 [m, 64, 64]; ``numbers``: int64 [m], counted from 0."""

    images: np.ndarray
    numbers: np.ndarray


def read_units(path: Path | None, context: ReadContext) -> Parsed:
    """Read every coded frame, with the intensities of the action units as targets, float32 [n, 12].

    Raises DataError that names file and line of a label that cannot be read, or says which folder to add.
    """
    root = folder_of(path, "DISFA")
    copy = _copy(root)
    return _parsed(root, copy, lambda units: np.arange(len(units)), lambda units: units.astype(np.float32))


def read_emotions(path: Path | None, context: ReadContext) -> Parsed:
    """Read the frames that show one emotion by the rules of :func:`emotions_of`. Raises as :func:`read_units`."""
    root = folder_of(path, "DISFA")
    copy = _copy(root)
    result = _parsed(root, copy, lambda units: np.flatnonzero(emotions_of(units) >= 0), emotions_of)
    counts = np.bincount(result.samples.targets, minlength=len(EMOTIONS))
    named = ", ".join(f"{name} {count:,}" for name, count in zip(EMOTIONS, counts.tolist(), strict=True))
    return replace(result, notes=(*result.notes, f"Frames by emotion: {named}."))


def _copy(root: Path) -> Copy:
    """Find labels, videos and landmarks, and what of them is missing."""
    files = list(walk_files(root))
    labels = find_files(files, LABEL)
    videos = _left_videos(root, files)
    once(labels, "DISFA")
    for found, what, where in (
        (labels, "no labels (SN001_au1.txt)", "ActionUnit_Labels"),
        (videos, "no video of the left camera (LeftVideoSN001_comp.avi)", "Videos_LeftCamera"),
    ):
        if not found:
            raise DataError(
                f"{root} holds {what}. Unpack {where} beside the rest of DISFA, and add the folder that holds both."
            )
    units = by_subject(labels)
    points = _points(files)
    incomplete = sorted(subject for subject, own in units.items() if len(own) < len(UNITS))
    strange = sorted({*units, *videos} - set(SUBJECTS))
    if strange:
        raise DataError(f"{root} holds files of {listed(strange)}; DISFA's subjects are {', '.join(SUBJECTS)}.")
    whole = [s for s in SUBJECTS if s in videos and len(units.get(s, ())) == len(UNITS) and (s in points or not points)]
    coded = {subject: read_intensities(root, units[subject]) for subject in whole}
    faults = [
        *lacking("subjects without a video", [s for s in SUBJECTS if s not in videos]),
        *lacking("subjects without labels", [s for s in SUBJECTS if s not in units]),
        *lacking("subjects without labels of every action unit", incomplete),
        *lacking("subjects without landmarks", [s for s in SUBJECTS if points and s not in points]),
        *lacking(
            f"subjects whose labels are not of {FRAMES:,} frames",
            [f"{subject} ({len(rows):,})" for subject, rows in coded.items() if len(rows) != FRAMES],
        ),
    ]
    if not whole:
        raise DataError(f"{root}: no subject of DISFA has both a video and its labels. {'; '.join(faults)}.")
    note = "Faces are cut out by their landmarks, a quarter larger than they reach."
    if not points:
        note = "There are no landmarks (Landmark_Points): the middle square of each frame is taken, not the face alone."
    return Copy(tuple(Video(s, videos[s], coded[s], points.get(s, {})) for s in whole), tuple(faults), (note,))


def _left_videos(root: Path, files: Sequence[str]) -> dict[str, str]:
    found = find_files(files, _VIDEO)
    once(found, "DISFA")
    videos = {item.match[2]: item.file for item in found if item.match[1] == "Left"}
    if found and not videos:
        raise DataError(f"{root} holds videos of the right camera alone. Landmarks are of the left one: add that too.")
    return videos


def _points(files: Sequence[str]) -> dict[str, dict[int, str]]:
    """Landmark files of each subject by frame; those that begin with l0 count frames from 1."""
    found: dict[str, dict[int, str]] = {}
    for item in find_files(files, _POINTS):
        frame = int(item.match[3]) - (item.match[2] == "l0")
        found.setdefault(item.match[1], {})[frame] = item.file
    return found


def _parsed(
    root: Path, copy: Copy, wanted: Callable[[np.ndarray], np.ndarray], targets: Callable[[np.ndarray], np.ndarray]
) -> Parsed:
    """Decode the frames that ``wanted`` names by the intensities of a video (int64 [m]), and label them."""
    images, units, subjects, ids = [], [], [], []
    corrupted, faults, filled = [], list(copy.faults), 0
    for video in copy.videos:
        try:
            frames, count, borrowed = _frames(root, video, wanted(video.intensities))
        except UnreadableError as error:
            corrupted.append(f"{printable(video.file)}: {error}")
            continue
        if count < len(video.intensities) - _MOST_MISSED:
            faults.append(f"the video of {video.subject} ends after {count:,} of {len(video.intensities):,} frames")
        filled += borrowed
        images.append(frames.images)
        units.append(video.intensities[frames.numbers])
        subjects += [video.subject] * len(frames.numbers)
        ids += [f"disfa-{video.subject}-{number + 1:04d}" for number in frames.numbers]
    if not ids:
        raise DataError(f"{root}: no frame of DISFA can be read. {listed(corrupted)}")
    every = np.concatenate(units)
    notes = [*copy.notes]
    if filled:
        notes.append(f"{filled:,} frames without landmarks of their own have the box of a neighbour.")
    pictures = Pictures(np.concatenate(images), np.arange(len(ids)), tuple(corrupted))
    columns = {"action_units": every}
    return parsed(pictures, ids, targets(every), {"subject": subjects}, faults, notes, columns=columns)


def _frames(root: Path, video: Video, numbers: np.ndarray) -> tuple[Frames, int, int]:
    """Cut faces out of some frames; also how many frames there are, and how many boxes were a neighbour's.

    Raises UnreadableError where the video has no frame.
    """
    boxes, borrowed = _boxes(root, video, numbers)
    place = {int(number): row for row, number in enumerate(numbers)}
    images = np.empty((len(numbers), SIDE, SIDE), dtype=np.uint8)
    count = 0
    for number, frame in enumerate(grey_frames(inside(root, video.file))):
        count += 1
        if number in place:
            row = place[number]
            images[row] = cut(frame, boxes[row], SIDE)
    there = int((numbers < count).sum())
    return Frames(images[:there], numbers[:there]), count, borrowed


def _boxes(root: Path, video: Video, numbers: np.ndarray) -> tuple[list[Box | None], int]:
    """The face's box in each frame; where its landmarks are missing or damaged, that of the nearest frame before."""
    if not video.points or not len(numbers):
        return [None] * len(numbers), 0
    boxes = [_box(root, video.points[int(n)]) if int(n) in video.points else None for n in numbers]
    known = next((box for box in boxes if box is not None), None)
    if known is None:
        raise DataError(f"None of the landmarks of {video.subject} can be read. Download Landmark_Points again.")
    lacked = boxes.count(None)
    for row, box in enumerate(boxes):
        boxes[row] = known = box or known
    return boxes, lacked


def _box(root: Path, file: str) -> Box | None:
    from scipy.io import loadmat

    path = inside(root, file)
    if path.stat().st_size > _MOST_BYTES:  # it may unpack to a thousand times its size
        return None
    try:
        points = np.asarray(loadmat(path, variable_names=("pts",))["pts"], dtype=np.float64)
    except Exception:  # a damaged file makes scipy raise almost anything
        return None
    return face_box(points) if are_landmarks(points) else None
