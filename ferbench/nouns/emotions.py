"""Canonical emotion names, and the few words that every noun uses."""

from __future__ import annotations

from typing import Literal

Task = Literal["single-label", "multi-label", "soft-labels", "regression"]
"""What is predicted and how it is scored."""

LabelKind = Literal["hard", "soft", "drawn", "accepted", "multi-hot", "real"]
"""The form of targets: class indices int64 [n] (``hard``), else float32 [n, k].

``soft``: probabilities. ``drawn``: probabilities from which a network's training draws a label for every epoch.
``accepted``: 0/1 flags of classes any of which is right. ``multi-hot``: 0/1 flags of classes that all hold.
``real``: values.
"""

Modality = Literal["image", "video", "eeg"]

Side = Literal["train", "val", "test"]
"""One of the three parts into which a protocol divides a data set."""

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")
"""Canonical emotion names. A data set may use its own (``happy``, ``not_happy``) or dimensions (``valence``)."""

OTHER_NAMES = {
    **dict.fromkeys(("angry", "anger"), "anger"),
    **dict.fromkeys(("disgust", "disgusted"), "disgust"),
    **dict.fromkeys(("fear", "afraid", "fearful", "scared"), "fear"),
    **dict.fromkeys(("happiness", "happy", "joy"), "happiness"),
    **dict.fromkeys(("sadness", "sad"), "sadness"),
    **dict.fromkeys(("surprise", "surprised"), "surprise"),
    **dict.fromkeys(("neutral", "neutrality"), "neutral"),
    **dict.fromkeys(("contempt", "contemptuous"), "contempt"),
}
"""Canonical names by what packaged tools and data sets call them."""


def canonical(name: str) -> str:
    """The canonical name of an emotion; any other name in lower case.

    >>> canonical("Happy"), canonical("not_happy")
    ('happiness', 'not_happy')
    """
    plain = name.strip().lower()
    return OTHER_NAMES.get(plain, plain)


LABEL_KIND_OF_TASK: dict[Task, LabelKind] = {
    "single-label": "hard",
    "multi-label": "multi-hot",
    "soft-labels": "soft",
    "regression": "real",
}
"""The form that targets of a task have, unless a protocol trains on another."""
