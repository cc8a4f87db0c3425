"""Oulu-CASIA: sequences of six emotions by eighty people, in visible light, strongly lit."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext
from ferbench_faces.counts import count_faults
from ferbench_faces.lab_files import Found, find_files, folder_of, lacking, once, walk_files
from ferbench_faces.lab_parsed import parsed
from ferbench_faces.listing import no_twins
from ferbench_faces.pictures import read_pictures

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""In the order of the folders' names, and the neutral first frames."""

SUBJECTS = tuple(f"P{number:03d}" for number in range(1, 81))
PEAKS = 3
NEUTRAL = CLASSES.index("neutral")

_FRAME = re.compile(r"(P\d{3})/([A-Za-z]+)/(\d{3})\.jpe?g", re.ASCII)
_LIGHTS = ("NI", "VL", "Dark", "Strong", "Weak")
_TAKEN = ("VL", "Strong")


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read the sequences in VL/Strong: the last three frames as the emotion, the first as neutral.

    The folder that is added may be VL/Strong itself or any above it. Raises DataError that says which one to add.
    """
    root = folder_of(path, "Oulu-CASIA")
    everything = find_files(list(walk_files(root)), _FRAME)
    taken = [item for item in everything if _light(root, item.file) == _TAKEN]
    if not taken:
        lights = sorted({"/".join(_light(root, item.file)) or "an unnamed light" for item in everything})
        seen = f" It holds {', '.join(lights)} alone." if lights else ""
        raise DataError(
            f"{root} holds no frames of Oulu-CASIA in visible light, strongly lit (VL/Strong/P001/Anger/000.jpeg)."
            f"{seen} Add the folder that holds VL."
        )
    sequences: dict[tuple[str, str], list[Found]] = {}
    once(taken, "Oulu-CASIA")
    no_twins([item.file.lower() for item in taken], "Oulu-CASIA")  # emotions are told whichever way they are written
    for item in taken:
        sequences.setdefault((item.match[1], item.match[2].lower()), []).append(item)
    _demand_known(root, sequences)
    missing = [f"{s}/{e}" for s in SUBJECTS for e in CLASSES[:NEUTRAL] if len(sequences.get((s, e), ())) <= PEAKS]
    frames: list[Found] = []
    targets: list[int] = []
    counts: Counter[str] = Counter()
    for (_, emotion), own in sorted(sequences.items()):
        if len(own) <= PEAKS:
            continue
        ordered = sorted(own, key=lambda item: item.match[3])
        frames += [ordered[0], *ordered[-PEAKS:]]
        targets += [NEUTRAL, *[CLASSES.index(emotion)] * PEAKS]
        counts[emotion] += 1
    if not frames:
        raise DataError(f"{root}: no sequence of Oulu-CASIA has more than {PEAKS} frames.")
    faults = lacking("sequences that are missing or have too few frames", missing)
    faults += count_faults(counts, dict.fromkeys(CLASSES[:NEUTRAL], len(SUBJECTS)), "sequences")
    pictures = read_pictures(root, [item.file for item in frames], None, False, context)
    names = [(item.match[1], CLASSES[CLASSES.index(item.match[2].lower())], item.match[3]) for item in frames]
    groups = {"subject": [name[0] for name in names], "clip": ["/".join(name[:2]) for name in names]}
    ids = [f"oulu-casia-{'-'.join(name)}" for name in names]
    return parsed(pictures, ids, np.array(targets, dtype=np.int64), groups, faults)


def _light(root: Path, file: str) -> tuple[str, ...]:
    """Camera and light of a frame by the folders above its subject, those above the added folder included."""
    folders = (*root.parts[-2:], *file.split("/")[:-3])
    named = [part for part in folders if part in _LIGHTS]
    return tuple(named[-2:])


def _demand_known(root: Path, sequences: dict[tuple[str, str], list[Found]]) -> None:
    for (subject, emotion), own in sequences.items():
        if emotion not in CLASSES[:NEUTRAL] or subject not in SUBJECTS:
            raise DataError(
                f"{root / own[0].file} is of no emotion or subject of Oulu-CASIA: emotions are "
                f"{', '.join(CLASSES[:NEUTRAL])}, subjects {SUBJECTS[0]} to {SUBJECTS[-1]}. Remove it."
            )
