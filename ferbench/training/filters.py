"""Smoothing and sharpening of pictures, uint8 [n, c, h, w], each with its own strength (float [n]).

Both are sums of shifted copies instead of convolutions, which graphics cards may round to a few digits. They equal
torchvision's functions; where a value lies on the border of two grey levels, a pixel may fall to the other one.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from ferbench.training.choosing import per_picture
from ferbench.training.pixels import to_bytes
from ferbench.training.tones import cut


def sharpness(x: torch.Tensor, factor: np.ndarray) -> torch.Tensor:
    """Blend with a smoothed copy by ``factor``: 0 is smoothed, 1 the picture, above it sharper.

    The smoothed pixel is (5 · itself + its 8 neighbours) / 13; those of the border stay as they are.
    """
    if min(x.shape[2:]) <= 2:
        return x
    whole = x.to(torch.int16)
    rows = whole[:, :, :-2] + whole[:, :, 1:-1] + whole[:, :, 2:]
    middle = whole[:, :, 1:-1, 1:-1]
    total = (rows[..., :-2] + rows[..., 1:-1]).add_(rows[..., 2:]).add_(middle, alpha=4)
    smoothed = total.float().div_(13).round_()
    result = x.float()
    inside = result[:, :, 1:-1, 1:-1]
    inside.addcmul_(smoothed.sub_(inside), per_picture(1 - factor, x))
    return cut(result)


def gaussian_blur(x: torch.Tensor, kernel: int, sigma: np.ndarray) -> torch.Tensor:
    """Blur with a ``kernel`` of odd size; ``sigma`` in pixels. Beyond its border the picture is mirrored."""
    reach = kernel // 2
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma[:, None]) ** 2)
    weights /= weights[:, :1] + 2 * weights[:, 1:].sum(axis=1, keepdims=True)
    shares = [per_picture(share, x) for share in weights.T]
    padded = functional.pad(x.float(), (reach,) * 4, mode="reflect")
    return to_bytes(_smoothed(_smoothed(padded, shares, 3), shares, 2))


def _smoothed(x: torch.Tensor, shares: list[torch.Tensor], axis: int) -> torch.Tensor:
    """Weight the pixels along an axis by how far they are away; those that lack neighbours are left out."""
    reach = len(shares) - 1
    length = x.shape[axis] - 2 * reach
    result = x.narrow(axis, reach, length) * shares[0]
    for distance in range(1, reach + 1):
        both = x.narrow(axis, reach - distance, length) + x.narrow(axis, reach + distance, length)
        result.addcmul_(both, shares[distance])
    return result
