"""Raw batches on the device, whether a split lies in memory or streams from disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch

from ferbench.nouns.recipe import Input
from ferbench.nouns.split import Batch, Split, View
from ferbench.training.pictures import Shapes, pictures, shapes_of, target_tensor
from ferbench.training.pixels import channels_first, is_clip, is_picture
from ferbench.training.streaming import StreamedFeed

RESIZED_BYTES = 4 * 2**30
"""Resized pictures are kept when they take no more than this; larger sets are resized batch by batch."""

RESIZED_AT_ONCE = 1024


class Feed(Protocol):
    """The samples of a split as raw batches."""

    def __len__(self) -> int:
        """Number of samples."""

    def batches(self, index_batches: Sequence[np.ndarray], view: View, seed: tuple[int, ...]) -> Iterator[Batch]:
        """Yield the samples of each array of indices (int64 [b]) as tensors on the device, in this order.

        Pictures are uint8 [b, c, h, w], clips uint8 [b, frames, c, h, w] (with a mask where they differ in length),
        both resized as the recipe says; other inputs keep their form. Targets are int64 [b] or float32 [b, k]. A split
        that draws at random gets the generator seeded with ``(*seed, step)``. Raises TrainingError when a loader
        process dies, and what the split itself raises.
        """

    def shapes(self) -> Shapes:
        """What the first sample's inputs look like, pictures resized; of a clip, the frames that are read at test."""

    def close(self) -> None:
        """Free memory and end loader processes. The feed cannot be used any more."""


def open_feed(split: Split, settings: Input, device: torch.device, workers: int) -> Feed:
    """Return a feed of ``split``: its arrays on the device, or ``workers`` loader processes where it streams.

    Clips are read one batch at a time even from memory, since each view of them is of other frames.
    """
    if split.arrays is not None and not any(is_clip(values) for values in split.arrays.values()):
        return ResidentFeed(split.arrays, split.targets, settings, device)
    return StreamedFeed(split, settings, device, workers)


class ResidentFeed:
    """A split whose inputs lie on the device, pictures as bytes. On the CPU they are used where they lie, also mapped.

    Pictures are kept in the order of files, [n, h, w] or [n, h, w, c], and viewed as [b, c, h, w] in a batch.
    """

    def __init__(
        self, arrays: Mapping[str, np.ndarray], targets: np.ndarray, settings: Input, device: torch.device
    ) -> None:
        self.settings, self.device = settings, device
        self.targets = target_tensor(targets).to(device)
        self.inputs = {name: self._kept(np.ascontiguousarray(array)) for name, array in arrays.items()}

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self, index_batches: Sequence[np.ndarray], view: View, seed: tuple[int, ...]) -> Iterator[Batch]:
        """See :class:`Feed`. Samples are whole and nothing is drawn, so ``view`` and ``seed`` change nothing."""
        for indices in index_batches:
            rows = torch.from_numpy(np.asarray(indices, np.int64)).to(self.device, non_blocking=True)
            inputs = {name: self._pictures(picked(values, rows)) for name, values in self.inputs.items()}
            yield Batch(inputs, self.targets.index_select(0, rows))

    def shapes(self) -> Shapes:
        """See :class:`Feed`."""
        first = torch.zeros(1, dtype=torch.int64, device=self.device)
        return shapes_of({name: self._pictures(picked(values, first)) for name, values in self.inputs.items()})

    def close(self) -> None:
        """See :class:`Feed`."""
        self.inputs, self.targets = {}, self.targets[:0]

    def _kept(self, array: np.ndarray) -> np.ndarray | torch.Tensor:
        values = self._resized_once(array) if self._resizes(array) else array
        if self.device.type == "cpu":
            return np.asarray(values)
        return values.to(self.device) if isinstance(values, torch.Tensor) else torch.tensor(values, device=self.device)

    def _resizes(self, array: np.ndarray) -> bool:
        size = self.settings.size
        if size is None or not is_picture(array) or not len(array):
            return False
        channels, height, width = channels_first(torch.tensor(array[:1])).shape[1:]
        return (height, width) != (size, size) and len(array) * channels * size**2 <= RESIZED_BYTES

    def _resized_once(self, array: np.ndarray) -> torch.Tensor:
        parts = (array[start : start + RESIZED_AT_ONCE] for start in range(0, len(array), RESIZED_AT_ONCE))
        result, done = torch.empty(0), 0
        for part in parts:
            pictures = self._pictures(torch.tensor(part, device=self.device)).permute(0, 2, 3, 1)
            if not done:
                result = torch.empty((len(array), *pictures.shape[1:]), dtype=torch.uint8, device=self.device)
            result[done : done + len(pictures)] = pictures
            done += len(pictures)
        return result

    def _pictures(self, values: torch.Tensor) -> torch.Tensor:
        return pictures(values, self.settings)


def picked(values: np.ndarray | torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """The samples of those rows (int64 [b]), as a copy. numpy copies whole samples faster than torch does."""
    if isinstance(values, np.ndarray):
        return torch.from_numpy(np.take(values, rows.numpy(), axis=0))
    return values.index_select(0, rows)
