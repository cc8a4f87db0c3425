"""Changes of the values of pixels, uint8 [n, c, h, w] (c 1 or 3), each picture with its own strength (float [n]).

Each is torchvision's function of the same name, its rounding included: values are cut, not rounded, to whole numbers.
Where two products are added, the last bit of a sum may differ, and with it a pixel by one grey level.
"""

from __future__ import annotations

import numpy as np
import torch

from ferbench.training.choosing import per_picture
from ferbench.training.pixels import to_grey

HUE_SCALE = 255.999 / 255
"""torchvision turns floats of [0, 1] into bytes by 255.999, so that all levels get an equal share of them."""


def brightness(x: torch.Tensor, factor: np.ndarray) -> torch.Tensor:
    """Multiply by ``factor``."""
    return cut(x * per_picture(factor, x))


def contrast(x: torch.Tensor, factor: np.ndarray) -> torch.Tensor:
    """Blend with the mean of the picture's grey values: 0 is that grey, 1 the picture."""
    return _blend(x, to_grey(x).float().mean(dim=(1, 2, 3), keepdim=True), factor)


def saturation(x: torch.Tensor, factor: np.ndarray) -> torch.Tensor:
    """Blend with the grey picture: 0 is grey, 1 the picture. Grey pictures stay as they are."""
    return x if x.shape[1] == 1 else _blend(x, to_grey(x).float(), factor)


def hue(x: torch.Tensor, turn: np.ndarray) -> torch.Tensor:
    """Turn the hue by a share of the circle (−0.5 to 0.5). Grey pictures stay as they are.

    Value and chroma stay, so that each channel follows from the hue alone: the circle has six parts, in which one
    channel is at its top, one at its bottom and one between.
    """
    if x.shape[1] == 1:
        return x
    red, green, blue = x.float().unbind(1)
    top = torch.maximum(torch.maximum(red, green), blue)
    chroma = top - torch.minimum(torch.minimum(red, green), blue)
    share = chroma.clamp(min=1)  # grey pixels have no hue, and need none
    sixths = torch.where(
        top == red,
        (green - blue) / share,
        torch.where(top == green, (blue - red) / share + 2, (red - green) / share + 4),
    )
    sixths += 6 * per_picture(turn, x)[:, 0]
    changed = torch.empty(x.shape, device=x.device)
    for channel, start in enumerate((5, 3, 1)):
        along = (sixths + start).remainder_(6)
        torch.addcmul(top, chroma, torch.minimum(along, 4 - along).clamp_(0, 1), value=-1, out=changed[:, channel])
    return cut(changed.mul_(HUE_SCALE))


def solarize(x: torch.Tensor, threshold: np.ndarray) -> torch.Tensor:
    """Invert the pixels that are at least ``threshold`` (0 to 255)."""
    lowest = per_picture(np.ceil(threshold.astype(np.float32)), x, torch.uint8)
    # One byte of a truth is 0 or 1, its negative 0 or 255, and what 255 is combined with is inverted.
    return x ^ (x >= lowest).view(torch.uint8).neg_()


def posterize(x: torch.Tensor, bits: np.ndarray) -> torch.Tensor:
    """Keep the highest ``bits`` (0 to 8) of each pixel."""
    return x & per_picture(256 - 2.0 ** (8 - bits), x, torch.uint8)


def auto_contrast(x: torch.Tensor) -> torch.Tensor:
    """Stretch each channel of each picture to 0 … 255; what has one value alone stays as it is."""
    low = x.amin(dim=(2, 3), keepdim=True).float()
    scale = x.amax(dim=(2, 3), keepdim=True).float().sub_(low).mul_(1 / 255)
    low, scale = torch.where(scale > 0, low, 0), torch.where(scale > 0, scale, 1)
    return cut(x.float().sub_(low).div_(scale))


def invert(x: torch.Tensor) -> torch.Tensor:
    """Make light dark and dark light."""
    return x.bitwise_not()


def cut(x: torch.Tensor) -> torch.Tensor:
    """Limit float pixels to 0 … 255 and drop what is behind the point: uint8. ``x`` is used up."""
    x.clamp_(0, 255)
    return torch.from_numpy(x.numpy().astype(np.uint8)) if x.device.type == "cpu" else x.to(torch.uint8)


def _blend(x: torch.Tensor, other: torch.Tensor, factor: np.ndarray) -> torch.Tensor:
    return cut((x * per_picture(factor, x)).addcmul_(other, per_picture(1 - factor, x)))
