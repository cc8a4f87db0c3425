"""What an input pipeline makes of each picture by itself: an even histogram, no plane of light, unit spread.

Whole batches at once, on any device. Channels of colour are treated one by one.
"""

from __future__ import annotations

from typing import Literal

import torch

from ferbench.nouns.recipe import Input

LEVELS = 256
FLAT = 1e-6
"""Standard deviation below which a picture has nothing but one grey, and is not divided by it (Barsoum et al.)."""


def scaled(x: torch.Tensor, equalise: bool) -> torch.Tensor:
    """Return raw pictures (uint8 [n, c, h, w]) as float32 in [0, 1], each histogram spread evenly if ``equalise``."""
    return equalised(x) if equalise else x.float().div_(LEVELS - 1)


def equalised(x: torch.Tensor) -> torch.Tensor:
    """Replace each pixel by the share of its picture's pixels that are no brighter: float32 [n, c, h, w] in (0, 1].

    ``x``: uint8 [n, c, h, w]. Unlike PIL's ``equalize``, the darkest grey does not become 0, and nothing is rounded
    (Barsoum et al. 2016, ``img_util.py``, but for their scale from −1 to 1).
    """
    count, channels, height, width = x.shape
    pictures = torch.arange(count * channels, device=x.device).mul_(LEVELS)
    # A place for each grey of each picture; one axis, since scatter_add_ on CUDA can be deterministic on one alone.
    places = x.reshape(count * channels, height * width).long().add_(pictures[:, None]).flatten()
    histogram = torch.zeros(count * channels * LEVELS, dtype=torch.int32, device=x.device)
    histogram.scatter_add_(0, places, torch.ones((), dtype=torch.int32, device=x.device).expand_as(places))
    shares = histogram.view(-1, LEVELS).cumsum(1, dtype=torch.int32).float().div_(height * width)
    return shares.flatten().index_select(0, places).view(x.shape)


def lit(x: torch.Tensor, normalise: Literal["each", "plane"]) -> torch.Tensor:
    """Normalise each picture by itself; ``x`` float32 [n, c, h, w] in [0, 1], and so is the result's shape.

    ``each``: its mean is taken off. ``plane``: it is scaled to [−1, 1], and the plane a + b·column + c·row that fits
    it best (least squares) is taken off. Both divide by the standard deviation of what is left; a picture of which
    nothing is left stays at 0.
    """
    centred = without_plane(2 * x - 1) if normalise == "plane" else x - x.mean(dim=(2, 3), keepdim=True)
    spread = centred.square().mean(dim=(2, 3), keepdim=True).sqrt_()
    return centred / torch.where(spread > FLAT, spread, 1.0)


def without_plane(x: torch.Tensor) -> torch.Tensor:
    """Take off each picture's least-squares plane; ``x``: float32 [n, c, h, w].

    Columns and rows counted from the middle are orthogonal to each other and to a constant, so that each coefficient
    is a projection of its own: the mean, and a slope along each side.
    """
    across, down = (_ramp(side, x) for side in (x.shape[3], x.shape[2]))
    columns, rows = x.mean(dim=2, keepdim=True), x.mean(dim=3, keepdim=True)
    plane = columns.mean(dim=3, keepdim=True)
    plane = plane + (columns * across).sum(dim=3, keepdim=True) / _square(x.shape[3]) * across
    down = down.unsqueeze(1)
    return x - plane - (rows * down).sum(dim=2, keepdim=True) / _square(x.shape[2]) * down


def by_picture(settings: Input) -> bool:
    """Whether an input pipeline looks at each picture as a whole."""
    return settings.equalise or settings.normalise in ("each", "plane")


def _ramp(side: int, like: torch.Tensor) -> torch.Tensor:
    """Places along a side, counted from the middle: float32 [side]."""
    return torch.arange(side, dtype=like.dtype, device=like.device) - (side - 1) / 2


def _square(side: int) -> float:
    """Sum of the squares of a ramp; of a single pixel, which has no slope, one."""
    return max(side * (side * side - 1) / 12, 1.0)
