"""The VGG and the residual network of Pramerdorfer and Kampel 2016, section IV."""

from __future__ import annotations

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 16
"""Side in pixels that four halvings reduce to one."""


class VGG(nn.Module):
    """CCP-CCP-CCP-CCP-FF: eight 3 × 3 convolutions with four 2 × 2 maxima, then linear layers hidden-classes.

    Stages have ``width``, 2, 4 and 8 times ``width`` channels. Each convolution and the hidden layer are normalised by
    batch. ``conv_dropout``: behind each maximum. ``dropout``: behind the hidden layer. 1,764,775 parameters for grey
    pictures of 48 pixels and 7 classes. Raises SettingsError for pictures below 16 pixels.
    """

    def __init__(
        self, spec: NetSpec, *, width: int = 32, hidden: int = 256, conv_dropout: float = 0.2, dropout: float = 0.5
    ) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"pramerdorfer-vgg needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        stages, before = [], spec.channels
        for channels in (width, 2 * width, 4 * width, 8 * width):
            stages.append(
                nn.Sequential(
                    *convolution(before, channels, 3),
                    *convolution(channels, channels, 3),
                    nn.MaxPool2d(2),
                    nn.Dropout(conv_dropout),
                )
            )
            before = channels
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(before * (spec.size // SMALLEST) ** 2, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, spec.classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.stages(x))
        return logits


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut (He et al. 2016, figure 2); 1 × 1 where the shape changes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *convolution(before, after, 3, stride),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, before, height, width] to [n, after, height / stride, width / stride]."""
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Stages of 3, 4, 6 and 3 residual blocks, average pooling and one linear layer: the blocks of ResNet34.

    Stages have ``width``, 2, 4 and 8 times ``width`` channels; from the second on, the first block halves the picture.
    There is no layer before the blocks. 5,315,975 parameters for grey pictures and 7 classes.
    """

    def __init__(self, spec: NetSpec, *, width: int = 32, blocks: tuple[int, int, int, int] = (3, 4, 6, 3)) -> None:
        super().__init__()
        stages, before = [], spec.channels
        for number, count in enumerate(blocks):
            channels, layers = width * 2**number, []
            for block in range(count):
                layers.append(ResidualBlock(before, channels, 2 if number and block == 0 else 1))
                before = channels
            stages.append(nn.Sequential(*layers))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(before, spec.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.stages(x).mean(dim=(2, 3)))
        return logits


def convolution(before: int, after: int, size: int, stride: int = 1) -> tuple[nn.Module, ...]:
    """A convolution that keeps the size (or halves it), batch normalisation and ReLU."""
    return (
        nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
