"""Augmentation of whole batches, each sample with its own random parameters.

Parameters are drawn by numpy on the host (:func:`draw`), so that every device gets the same; :func:`apply` depends on
the batch and the parameters alone. Every operation equals torchvision's of the same name, sample by sample.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from ferbench.nouns.augmentation import Augmentation
from ferbench.nouns.colour import (
    AutoAugment,
    AutoContrast,
    ColorJitter,
    Equalize,
    GaussianBlur,
    Posterize,
    RandAugment,
    Sharpness,
    Solarize,
)
from ferbench.nouns.geometry import Affine, HorizontalFlip, PadCrop, RandomCrop, RandomErasing
from ferbench.training import colouring, policies
from ferbench.training.pixels import check_fits, crop, flip
from ferbench.training.warp import inverse_matrices, warp

Parameters = Mapping[str, np.ndarray]

ERASING_TRIES = 10
"""How often torchvision draws a rectangle that does not fit before it gives up."""


def draw(op: Augmentation, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the parameters of ``n`` samples of ``height`` × ``width`` pixels, each array [n].

    ``PadCrop``, ``RandomCrop``: ``top``, ``left`` (uniform over all places). ``HorizontalFlip``: ``flip`` (bool).
    ``Affine``: ``apply`` (bool), ``angle`` (degrees, clockwise), ``right`` and ``down`` (whole pixels, as torchvision
    draws them), ``scale``, all uniform. ``RandomErasing``: ``top``, ``left``, ``height``, ``width`` in pixels, height 0
    where nothing is erased; the area's share is uniform, the ratio of the sides log-uniform.
    Raises TrainingError when a crop is larger than the picture.
    """
    match op:
        case PadCrop():
            places = 2 * op.padding + 1
            return {"top": rng.integers(places, size=n), "left": rng.integers(places, size=n)}
        case RandomCrop():
            check_fits(op.size, height, width)
            top = rng.integers(height - op.size + 1, size=n)
            return {"top": top, "left": rng.integers(width - op.size + 1, size=n)}
        case HorizontalFlip():
            return {"flip": rng.random(n) < op.p}
        case Affine():
            return _draw_affine(op, n, height, width, rng)
        case RandomErasing():
            return _draw_rectangles(op, n, height, width, rng)
        case ColorJitter() | Solarize() | Posterize() | Equalize() | AutoContrast() | Sharpness() | GaussianBlur():
            return colouring.draw(op, n, height, width, rng)
        case RandAugment() | AutoAugment():
            return policies.draw(op, n, height, width, rng)


def apply(op: Augmentation, x: torch.Tensor, parameters: Parameters) -> torch.Tensor:
    """Return the batch as ``op`` changes it; ``x`` itself stays as it is.

    ``x``: uint8 [n, c, h, w]; for ``RandomErasing`` float32, normalised.
    """
    match op:
        case PadCrop():
            padded = functional.pad(x, (op.padding,) * 4)
            return crop(padded, parameters["top"], parameters["left"], (x.shape[2], x.shape[3]))
        case RandomCrop():
            return crop(x, parameters["top"], parameters["left"], (op.size, op.size))
        case HorizontalFlip():
            return flip(x, parameters["flip"])
        case Affine():
            return _affine(op, x, parameters)
        case RandomErasing():
            return erase(x, parameters, op.value)
        case ColorJitter() | Solarize() | Posterize() | Equalize() | AutoContrast() | Sharpness() | GaussianBlur():
            return colouring.apply(op, x, parameters)
        case RandAugment() | AutoAugment():
            return policies.apply(op, x, parameters)


def erase(x: torch.Tensor, parameters: Parameters, value: float) -> torch.Tensor:
    """Overwrite each sample's rectangle with ``value``."""
    inside = (
        _inside(parameters["top"], parameters["height"], x.shape[2])[:, :, None, None]
        & (_inside(parameters["left"], parameters["width"], x.shape[3])[:, None, :, None])
    )
    if x.device.type != "cpu":
        return x.masked_fill(torch.from_numpy(inside).to(x.device).permute(0, 3, 1, 2), value)
    result = x.clone()
    np.copyto(result.permute(0, 2, 3, 1).numpy(), value, where=inside)
    return result


def _inside(start: np.ndarray, length: np.ndarray, side: int) -> np.ndarray:
    """Which places of a side of the picture lie in the rectangle: bool [n, side]."""
    places = np.arange(side)
    inside: np.ndarray = (places >= start[:, None]) & (places < (start + length)[:, None])
    return inside


def _draw_affine(op: Affine, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    across, along = op.translate * width, op.translate * height
    return {
        "apply": rng.random(n) < op.p,
        "angle": rng.uniform(-op.degrees, op.degrees, n),
        "right": np.rint(rng.uniform(-across, across, n)),
        "down": np.rint(rng.uniform(-along, along, n)),
        "scale": rng.uniform(*op.scale, n),
    }


def _affine(op: Affine, x: torch.Tensor, parameters: Parameters) -> torch.Tensor:
    chosen = np.flatnonzero(parameters["apply"])
    if len(chosen) == 0:
        return x
    matrices = inverse_matrices(*(parameters[name][chosen] for name in ("angle", "right", "down", "scale")))
    if len(chosen) == len(x):
        return warp(x, matrices, op.interpolation, op.fill)
    places = torch.from_numpy(chosen).to(x.device)
    return x.index_copy(0, places, warp(x.index_select(0, places), matrices, op.interpolation, op.fill))


def _draw_rectangles(
    op: RandomErasing, n: int, height: int, width: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw all tries at once and take the first that fits, as torchvision's loop does."""
    area = height * width * rng.uniform(*op.scale, (n, ERASING_TRIES))
    low, high = np.log(op.ratio)
    ratio = np.exp(rng.uniform(low, high, (n, ERASING_TRIES)))
    tall, wide = (np.rint(np.sqrt(side)).astype(np.int64) for side in (area * ratio, area / ratio))
    fits = (tall < height) & (wide < width)
    first, sample = fits.argmax(axis=1), np.arange(n)
    chosen = (rng.random(n) < op.p) & fits.any(axis=1)
    tall, wide = np.where(chosen, tall[sample, first], 0), np.where(chosen, wide[sample, first], 0)
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    return {"top": top, "left": left, "height": tall, "width": wide}
