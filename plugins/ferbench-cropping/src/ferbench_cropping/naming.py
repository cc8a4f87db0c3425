"""What the name of a cropped data set says: ``haar-64-grey-skip``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ferbench import UnknownNameError

Policy = Literal["refuse", "skip", "whole"]

DETECTORS = {"haar": False, "mtcnn": True, "hog": False}
"""By name: whether it finds eyes, nose and mouth too."""

WORDS = ("grey", "colour", "aligned", "skip", "whole")
DEFAULT_SIZE = 112
_PAIRS = (("grey", "colour"), ("skip", "whole"))


@dataclass(frozen=True)
class Crop:
    """How faces are cut out.

    ``written``: the detector and its options as the data set's name has them.
    ``size``: height and width in pixels. ``colour``: None for that of the pictures. ``aligned``: turned and scaled so
    that eyes, nose and mouth stand at fixed places. ``policy``: what is done where a picture has no face: nothing is
    made, the picture is left out, or it is kept as it is.
    """

    detector: str
    written: str
    size: int = DEFAULT_SIZE
    colour: bool | None = None
    aligned: bool = False
    policy: Policy = "refuse"


def parse(text: str, name: str) -> Crop:
    """Read ``DETECTOR`` and what follows it: size, colour, aligned, policy. Raises UnknownNameError."""
    detector, *words = text.split("-")
    whole = f"cropped:{text}:{name}"
    if detector not in DETECTORS:
        raise UnknownNameError(
            f"{whole}: there is no detector {detector!r}. "
            f"Write cropped:DETECTOR:NAME; detectors are {', '.join(DETECTORS)}."
        )
    if not name:
        raise UnknownNameError(f"{whole}: say in whose pictures faces are to be found: cropped:{text}:NAME.")
    sizes = [word for word in words if word.isascii() and word.isdigit()]
    chosen = [word for word in words if word not in sizes]
    for word in chosen:
        if word not in WORDS:
            raise UnknownNameError(
                f"{whole}: there is no option {word!r}. Options are a size in pixels, {', '.join(WORDS)}."
            )
    for pair in (*_PAIRS, tuple(sizes)):
        if len(pair) > 1 and set(pair) <= set(words):
            raise UnknownNameError(f"{whole}: choose one of {' and '.join(pair)}.")
    # One name for one thing: in another order, the same faces would be cut out and trained on again.
    ordered = "-".join((detector, *sizes, *(word for word in WORDS if word in chosen)))
    if text != ordered:
        raise UnknownNameError(f"{whole}: write cropped:{ordered}:{name}.")
    size = int(sizes[0]) if sizes else DEFAULT_SIZE
    if not 8 <= size <= 1024:
        raise UnknownNameError(f"{whole}: the size {size} is not 8 to 1024 pixels.")
    if "aligned" in chosen and not DETECTORS[detector]:
        raise UnknownNameError(f"{whole}: {detector} finds no eyes to align by; mtcnn does.")
    colour = None if not {"grey", "colour"} & set(chosen) else "colour" in chosen
    policy: Policy = "skip" if "skip" in chosen else "whole" if "whole" in chosen else "refuse"
    return Crop(detector, text, size, colour, "aligned" in chosen, policy)
