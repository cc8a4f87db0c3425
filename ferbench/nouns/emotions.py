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

BASIC: dict[int, tuple[str, ...]] = {6: EMOTIONS[:6], 7: EMOTIONS[:7], 8: EMOTIONS}
"""The customary sets of six (Ekman's), seven (with neutral) and eight (with contempt) emotions, by their size."""

OTHER_NAMES = {
    **dict.fromkeys(("anger", "angry", "ang", "an"), "anger"),
    **dict.fromkeys(("disgust", "disgusted", "disgusting", "dis", "di"), "disgust"),
    **dict.fromkeys(("fear", "afraid", "fearful", "scared", "fea", "fe", "af"), "fear"),
    **dict.fromkeys(("happiness", "happy", "joy", "joyful", "hap", "ha"), "happiness"),
    **dict.fromkeys(("sadness", "sad", "sa"), "sadness"),
    **dict.fromkeys(("surprise", "surprised", "surprising", "sur", "su"), "surprise"),
    **dict.fromkeys(("neutral", "neutrality", "neu", "ne"), "neutral"),
    **dict.fromkeys(("contempt", "contemptuous"), "contempt"),
}
"""Canonical names by what packaged tools and data sets call them.

Nouns: FER+, RAF-DB, CK+, TFEID. Adjectives: FER2013, AffectNet, ExpW. Codes: JAFFE (``HA``), KDEF and RaFD (``AF``),
and those of three letters in names of files. Compound emotions (``happily surprised``) are classes of their own.
"""


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
