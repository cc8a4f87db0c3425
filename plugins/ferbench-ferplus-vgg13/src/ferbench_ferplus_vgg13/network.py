"""The network of Barsoum et al. 2016, as their code has it (microsoft/FERPlus, ``src/models.py``)."""

from __future__ import annotations

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 16
"""Side in pixels that four halvings reduce to one."""

STAGES = ((64, 2), (128, 2), (256, 3), (256, 3))
"""Channels of each stage, and how many convolutions it has."""

HIDDEN = 1024


class VGG13(nn.Module):
    """Four stages of 3 × 3 convolutions with ReLU, 2 × 2 maximum and dropout, then linear layers 1024-1024-classes.

    8,757,704 parameters for grey pictures of 64 pixels and 8 classes. Raises SettingsError for pictures below 16
    pixels.
    """

    def __init__(self, spec: NetSpec, *, conv_dropout: float = 0.25, dropout: float = 0.5) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"ferplus-vgg13 needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        stages, before = [], spec.channels
        for channels, count in STAGES:
            layers: list[nn.Module] = []
            for _ in range(count):
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
                before = channels
            stages.append(nn.Sequential(*layers, nn.MaxPool2d(2), nn.Dropout(conv_dropout)))
        self.stages = nn.Sequential(*stages)
        features = before * (spec.size // SMALLEST) ** 2
        self.head = nn.Sequential(
            nn.Flatten(),
            *_hidden(features, dropout),
            *_hidden(HIDDEN, dropout),
            nn.Linear(HIDDEN, spec.classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.stages(x))
        return logits


def _hidden(features: int, dropout: float) -> tuple[nn.Module, ...]:
    return nn.Linear(features, HIDDEN), nn.ReLU(inplace=True), nn.Dropout(dropout)
