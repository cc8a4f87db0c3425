"""Mollahosseini, Chan and Mahoor 2016: two convolutions and four inception modules for pictures of faces."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 16
"""Side in pixels that four halvings reduce to one."""


class Widths(NamedTuple):
    """Channels of an inception module's branches (Szegedy et al. 2015, table 1)."""

    one: int
    three_reduced: int
    three: int
    five_reduced: int
    five: int
    pooled: int

    @property
    def total(self) -> int:
        """Channels that leave the module."""
        return self.one + self.three + self.five + self.pooled


FIRST = (Widths(64, 96, 128, 16, 32, 32), Widths(128, 128, 192, 32, 96, 64))
LAST = (Widths(192, 96, 208, 16, 48, 64), Widths(160, 112, 224, 24, 64, 64))
"""GoogLeNet's modules 3a and 3b, before its maximum, and 4a and 4b behind it."""


class Inception(nn.Module):
    """1 × 1, 3 × 3 and 5 × 5 convolutions and a 3 × 3 maximum side by side (Szegedy et al. 2015, figure 2b)."""

    def __init__(self, before: int, widths: Widths, norm: bool = True) -> None:
        super().__init__()
        self.one = _convolution(before, widths.one, 1, norm=norm)
        self.three = nn.Sequential(
            _convolution(before, widths.three_reduced, 1, norm=norm),
            _convolution(widths.three_reduced, widths.three, 3, norm=norm),
        )
        self.five = nn.Sequential(
            _convolution(before, widths.five_reduced, 1, norm=norm),
            _convolution(widths.five_reduced, widths.five, 5, norm=norm),
        )
        self.pooled = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), _convolution(before, widths.pooled, 1, norm=norm)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, before, height, width] to [n, total, height, width]."""
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], dim=1)


class InceptionNet(nn.Module):
    """Two convolutions, each with a maximum, four inception modules, their average, and three linear layers.

    ``hidden``: widths of the first two linear layers. ``norm``: batch normalisation behind every convolution.
    7,798,039 parameters for grey pictures and 7 classes. Raises SettingsError for pictures below 16 pixels.
    """

    def __init__(
        self, spec: NetSpec, *, hidden: tuple[int, int] = (4096, 1024), dropout: float = 0.4, norm: bool = True
    ) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"mollahosseini needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        self.stem = nn.Sequential(
            _convolution(spec.channels, 64, 7, stride=2, norm=norm),
            _halving(),
            _convolution(64, 192, 3, norm=norm),
            _halving(),
        )
        self.first = nn.Sequential(*_modules(192, FIRST, norm), _halving())
        self.last = nn.Sequential(*_modules(FIRST[-1].total, LAST, norm))
        self.head = nn.Sequential(
            nn.Linear(LAST[-1].total, hidden[0]),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden[0], hidden[1]),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden[1], spec.classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        features = self.last(self.first(self.stem(x))).mean(dim=(2, 3))
        logits: torch.Tensor = self.head(features)
        return logits


def _convolution(before: int, after: int, kernel: int, stride: int = 1, *, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=not norm)]
    if norm:
        layers.append(nn.BatchNorm2d(after))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


def _halving() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, padding=1)


def _modules(before: int, each: tuple[Widths, ...], norm: bool) -> list[Inception]:
    modules = []
    for widths in each:
        modules.append(Inception(before, widths, norm))
        before = widths.total
    return modules
