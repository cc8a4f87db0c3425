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

LABEL_KIND_OF_TASK: dict[Task, LabelKind] = {
    "single-label": "hard",
    "multi-label": "multi-hot",
    "soft-labels": "soft",
    "regression": "real",
}
"""The form that targets of a task have, unless a protocol trains on another."""
