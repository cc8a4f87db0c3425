"""MMI: frontal videos of six emotions; the three frames in the middle as the peak, the first one as neutral."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ferbench import DataError, Parsed, ReadContext
from ferbench_faces.lab_crop import cut
from ferbench_faces.lab_files import Found, find_files, folder_of, lacking, once, walk_files
from ferbench_faces.lab_parsed import parsed
from ferbench_faces.lab_video import grey_frames
from ferbench_faces.pictures import Pictures, UnreadableError, inside, listed, printable

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""In the order of the numbers 1 to 6, and the neutral first frames."""

NEUTRAL = CLASSES.index("neutral")
PEAKS = 3
SEQUENCES = 205
"""Frontal videos of the six emotions that papers count at least; a download that was chosen by hand has fewer."""

_VIDEO = re.compile(r"(S\d{3})-(\d{3})\.avi", re.ASCII)
_FRONTAL = "0"
_ONE_CAMERA = "oao_aucs.xml"
_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Session:
    """``emotion`` is an index into CLASSES. ``sideways``: the camera lay on its side."""

    subject: str
    name: str
    file: str
    emotion: int
    sideways: bool


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read the frontal videos that are labelled with an emotion, wherever below the folder their sessions lie.

    Raises DataError that names what cannot be read, or says which folder to add.
    """
    root = folder_of(path, "MMI")
    files = list(walk_files(root))
    videos = find_files(files, _VIDEO)
    if not videos:
        raise DataError(f"{root} holds no videos of MMI (Sessions/1/S001-001.avi). Add the folder Sessions.")
    once(videos, "MMI")
    left_out: Counter[str] = Counter()
    missing: list[str] = []
    sessions = list(_sessions(root, videos, set(files), left_out, missing))
    if not sessions:
        raise DataError(
            f"{root}: no video of MMI is frontal and labelled with an emotion. {_said(left_out)} Download whole "
            "sessions, with session.xml and the file of the video's name beside it (S001-001.xml)."
        )
    return _parsed(root, sessions, left_out, missing)


def _sessions(
    root: Path, videos: Sequence[Found], files: set[str], left_out: Counter[str], missing: list[str]
) -> Iterator[Session]:
    for item in videos:
        place = PurePosixPath(item.file)
        described = str(place.with_name("session.xml"))
        if described not in files:
            missing.append(described)
            continue
        labels = str(place.with_suffix(".xml"))
        emotion = _emotion(root, labels) if labels in files else None
        session = _xml(root, described)
        view = next((e.get("view") for e in _named(session, "track")), None)
        if emotion is None or view != _FRONTAL:
            left_out["not labelled with one of the six emotions" if emotion is None else "not frontal"] += 1
            continue
        annotations = [str(e.get("filename")) for e in _named(session, "annotation")]
        sideways = not (annotations and annotations[-1].endswith(_ONE_CAMERA))
        yield Session(item.match[1], f"{item.match[1]}-{item.match[2]}", item.file, emotion, sideways)


def _parsed(root: Path, sessions: Sequence[Session], left_out: Counter[str], missing: Sequence[str]) -> Parsed:
    images, kept, corrupted, short = [], [], [], []
    for session in sessions:
        try:
            # Cut at once: whole frames of a long video would not fit in memory.
            frames = [cut(_turned(frame, session.sideways)) for frame in grey_frames(inside(root, session.file))]
        except UnreadableError as error:
            corrupted.append(f"{printable(session.file)}: {error}")
            continue
        if len(frames) <= PEAKS:
            short.append(session.file)
            continue
        images += [frames[number] for number in chosen(len(frames))]
        kept.append(session)
    if not kept:
        raise DataError(f"{root}: no video of MMI can be read. {listed([*corrupted, *short])}")
    faults = lacking("files that are missing", missing) + lacking(f"videos of at most {PEAKS} frames", short)
    if len(kept) < SEQUENCES:
        faults.append(f"{len(kept):,} frontal videos of the six emotions, where papers count {SEQUENCES} and more")
    pictures = Pictures(np.stack(images), np.arange(len(images)), tuple(corrupted))
    roles = ("first", *(f"peak{n}" for n in range(1, PEAKS + 1)))
    ids = [f"mmi-{s.name}-{role}" for s in kept for role in roles]
    targets = np.array([label for s in kept for label in (NEUTRAL, *[s.emotion] * PEAKS)], dtype=np.int64)
    groups = {
        "subject": [s.subject for s in kept for _ in roles],
        "clip": [s.name for s in kept for _ in roles],
    }
    said = _said(left_out)
    return parsed(pictures, ids, targets, groups, faults, (said,) if said else ())


def chosen(count: int) -> tuple[int, ...]:
    """The first of ``count`` frames, and the three in the middle, where the emotion is at its peak."""
    middle = count // 2
    start = min(max(1, middle - PEAKS // 2), count - PEAKS)
    return (0, *range(start, start + PEAKS))


def _turned(frame: np.ndarray, sideways: bool) -> np.ndarray:
    """A frame upright: a quarter turn clockwise where the camera lay on its side."""
    return np.ascontiguousarray(np.rot90(frame, -1)) if sideways else frame


def _said(left_out: Counter[str]) -> str:
    if not left_out:
        return ""
    return "Videos left out: " + ", ".join(f"{count:,} {why}" for why, count in sorted(left_out.items())) + "."


def _emotion(root: Path, file: str) -> int | None:
    """The emotion in a video's own file; None where it names none, or one beyond the six."""
    values = [e.get("Value", "") for e in _named(_xml(root, file), "Metatag") if e.get("Name") == "Emotion"]
    if not values:
        return None
    if not re.fullmatch("[1-9][0-9]?", values[0]):
        raise DataError(f"{printable(file)}: the emotion {values[0][:20]!r} is no number of MMI (1 to 6, or above).")
    return int(values[0]) - 1 if int(values[0]) <= NEUTRAL else None


def _xml(root: Path, file: str) -> ET.Element:
    path = inside(root, file)
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(f"{printable(file)} is too large for a description of MMI.")
    content = path.read_bytes()
    # Entities can blow a small file up, and MMI has none. Without zero bytes UTF-16 and UTF-32 read as ASCII does.
    if b"<!ENTITY" in content.replace(b"\0", b""):
        raise DataError(f"{printable(file)} is refused: it defines entities, which no file of MMI does.")
    try:
        return ET.fromstring(content)
    except (ET.ParseError, LookupError, ValueError) as error:  # the latter two: an encoding that is unknown
        raise DataError(
            f"{printable(file)} is no XML that can be read ({error}). Download the session again."
        ) from None


def _named(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (e for e in element.iter() if e.tag.rpartition("}")[2] == name)
