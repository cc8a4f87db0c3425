"""Saravanan, Perichetla and Gayathri 2019: six convolutions, two maxima, two linear layers."""

from __future__ import annotations

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 4
"""Side in pixels that two halvings reduce to one."""


class TenLayers(nn.Module):
    """Twice three 3 × 3 convolutions and a maximum, then two linear layers: ten layers with the maxima.

    ``width``: channels of the first three convolutions; the others have twice as many. 9,884,807 parameters for grey
    pictures of 48 pixels and 7 classes. Raises SettingsError for pictures below 4 pixels.
    """

    def __init__(
        self,
        spec: NetSpec,
        *,
        width: int = 64,
        hidden: int = 512,
        conv_dropout: float = 0.25,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"saravanan needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        self.stages = nn.Sequential(_stage(spec.channels, width, conv_dropout), _stage(width, 2 * width, conv_dropout))
        features = 2 * width * (spec.size // SMALLEST) ** 2
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(features, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, spec.classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.stages(x))
        return logits


def _stage(before: int, after: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(3):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
        before = after
    return nn.Sequential(*layers, nn.MaxPool2d(2), nn.Dropout(dropout))
