"""Arrays of a split as tensors: pictures viewed and resized alike, targets in the two forms that losses know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ferbench.errors import TrainingError
from ferbench.nouns.recipe import Input
from ferbench.training.pixels import channels_first, is_clip, is_picture, resize


@dataclass(frozen=True)
class Shapes:
    """Shape of a sample by input name, resized as the recipe says; ``pixels``: those that are pictures or clips.

    A picture is (channels, height, width), a clip (frames, channels, height, width).
    """

    inputs: Mapping[str, tuple[int, ...]]
    pixels: frozenset[str]

    @property
    def picture(self) -> tuple[int, int, int]:
        """Channels, height and width of the first picture or clip. Raises TrainingError if there is none."""
        for name, shape in self.inputs.items():
            if name in self.pixels:
                channels, height, width = shape[-3:]
                return channels, height, width
        raise TrainingError(
            f"None of the inputs ({', '.join(self.inputs)}) is a picture (uint8 [n, h, w] or [n, h, w, c]) or a clip "
            "(uint8 [n, frames, h, w, c])."
        )

    def signal(self, names: Sequence[str]) -> tuple[int, int]:
        """Channels and samples of the first signal among ``names``. Raises TrainingError if there is none."""
        for name in names:
            if name not in self.pixels and len(self.inputs[name]) == 2:
                channels, samples = self.inputs[name]
                return channels, samples
        raise TrainingError(f"None of the inputs ({', '.join(names)}) is a signal (float32 [n, channels, samples]).")


def pictures(values: torch.Tensor, settings: Input) -> torch.Tensor:
    """View pictures as [b, c, h, w] and resize them as the recipe says; what is no picture stays as it is.

    Clips become [b, frames, c, h, w], every frame a picture.
    """
    if is_clip(values):
        frames = pictures(values.flatten(0, 1), settings)
        return frames.view(*values.shape[:2], *frames.shape[1:])
    if not is_picture(values):
        return values
    x = channels_first(values)
    return x if settings.size is None else resize(x, settings.size, settings.interpolation)


def target_tensor(targets: np.ndarray) -> torch.Tensor:
    """Class indices as int64 [n], anything else as float32 [n, k]."""
    return torch.from_numpy(np.ascontiguousarray(targets, np.int64 if targets.ndim == 1 else np.float32))


def shapes_of(inputs: Mapping[str, torch.Tensor]) -> Shapes:
    """The shapes of a raw batch's inputs."""
    pixels = frozenset(name for name, values in inputs.items() if is_picture(values) or is_clip(values))
    return Shapes({name: tuple(values.shape[1:]) for name, values in inputs.items()}, pixels)
