"""The views at test that are written down one by one: turned, moved, enlarged, mirrored."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from ferbench.nouns.views import GridViews
from ferbench.training.warp import inverse_matrices, warp


class GridView(NamedTuple):
    """One view: degrees clockwise, shares of the side to the right and down, share that is shown, mirrored."""

    degrees: float = 0.0
    right: float = 0.0
    down: float = 0.0
    zoom: float = 1.0
    mirrored: bool = False


def grid_views(tta: GridViews) -> list[GridView]:
    """The picture itself, then all other views, none of them twice."""
    views = [GridView()]
    for grid in tta.grids:
        mirrors = (False, True) if grid.mirror else (False,)
        combined = product(grid.degrees, grid.translate, grid.translate, (grid.zoom,), mirrors)
        views += [GridView(*values) for values in combined]
    return list(dict.fromkeys(views))


def grid_weights(tta: GridViews, device: torch.device) -> torch.Tensor:
    """What each view counts, float32 [v], in the order of :func:`grid_views`; together 1."""
    weights = torch.ones(len(grid_views(tta)), device=device)
    weights[0] = tta.plain
    return weights / weights.sum()


def move(x: torch.Tensor, tta: GridViews) -> torch.Tensor:
    """Return the views of pictures uint8 [b, c, h, w]: uint8 [b·v, c, h, w], those of a sample side by side."""
    count, _, height, width = x.shape
    views = grid_views(tta)
    sides = torch.stack((x, x.flip(3)), dim=1)
    chosen = sides[:, [int(view.mirrored) for view in views]].flatten(0, 1)
    degrees, right, down, zoom = np.array([view[:4] for view in views]).T
    none = np.zeros(len(views))
    matrices = inverse_matrices(degrees, none, none, 1 / zoom)
    # Moved before it is turned: the place in the source is turned back first.
    matrices[:, :, 2] = -np.stack((right * width * zoom, down * height * zoom), axis=1)
    return warp(chosen, np.tile(matrices, (count, 1, 1)), "bilinear", 0.0, tta.border)
