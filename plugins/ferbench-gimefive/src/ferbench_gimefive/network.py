"""GiMeFive (Wang and Kawka 2024): five convolution blocks and three linear layers, as in the authors' code."""

from __future__ import annotations

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 32
"""Side in pixels that five halvings reduce to one."""

CHANNELS = (64, 128, 256, 512, 1024)


class GiMeFive(nn.Module):
    """3 × 3 convolution, batch normalisation, ReLU and maximum, five times; then the average and 2048-1024-classes.

    ``conv_dropout``: behind the maximum of every block but the last. 10,478,086 parameters for 3 channels and 6
    classes. Raises SettingsError for pictures below 32 pixels.
    """

    def __init__(self, spec: NetSpec, *, conv_dropout: float = 0.2, dropout: float = 0.5) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"gimefive needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        stages, before = [], spec.channels
        for after in CHANNELS:
            layers: list[nn.Module] = [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after)]
            layers += [nn.ReLU(inplace=True), nn.MaxPool2d(2)]
            if after != CHANNELS[-1]:
                layers.append(nn.Dropout(conv_dropout))
            stages.append(nn.Sequential(*layers))
            before = after
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Linear(CHANNELS[-1], 2048),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(2048, 1024),
            nn.ReLU(inplace=True),
            nn.Linear(1024, spec.classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.stages(x).mean(dim=(2, 3)))
        return logits
