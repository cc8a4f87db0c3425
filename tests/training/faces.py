"""Pictures for tests of augmentation: smooth ones of every range of values, and those that are a trap."""

from __future__ import annotations

import numpy as np
import torch


def faces(count: int, channels: int, height: int = 24, width: int = 20, by_pixel: bool = False) -> torch.Tensor:
    """Random hills uint8 [count, channels, height, width], the first picture black and the second of one grey.

    ``by_pixel``: colour lies in memory pixel by pixel, as files store it.
    """
    rng = np.random.default_rng(height + channels)
    hills = rng.normal(size=(count, channels, height, width)).cumsum(axis=2).cumsum(axis=3)
    hills -= hills.min(axis=(1, 2, 3), keepdims=True)
    hills *= rng.uniform(40, 255, (count, 1, 1, 1)) / hills.max(axis=(1, 2, 3), keepdims=True)
    x = torch.from_numpy(hills.astype(np.uint8))
    x[0], x[1] = 0, 77
    if by_pixel:
        return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    return x
