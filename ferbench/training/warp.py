"""Affine and perspective warps of a whole batch, each picture with its own.

The same as torchvision's ``affine`` and ``perspective``, picture by picture, their rounding included: coordinates are
computed in float32, so that a bilinear pixel which comes to lie on the border of two grey levels may fall to the other
one.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from ferbench.nouns.geometry import Border
from ferbench.training.pixels import to_bytes

PADDING = {"edge": "border", "reflect": "reflection", "symmetric": "reflection"}
"""``grid_sample``'s names. It mirrors at the middle of the border pixel where corners align, else at its outer edge."""


def warp(
    x: torch.Tensor,
    matrices: np.ndarray,
    interpolation: Literal["nearest", "bilinear"],
    fill: float,
    border: Border = "constant",
) -> torch.Tensor:
    """Warp pictures uint8 [n, c, h, w] by ``matrices``, float [n, 2, 3] (affine) or [n, 3, 3] (perspective).

    They lead from a pixel of the result to its place in the source, both counted from the middle of the picture. What
    enters a picture is ``fill`` (0 to 255), or its border pixel, or its mirror image without (``reflect``) or with
    (``symmetric``) the border pixel: scipy.ndimage's ``nearest``, ``mirror`` and ``reflect``. Returns uint8 of the same
    shape.
    """
    align = border == "reflect"
    grid = _grid(matrices, x.shape[2], x.shape[3], x.device, align)
    source, places = x.float(), grid.permute(0, 2, 3, 1)
    if border != "constant":
        return to_bytes(functional.grid_sample(source, places, interpolation, PADDING[border], align_corners=align))
    if interpolation == "nearest":
        # Outside lies 0, so the fill is taken off before and added after.
        source = source.sub_(fill) if fill else source
        result = functional.grid_sample(source, places, mode="nearest", align_corners=False)
        return to_bytes(result.add_(fill) if fill else result)
    result = functional.grid_sample(source, places, mode="bilinear", align_corners=False)
    inside = _share_inside(grid, x.shape[2], x.shape[3])
    # At the border torchvision weights what is already mixed with black once more; so do we.
    return to_bytes(result.sub_(fill).mul_(inside).add_(fill) if fill else result.mul_(inside))


def inverse_matrices(
    angle: np.ndarray,
    right: np.ndarray,
    down: np.ndarray,
    scale: np.ndarray,
    zoom: np.ndarray | None = None,
    shear: np.ndarray | None = None,
) -> np.ndarray:
    """Matrices float64 [n, 2, 3] that lead from a pixel of the result to its place in the source.

    Both are counted from the middle of the picture, which is first sheared along x and y (``shear``: degrees [n, 2]),
    scaled, turned (``angle``: degrees, clockwise), then shown over ``zoom`` ([n, 2]) times its width and height, and
    moved (``right``, ``down``: pixels).
    """
    turn = np.deg2rad(angle)
    along, tilt = (np.tan(np.deg2rad(shear[:, 0])), np.deg2rad(shear[:, 1])) if shear is not None else (0.0, 0.0)
    a, c = np.cos(turn - tilt) / np.cos(tilt), np.sin(turn - tilt) / np.cos(tilt)
    b, d = a * along + np.sin(turn), np.cos(turn) - c * along
    wide, tall = zoom.T if zoom is not None else (1.0, 1.0)
    xx, xy, yx, yy = d / scale * wide, b / scale * tall, -c / scale * wide, a / scale * tall
    rows = (xx, xy, -(xx * right + xy * down), yx, yy, -(yx * right + yy * down))
    return np.stack(rows, axis=1).reshape(-1, 2, 3)


def perspective_matrices(corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Matrices float64 [n, 3, 3] for :func:`warp` that move the corners of the picture to ``corners``.

    ``corners``: [n, 4, 2], pixels from the top left as x and y: top left, top right, bottom right, bottom left. The map
    of the unit square is Heckbert's (1989, section 2.2.3) times its denominator, and inverted by cross products, so
    that nothing is divided where corners lie on one line.
    """
    p0, p1, p2, p3 = np.moveaxis(corners.astype(np.float64), 1, 0)
    over, below, excess = p1 - p2, p3 - p2, p0 - p1 + p2 - p3
    bottom = np.stack((_area(excess, below), _area(over, excess), _area(over, below)), axis=1)
    g, h, one = bottom.T[..., None]
    columns = [one * (p1 - p0) + g * p1, one * (p3 - p0) + h * p3, one * p0]
    u, v, w = (np.column_stack((column, bottom[:, i])) for i, column in enumerate(columns))
    inverse = np.stack((np.cross(v, w), np.cross(w, u), np.cross(u, v)), axis=1)
    from_middle, to_middle = np.eye(3), np.eye(3)
    from_middle[:2, 2], to_middle[:2, 2] = (width / 2, height / 2), (-width / 2, -height / 2)
    matrices: np.ndarray = to_middle @ np.diag((width - 1.0, height - 1.0, 1.0)) @ inverse @ from_middle
    return matrices


def _area(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The signed area between two vectors of each sample: [n]."""
    area: np.ndarray = one[:, 0] * other[:, 1] - other[:, 0] * one[:, 1]
    return area


def _grid(matrices: np.ndarray, height: int, width: int, device: torch.device, align: bool) -> torch.Tensor:
    """Source places of all pixels, float32 [n, 2 (x, y), h, w]; 1 is the border, or with ``align`` the last pixel."""
    sides = (max(width - 1, 1), max(height - 1, 1)) if align else (width, height)
    half = np.array([*sides, 2])[: matrices.shape[1], None] / 2
    m = torch.from_numpy((matrices / half).astype(np.float32)).to(device, non_blocking=True).unsqueeze(2)
    x = torch.arange(width, device=device) - (width - 1) / 2
    y = torch.arange(height, device=device) - (height - 1) / 2
    by_row, by_column = m[..., 1] * y + m[..., 2], m[..., 0] * x
    grid = by_row.unsqueeze(3) + by_column.unsqueeze(2)
    if grid.shape[1] == 2:
        return grid
    # Corners on one line leave places that are nowhere: outside.
    return (grid[:, :2] / grid[:, 2:]).nan_to_num_(nan=4.0, posinf=4.0, neginf=-4.0)


def _share_inside(grid: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Share of each sampled place that lies on the picture, float32 [n, 1, h, w]; ``grid`` is used up."""
    across = _share(grid[:, :1].abs_(), width)
    return across.mul_(_share(grid[:, 1:].abs_(), height))


def _share(distance: torch.Tensor, side: int) -> torch.Tensor:
    return distance.mul_(-side / 2).add_((side + 1) / 2).clamp_(0, 1)
