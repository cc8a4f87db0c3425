"""ResEmoteNet, as the authors' code has it (ArnabKumarRoy02/ResEmoteNet, ``approach/ResEmoteNet.py``)."""

from __future__ import annotations

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 8
"""Side in pixels that three halvings reduce to one."""

REDUCTION = 16


class SqueezeExcitation(nn.Module):
    """Weigh each channel by a number between 0 and 1 that all channel means decide (Hu et al. 2018, section 3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // REDUCTION)
        self.gate = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale float [n, channels, height, width]; the shape stays."""
        gates: torch.Tensor = self.gate(x.mean(dim=(2, 3)))
        return x * gates[:, :, None, None]


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions beside a 1 × 1 shortcut; the first and the shortcut halve the picture."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=2, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1),
            nn.BatchNorm2d(after),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride=2), nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, before, height, width] to [n, after, height / 2, width / 2]."""
        return torch.relu(self.body(x) + self.shortcut(x))


class ResEmoteNet(nn.Module):
    """Three convolutions, squeeze-and-excitation, three residual blocks, average pooling and four linear layers.

    Channels are 1, 2 and 4 times ``width``, then 8, 16 and 32 times; linear layers 16, 8 and 4 times ``width``, then
    the classes. ``conv_dropout``: behind the first two maxima. ``dropout``: behind the three hidden linear layers.
    80,238,599 parameters for pictures of 3 channels and 7 classes. Raises SettingsError for pictures below 8 pixels.
    """

    def __init__(self, spec: NetSpec, *, width: int = 64, conv_dropout: float = 0.2, dropout: float = 0.5) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"resemotenet needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        self.stages = nn.Sequential(
            nn.Sequential(*_convolution(spec.channels, width), nn.Dropout(conv_dropout)),
            nn.Sequential(*_convolution(width, 2 * width), nn.Dropout(conv_dropout)),
            nn.Sequential(*_convolution(2 * width, 4 * width), SqueezeExcitation(4 * width)),
            ResidualBlock(4 * width, 8 * width),
            ResidualBlock(8 * width, 16 * width),
            ResidualBlock(16 * width, 32 * width),
        )
        self.head = nn.Sequential(
            *_hidden(32 * width, 16 * width, dropout),
            *_hidden(16 * width, 8 * width, dropout),
            *_hidden(8 * width, 4 * width, dropout),
            nn.Linear(4 * width, spec.classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.stages(x).mean(dim=(2, 3)))
        return logits


def _convolution(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True), nn.MaxPool2d(2)


def _hidden(before: int, after: int, dropout: float) -> tuple[nn.Module, ...]:
    return nn.Linear(before, after), nn.ReLU(inplace=True), nn.Dropout(dropout)
