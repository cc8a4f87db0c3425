"""Arrays of a split as tensors: pictures viewed and resized alike, targets in the two forms that losses know."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ferbench.errors import TrainingError
from ferbench.nouns.recipe import Input
from ferbench.training.pixels import channels_first, is_picture, resize


def pictures(values: torch.Tensor, settings: Input) -> torch.Tensor:
    """View pictures as [b, c, h, w] and resize them as the recipe says; what is no picture stays as it is."""
    if not is_picture(values):
        return values
    x = channels_first(values)
    return x if settings.size is None else resize(x, settings.size, settings.interpolation)


def target_tensor(targets: np.ndarray) -> torch.Tensor:
    """Class indices as int64 [n], anything else as float32 [n, k]."""
    return torch.from_numpy(np.ascontiguousarray(targets, np.int64 if targets.ndim == 1 else np.float32))


def image_shape(inputs: Mapping[str, torch.Tensor]) -> tuple[int, int, int]:
    """Channels, height and width of the first picture. Raises TrainingError if there is none."""
    for values in inputs.values():
        if is_picture(values):
            channels, height, width = values.shape[1:]
            return channels, height, width
    raise TrainingError(f"None of the inputs ({', '.join(inputs)}) is a picture (uint8 [n, h, w] or [n, h, w, c]).")
