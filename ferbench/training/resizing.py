"""A rectangle of each picture resized to one size, each picture with its own: torchvision's ``resized_crop``.

Resizing is linear along each axis, so a whole batch is two products with a matrix for each picture. The CPU's kernel
for bytes rounds weights to 15 bits and the result of each axis to a byte; both are done here, on every device.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

from ferbench.nouns.geometry import ResizedCrop

TRIES = 10
"""How often torchvision draws a rectangle that does not fit before it takes the middle."""

WEIGHT_LIMIT = 2**15 - 0.5
MOST_BITS = 22


def draw_boxes(op: ResizedCrop, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw ``top``, ``left``, ``height``, ``width`` (each int64 [n]) as torchvision's ``RandomResizedCrop`` does.

    The share of the area is uniform, the ratio of width to height log-uniform. The first of ten tries that fits is
    taken, at a uniform place; without one, the largest middle part that has an allowed ratio.
    """
    area = height * width * rng.uniform(*op.scale, (n, TRIES))
    low, high = np.log(op.ratio)
    ratio = np.exp(rng.uniform(low, high, (n, TRIES)))
    wide, tall = (np.rint(np.sqrt(side)).astype(np.int64) for side in (area * ratio, area / ratio))
    fits = (wide > 0) & (wide <= width) & (tall > 0) & (tall <= height)
    first, found = fits.argmax(axis=1), fits.any(axis=1)
    middle_tall, middle_wide = _middle(op, height, width)
    tall = np.where(found, tall[np.arange(n), first], middle_tall)
    wide = np.where(found, wide[np.arange(n), first], middle_wide)
    top = np.where(found, rng.integers(height - tall + 1), (height - tall) // 2)
    left = np.where(found, rng.integers(width - wide + 1), (width - wide) // 2)
    return {"top": top, "left": left, "height": tall, "width": wide}


def resized_crop(
    x: torch.Tensor, boxes: Mapping[str, np.ndarray], size: int, interpolation: Literal["nearest", "bilinear"]
) -> torch.Tensor:
    """Resize a rectangle of each picture uint8 [n, c, h, w] to bytes [n, c, size, size], antialiased where it shrinks.

    ``boxes``: see :func:`draw_boxes`. The same bytes as torchvision's on a CPU with AVX2, on every device; where a
    rectangle shrinks more than fourfold, float32 does not hold the sums exactly, and a value may differ by one grey
    level.
    """
    if interpolation == "nearest":
        return _nearest(x, boxes, size)
    n, channels, rows, columns = x.shape
    # Autocast would round the weights to 8 bits.
    with torch.autocast(x.device.type, enabled=False):
        across = _matrices(boxes["left"], boxes["width"], size, columns, x.device)
        lines = torch.bmm(x.float().reshape(n, channels * rows, columns), across)
        lines = lines.add_(0.5).floor_().view(n, channels, rows, size)
        down = _matrices(boxes["top"], boxes["height"], size, rows, x.device)
        return torch.matmul(down.transpose(1, 2).unsqueeze(1), lines).add_(0.5).to(torch.uint8)


def _middle(op: ResizedCrop, height: int, width: int) -> tuple[int, int]:
    """Height and width of the largest rectangle whose ratio lies in the range."""
    low, high = min(op.ratio), max(op.ratio)
    if width / height < low:
        return round(width / low), width
    return (height, round(height * high)) if width / height > high else (height, width)


def _matrices(start: np.ndarray, length: np.ndarray, size: int, side: int, device: torch.device) -> torch.Tensor:
    """Weights float32 [n, side, size] by which pixels of a side become those of the result."""
    scale = (length / size)[:, None, None]
    reach = np.maximum(scale, 1.0)
    middle = scale * (np.arange(size) + 0.5)
    low = np.maximum(middle - reach + 0.5, 0).astype(np.int64)
    high = np.minimum((middle + reach + 0.5).astype(np.int64), length[:, None, None])
    taps = low + np.arange((high - low).max())[:, None]
    weights = np.maximum(1 - np.abs((taps - middle + 0.5) * (1 / reach)), 0) * (taps < high)
    weights /= weights.sum(axis=1, keepdims=True)
    bits = np.floor(np.log2(WEIGHT_LIMIT / weights.max(axis=(1, 2), keepdims=True))).clip(max=MOST_BITS)
    weights = np.ldexp(np.floor(np.ldexp(weights, bits.astype(np.int32)) + 0.5), -bits.astype(np.int32))
    places = torch.from_numpy(taps + start[:, None, None]).to(device, non_blocking=True)
    values = torch.from_numpy(weights.astype(np.float32)).to(device, non_blocking=True)
    # Taps without a weight may lie beyond the side.
    room = torch.zeros((len(start), side + taps.shape[1], size), device=device)
    return room.scatter_(1, places, values)[:, :side]


def _nearest(x: torch.Tensor, boxes: Mapping[str, np.ndarray], size: int) -> torch.Tensor:
    n, channels, _, columns = x.shape
    rows = _sources(boxes["top"], boxes["height"], size)
    places = _sources(boxes["left"], boxes["width"], size)
    flat = (rows[:, :, None] * columns + places[:, None, :]).reshape(n, 1, size * size)
    index = torch.from_numpy(flat).to(x.device, non_blocking=True).expand(-1, channels, -1)
    return x.flatten(2).gather(2, index).view(n, channels, size, size)


def _sources(start: np.ndarray, length: np.ndarray, size: int) -> np.ndarray:
    """The pixel of a side that each pixel of the result shows: int64 [n, size]."""
    step = (length / size).astype(np.float32)[:, None]
    inside = np.minimum((np.arange(size, dtype=np.float32) * step).astype(np.int64), length[:, None] - 1)
    sources: np.ndarray = start[:, None] + inside
    return sources
