"""One side of a fold behind one interface, whether it lies in memory or streams from disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ferbench.nouns.emotions import LabelKind

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class View:
    """Which part of a sample is read: every frame, or ``frames`` of them; all of a picture, or ``box`` of it.

    ``box``: left, top, right and bottom in pixels, where the data set's table names a part of each picture.
    """

    frames: int | None = None
    training: bool = False
    box: tuple[int, int, int, int] | None = None

    def chosen(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """The frames to read of a clip that has ``count``: their places, int64 [m], rising.

        A clip with more than ``frames`` is cut into as many segments of like length; of each one frame is read, in
        training any, else the middle one (Wang et al. 2016, section 3.1). Of a shorter clip all are.
        """
        import numpy as np

        if self.frames is None or count <= self.frames:
            return np.arange(count)
        edges = np.arange(self.frames + 1) * count // self.frames
        first, end = edges[:-1], edges[1:]
        return rng.integers(first, end) if self.training else (first + end - 1) // 2


@dataclass(frozen=True)
class Batch:
    """Samples ready to be worked on.

    ``inputs`` holds an array or tensor per input name, first axis the sample (images: uint8 [n, height, width] or
    [n, channels, height, width] from a split; float [n, channels, height, width] once prepared for a network; clips:
    uint8 [n, frames, height, width, channels], then float [n, frames, channels, height, width]; EEG: float32
    [n, channels, samples], both times).
    ``target`` is int64 [n] for hard labels, float32 [n, k] otherwise. ``mask`` is bool [n, frames], True where a frame
    is real, for inputs of varying length. ``weight`` is float32 [n], the weight of each sample in the loss; in training
    such that the mean of the weighted losses is Σ w·loss / Σ w. ``index`` is int64 [n] in training: each sample's place
    among those that its stage trains on, the same in every epoch.
    """

    inputs: Mapping[str, Any]
    target: Any
    mask: Any = None
    weight: Any = None
    index: Any = None


class Split(Protocol):
    """One side of a fold. Indices run from 0 to ``len(split) - 1``."""

    @property
    def ids(self) -> np.ndarray:
        """Sample ids, str [n]; they never change."""

    @property
    def hashes(self) -> np.ndarray:
        """Hash of each sample's pixels (of its file, where the side streams), uint64 [n]: equal for identical ones."""

    @property
    def targets(self) -> np.ndarray:
        """Targets in the form of :attr:`label_kind`."""

    @property
    def groups(self) -> Mapping[str, np.ndarray]:
        """Subject, clip or trial of each sample, where the data set knows them; each [n]."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names (or dimensions of a regression) in the order of the outputs."""

    @property
    def label_kind(self) -> LabelKind:
        """The form of the targets."""

    @property
    def arrays(self) -> Mapping[str, np.ndarray] | None:
        """Every input of the whole side, uint8 or float32 [n, ...], where it fits in memory; None where it streams."""

    def __len__(self) -> int:
        """Number of samples."""

    def batch(self, indices: np.ndarray, view: View, rng: np.random.Generator) -> Batch:
        """Read the samples at ``indices`` (int64 [m]) as numpy arrays."""

    def take(self, indices: np.ndarray) -> Split:
        """A split of some of the samples, by their indices (int64 [m])."""


@dataclass(frozen=True)
class Splits:
    """The three sides of one fold, and what their making found out."""

    train: Split
    val: Split
    test: Split
    notes: tuple[str, ...] = field(default=())
    """Marks for the table, such as ``subjects on several sides (allowed)``."""
