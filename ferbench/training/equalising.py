"""Spreading the histograms of pictures evenly."""

from __future__ import annotations

import torch


def equalize(x: torch.Tensor) -> torch.Tensor:
    """Spread the histogram of each channel of each picture, uint8 [n, c, h, w], as PIL's ``equalize`` does.

    A channel of so few pixels, or values, that PIL's step is 0 stays as it is.
    """
    pixels = x.flatten(2).long()
    counts = torch.zeros((*x.shape[:2], 256), dtype=torch.int32, device=x.device)
    counts.scatter_add_(2, pixels, torch.ones((), dtype=torch.int32, device=x.device).expand(pixels.shape))
    # All but the pixels of the highest value that there is are spread over 255 steps.
    highest = counts.gather(2, x.flatten(2).amax(dim=2, keepdim=True).long())
    step = (pixels.shape[2] - highest).div_(255, rounding_mode="floor")
    below = counts.cumsum(2, dtype=torch.int32).sub_(counts)
    level = below.add_(step // 2).div_(step.clamp(min=1), rounding_mode="floor").clamp_(max=255).to(torch.uint8)
    same = torch.arange(256, dtype=torch.uint8, device=x.device)
    return torch.where(step > 0, level, same).gather(2, pixels).view(x.shape)
