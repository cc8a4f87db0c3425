"""CK+ as clips: every frame of each labelled sequence, from neutral to the peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext, Samples, View
from ferbench_faces.lab_ck import (
    FACES,
    FRAME,
    WHOLE_FRAMES,
    Clip,
    Copy,
    find_copy,
    groups_of,
    labelled,
    landmarks,
    no_labels,
    unlabelled,
)
from ferbench_faces.lab_crop import cut, face_box
from ferbench_faces.lab_files import folder_of, lacking
from ferbench_faces.pictures import UnreadableError, check_pictures, decode_picture


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Find the labelled sequences; the file of each is its last frame, from which :func:`decode` finds the others.

    Raises DataError that names the file that cannot be read, or says which folder to add.
    """
    root = folder_of(path, "CK+")
    copy = find_copy(root)
    if not copy.labels:
        raise DataError(no_labels(root))
    clips, faults = labelled(root, copy)
    if copy.points:
        bare = [c for c in clips if not all(_points(root / copy.frames[key]).is_file() for key in c.frames)]
        faults += lacking(
            "sequences without landmarks of every frame in Landmarks beside cohn-kanade-images",
            ["/".join(clip.frames[-1][:2]) for clip in bare],
        )
        clips = [clip for clip in clips if clip not in bare]
    clips, corrupted = _sound(root, copy, clips, context) if clips else ([], ())
    if not clips:
        raise DataError(f"{root}: no labelled sequence of CK+ has its frames there. {'; '.join(faults)}.")
    keys = [clip.frames[-1] for clip in clips]
    return Parsed(
        samples=Samples(
            ids=np.array([f"ck-plus-{'_'.join(key[:2])}" for key in keys]),
            targets=np.array([clip.emotion for clip in clips], dtype=np.int64),
            groups={name: np.array(values) for name, values in groups_of(keys).items()},
        ),
        files=[copy.frames[key] for key in keys],
        partial="; ".join(faults),
        corrupted=corrupted,
        notes=(FACES if copy.points else WHOLE_FRAMES, *unlabelled(copy)),
    )


def _sound(root: Path, copy: Copy, clips: Sequence[Clip], context: ReadContext) -> tuple[list[Clip], tuple[str, ...]]:
    """The clips all of whose frames open, and the frames that do not. Raises DataError for damaged landmarks."""
    keys = [key for clip in clips for key in clip.frames]
    if copy.points:
        for key in keys:
            points = _points(root / copy.frames[key])
            landmarks(points.parent, points.name)
    found = check_pictures(root, [copy.frames[key] for key in keys], context)
    good = {keys[place] for place in found.kept.tolist()}
    return [clip for clip in clips if good.issuperset(clip.frames)], found.corrupted


def decode(path: Path, view: View, rng: np.random.Generator) -> Mapping[str, np.ndarray]:
    """Read the frames of a sequence that ``view`` chooses, uint8 [frames, 224, 224, 1].

    Raises DataError that names a frame that cannot be read.
    """
    beside = path.parent.glob(f"{path.stem.rpartition('_')[0]}_*.png")
    frames = sorted(file for file in beside if FRAME.fullmatch(file.name))  # as in find_copy: no "… (2).png"
    faces = []
    for number in view.chosen(len(frames), rng):
        frame = frames[int(number)]
        try:
            pixels = decode_picture(frame, None, colour=False)
        except UnreadableError as error:
            raise DataError(f"{frame} cannot be read: {error}.") from None
        points = _points(frame)
        box = face_box(landmarks(points.parent, points.name)) if points.is_file() else None
        faces.append(cut(pixels, box))
    return {"video": np.stack(faces)[..., None]}


def _points(frame: Path) -> Path:
    """Where the landmarks of a frame lie: in Landmarks, beside the folder of the subjects."""
    subjects = frame.parents[2]
    return subjects.parent / "Landmarks" / frame.relative_to(subjects).with_name(f"{frame.stem}_landmarks.txt")
