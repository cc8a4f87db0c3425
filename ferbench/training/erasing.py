"""Rectangles of normalised pictures overwritten, each picture with its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

from ferbench.nouns.geometry import Cutout, RandomErasing

Erasing = RandomErasing | Cutout

TRIES = 10
"""How often torchvision draws a rectangle that does not fit before it gives up."""


def draw(op: Erasing, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw ``top``, ``left``, ``height``, ``width`` of rectangles in pixels, height 0 where nothing is erased.

    ``RandomErasing`` (each [n]): the area's share is uniform, the ratio of the sides log-uniform; for noise, ``noise``
    seeds it. ``Cutout`` (each [n, count]): the middle is uniform over all pixels.
    """
    match op:
        case RandomErasing():
            rectangles = _rectangles(op, n, height, width, rng)
            return rectangles | {"noise": rng.integers(2**63, size=n)} if op.value == "random" else rectangles
        case Cutout():
            shape = (n, op.count)
            erased = np.broadcast_to((rng.random(n) < op.p)[:, None] * op.size, shape)
            top, left = (rng.integers(side, size=shape) - op.size // 2 for side in (height, width))
            return {"top": top, "left": left, "height": erased, "width": erased}


def apply(op: Erasing, x: torch.Tensor, parameters: Mapping[str, np.ndarray]) -> torch.Tensor:
    """Return pictures float32 [n, c, h, w] with their rectangles overwritten; ``x`` stays as it is."""
    return erase(x, parameters, op.value)


def erase(x: torch.Tensor, parameters: Mapping[str, np.ndarray], value: float | Literal["random"]) -> torch.Tensor:
    """Overwrite each sample's rectangles with ``value``, or with noise of a standard normal distribution."""
    inside = _inside(parameters, x.shape[2], x.shape[3])
    if value == "random":
        return _noisy(x, inside, np.random.default_rng(parameters["noise"]))
    if x.device.type != "cpu":
        return x.masked_fill(torch.from_numpy(inside).to(x.device, non_blocking=True).unsqueeze(1), value)
    result = x.clone()
    np.copyto(result.permute(0, 2, 3, 1).numpy(), value, where=inside[..., None])
    return result


def _noisy(x: torch.Tensor, inside: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    result, noise = x.clone(), rng.standard_normal((np.count_nonzero(inside), x.shape[1]), np.float32)
    if x.device.type == "cpu":
        result.permute(0, 2, 3, 1).numpy()[inside] = noise
        return result
    # Places from the host, since a mask would make the device wait for their number.
    places = tuple(torch.from_numpy(axis).to(x.device, non_blocking=True) for axis in np.nonzero(inside))
    result.permute(0, 2, 3, 1).index_put_(places, torch.from_numpy(noise).to(x.device, non_blocking=True))
    return result


def _inside(parameters: Mapping[str, np.ndarray], height: int, width: int) -> np.ndarray:
    """Which pixels lie in a rectangle of their sample: bool [n, h, w]."""
    down = _between(parameters["top"], parameters["height"], height)
    across = _between(parameters["left"], parameters["width"], width)
    inside: np.ndarray = down[..., :, None] & across[..., None, :]
    return inside if inside.ndim == 3 else np.logical_or.reduce(inside, axis=1)


def _between(start: np.ndarray, length: np.ndarray, side: int) -> np.ndarray:
    """Which places of a side of the picture lie in each rectangle: bool [..., side]."""
    places = np.arange(side)
    inside: np.ndarray = (places >= start[..., None]) & (places < (start + length)[..., None])
    return inside


def _rectangles(op: RandomErasing, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw all tries at once and take the first that fits, as torchvision's loop does."""
    area = height * width * rng.uniform(*op.scale, (n, TRIES))
    low, high = np.log(op.ratio)
    ratio = np.exp(rng.uniform(low, high, (n, TRIES)))
    tall, wide = (np.rint(np.sqrt(side)).astype(np.int64) for side in (area * ratio, area / ratio))
    fits = (tall < height) & (wide < width)
    first, sample = fits.argmax(axis=1), np.arange(n)
    chosen = (rng.random(n) < op.p) & fits.any(axis=1)
    tall, wide = np.where(chosen, tall[sample, first], 0), np.where(chosen, wide[sample, first], 0)
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    return {"top": top, "left": left, "height": tall, "width": wide}
