"""Rotation, translation and scale of a whole batch in one warp, each picture with its own.

The same as torchvision's ``affine`` without shear, picture by picture, its rounding included: coordinates are computed
in float32, so that a bilinear pixel which comes to lie on the border of two grey levels may fall to the other one.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from ferbench.training.pixels import to_bytes


def warp(
    x: torch.Tensor, matrices: np.ndarray, interpolation: Literal["nearest", "bilinear"], fill: float
) -> torch.Tensor:
    """Warp pictures uint8 [n, c, h, w] by ``matrices`` (float [n, 2, 3], see :func:`inverse_matrices`).

    What enters a picture is ``fill`` (0 to 255). Returns uint8 of the same shape.
    """
    grid = _grid(matrices, x.shape[2], x.shape[3], x.device)
    source = x.float()
    if interpolation == "nearest":
        # Outside lies 0, so the fill is taken off before and added after.
        source = source.sub_(fill) if fill else source
        result = functional.grid_sample(source, grid.permute(0, 2, 3, 1), mode="nearest", align_corners=False)
        return to_bytes(result.add_(fill) if fill else result)
    result = functional.grid_sample(source, grid.permute(0, 2, 3, 1), mode="bilinear", align_corners=False)
    inside = _share_inside(grid, x.shape[2], x.shape[3])
    # At the border torchvision weights what is already mixed with black once more; so do we.
    return to_bytes(result.sub_(fill).mul_(inside).add_(fill) if fill else result.mul_(inside))


def inverse_matrices(angle: np.ndarray, right: np.ndarray, down: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Matrices float64 [n, 2, 3] that lead from a pixel of the result to its place in the source.

    Both are counted from the middle of the picture. ``angle``: degrees, clockwise; ``right``, ``down``: pixels.
    """
    turn = np.deg2rad(angle)
    c, s = np.cos(turn) / scale, np.sin(turn) / scale
    rows = (c, s, -(c * right + s * down), -s, c, s * right - c * down)
    return np.stack(rows, axis=1).reshape(-1, 2, 3)


def _grid(matrices: np.ndarray, height: int, width: int, device: torch.device) -> torch.Tensor:
    """Source places of all pixels, float32 [n, 2 (x, y), h, w], 1 being the border of the picture."""
    half = np.array([[width / 2], [height / 2]])
    m = torch.from_numpy((matrices / half).astype(np.float32)).to(device, non_blocking=True).unsqueeze(2)
    x = torch.arange(width, device=device) - (width - 1) / 2
    y = torch.arange(height, device=device) - (height - 1) / 2
    by_row, by_column = m[..., 1] * y + m[..., 2], m[..., 0] * x
    return by_row.unsqueeze(3) + by_column.unsqueeze(2)


def _share_inside(grid: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Share of each sampled place that lies on the picture, float32 [n, 1, h, w]; ``grid`` is used up."""
    across = _share(grid[:, :1].abs_(), width)
    return across.mul_(_share(grid[:, 1:].abs_(), height))


def _share(distance: torch.Tensor, side: int) -> torch.Tensor:
    return distance.mul_(-side / 2).add_((side + 1) / 2).clamp_(0, 1)
