"""Crops, flips and warps of whole batches of raw pictures, each picture with its own random parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ferbench.nouns.geometry import (
    Affine,
    HorizontalFlip,
    MultiCrop,
    PadCrop,
    Perspective,
    RandomCrop,
    ResizedCrop,
    VerticalFlip,
)
from ferbench.training.pixels import check_fits, check_pads, crop, five_places, flip, pad
from ferbench.training.resizing import draw_boxes, resized_crop
from ferbench.training.warp import inverse_matrices, perspective_matrices, warp

Geometric = PadCrop | RandomCrop | ResizedCrop | MultiCrop | HorizontalFlip | VerticalFlip | Affine | Perspective
Parameters = Mapping[str, np.ndarray]


def draw(op: Geometric, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the parameters of ``n`` samples of ``height`` × ``width`` pixels, each array [n] unless said.

    ``PadCrop``, ``RandomCrop``: ``top``, ``left`` (uniform over all places). ``ResizedCrop``: ``top``, ``left``,
    ``height``, ``width``. ``MultiCrop``: nothing. Flips: ``flip`` (bool). ``Affine``: ``apply`` (bool) and the
    arguments of :func:`inverse_matrices`, all uniform; ``zoom`` and ``shear`` only where they are set.
    ``Perspective``: ``apply`` and ``corners`` (int [n, 4, 2]), to which top left, top right, bottom right and bottom
    left move, as x and y. Raises TrainingError when an operation does not fit the picture.
    """
    match op:
        case PadCrop():
            check_pads(op.padding, op.border, height, width)
            places = 2 * op.padding + 1
            return {"top": rng.integers(places, size=n), "left": rng.integers(places, size=n)}
        case RandomCrop():
            check_fits(op.size, height, width)
            top = rng.integers(height - op.size + 1, size=n)
            return {"top": top, "left": rng.integers(width - op.size + 1, size=n)}
        case ResizedCrop():
            return draw_boxes(op, n, height, width, rng)
        case MultiCrop():
            check_fits(op.size, height, width)
            return {}
        case HorizontalFlip() | VerticalFlip():
            return {"flip": rng.random(n) < op.p}
        case Affine():
            return _draw_affine(op, n, height, width, rng)
        case Perspective():
            return _draw_perspective(op, n, height, width, rng)


def apply(op: Geometric, x: torch.Tensor, parameters: Parameters) -> torch.Tensor:
    """Return pictures uint8 [n, c, h, w] as ``op`` changes them; ``x`` itself stays as it is.

    ``MultiCrop`` returns [n · count, c, size, size], the crops of a picture side by side.
    """
    match op:
        case PadCrop():
            padded = pad(x, op.padding, op.border, op.fill)
            return crop(padded, parameters["top"], parameters["left"], (x.shape[2], x.shape[3]))
        case RandomCrop():
            return crop(x, parameters["top"], parameters["left"], (op.size, op.size))
        case ResizedCrop():
            return resized_crop(x, parameters, op.size, op.interpolation)
        case MultiCrop():
            return _multi_crop(op, x)
        case HorizontalFlip():
            return flip(x, parameters["flip"])
        case VerticalFlip():
            return flip(x, parameters["flip"], upside_down=True)
        case Affine() | Perspective():
            return _warped(op, x, parameters)


def _multi_crop(op: MultiCrop, x: torch.Tensor) -> torch.Tensor:
    """The order of crops is that of torchvision's ``five_crop`` and ``ten_crop``."""
    n, channels, height, width = x.shape
    # Laid out pixel by pixel, as the network will want it.
    crops = x.new_empty((n, op.count, op.size, op.size, channels)).permute(0, 1, 4, 2, 3)
    for first in range(0, op.count, 5):
        picture = x.flip(3) if first else x
        for place, (top, left) in enumerate(five_places(height, width, op.size)):
            crops[:, first + place] = picture[:, :, top : top + op.size, left : left + op.size]
    return crops.flatten(0, 1)


def _draw_affine(op: Affine, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    across, along = op.translate * width, op.translate * height
    drawn = {
        "apply": rng.random(n) < op.p,
        "angle": rng.uniform(-op.degrees, op.degrees, n),
        "right": rng.uniform(-across, across, n),
        "down": rng.uniform(-along, along, n),
        "scale": rng.uniform(*op.scale, n),
    }
    if op.whole_pixels:
        drawn |= {name: np.rint(drawn[name]) for name in ("right", "down")}
    if op.zoom != (1.0, 1.0):
        drawn["zoom"] = rng.uniform(*op.zoom, (n, 2))
    if any(op.shear):
        drawn["shear"] = rng.uniform(-1, 1, (n, 2)) * op.shear
    return drawn


def _draw_perspective(
    op: Perspective, n: int, height: int, width: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    chosen = rng.random(n) < op.p
    inwards = [rng.integers(int(op.distortion * (side // 2)) + 1, size=(n, 4)) for side in (width, height)]
    x, y = inwards[0], inwards[1]
    x[:, 1:3], y[:, 2:] = width - 1 - x[:, 1:3], height - 1 - y[:, 2:]
    return {"apply": chosen, "corners": np.stack((x, y), axis=2)}


def _warped(op: Affine | Perspective, x: torch.Tensor, parameters: Parameters) -> torch.Tensor:
    chosen = np.flatnonzero(parameters["apply"])
    if len(chosen) == 0:
        return x
    picked = {name: values[chosen] for name, values in parameters.items() if name != "apply"}
    if isinstance(op, Affine):
        matrices, border = inverse_matrices(**picked), op.border
    else:
        matrices, border = perspective_matrices(picked["corners"], x.shape[2], x.shape[3]), "constant"
    if len(chosen) == len(x):
        return warp(x, matrices, op.interpolation, op.fill, border)
    places = torch.from_numpy(chosen).to(x.device)
    return x.index_copy(0, places, warp(x.index_select(0, places), matrices, op.interpolation, op.fill, border))
