"""Canonical emotion names, and the few words that every noun uses."""

from __future__ import annotations

from typing import Literal

Task = Literal["single-label", "multi-label", "soft-labels", "regression"]
"""What is predicted and how it is scored."""

LabelKind = Literal["hard", "soft", "multi-hot", "real"]
"""The form of targets: class indices int64 [n]; probabilities, 0/1 flags or real values float32 [n, k]."""

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
