"""The VGGNet of Khaireddin and Chen 2021, as their code has it (usef-kh/fer, ``models/vgg.py``)."""

from __future__ import annotations

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 16
"""Side in pixels that four halvings reduce to one."""


class KhaireddinVGG(nn.Module):
    """Four stages of two 3 × 3 convolutions and a 2 × 2 maximum, then linear layers hidden-hidden-classes.

    Stages have ``width``, 2, 4 and 8 times ``width`` channels. ``dropout``: behind the two hidden linear layers.
    29,890,759 parameters for grey pictures of 40 pixels and 7 classes. Raises SettingsError for pictures below 16
    pixels.
    """

    def __init__(self, spec: NetSpec, *, width: int = 64, hidden: int = 4096, dropout: float = 0.2) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"khaireddin-vgg needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        stages, before = [], spec.channels
        for channels in (width, 2 * width, 4 * width, 8 * width):
            stages.append(
                nn.Sequential(*_convolution(before, channels), *_convolution(channels, channels), nn.MaxPool2d(2))
            )
            before = channels
        self.stages = nn.Sequential(*stages)
        features = before * (spec.size // SMALLEST) ** 2
        self.head = nn.Sequential(
            nn.Flatten(),
            *_hidden(features, hidden, dropout),
            *_hidden(hidden, hidden, dropout),
            nn.Linear(hidden, spec.classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.stages(x))
        return logits


def _convolution(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True)


def _hidden(features: int, hidden: int, dropout: float) -> tuple[nn.Module, ...]:
    return nn.Linear(features, hidden), nn.Dropout(dropout), nn.ReLU(inplace=True)
