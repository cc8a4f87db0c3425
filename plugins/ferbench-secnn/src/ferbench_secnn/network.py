"""The networks of the LMU report: four convolution blocks, optionally with squeeze-and-excitation or residuals."""

from __future__ import annotations

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 16
"""Side in pixels that four halvings reduce to one."""


class SqueezeExcitation(nn.Module):
    """Weigh each channel by a number between 0 and 1 that all channel means decide (Hu et al. 2018, section 3).

    ``reduction``: how many times narrower the hidden layer is. The two linear layers have no biases, as the authors'
    parameter counts imply: theirs grow by 512 = 2 · 64² / 16 when the block is added behind 64 channels.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels, bias=False),
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


class Staged(nn.Module):
    """Convolution stages, global average pooling, and three linear layers with dropout behind the first."""

    def __init__(self, stages: list[nn.Sequential], widths: tuple[int, int, int], classes: int, dropout: float) -> None:
        super().__init__()
        features, first, second = widths
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Linear(features, first),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(first, second),
            nn.ReLU(inplace=True),
            nn.Linear(second, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.stages(x).mean(dim=(2, 3)))
        return logits


def build_cnn(spec: NetSpec, *, squeeze: bool = False, dropout: float = 0.5, conv_dropout: float = 0.0) -> Staged:
    """Four blocks of 3 × 3 convolution, batch normalisation, ReLU and 2 × 2 maximum: 64, 128, 256 and 512 channels.

    ``squeeze`` adds squeeze-and-excitation in the first block, before its maximum. 2,606,086 parameters for 6 classes
    and 2,606,599 for 7 (512 more with ``squeeze``). Raises SettingsError for pictures below 16 pixels.
    """
    _check_size(spec)
    stages = []
    for number, (before, after) in enumerate(((spec.channels, 64), (64, 128), (128, 256), (256, 512))):
        gate = [SqueezeExcitation(after)] if squeeze and number == 0 else []
        drop = [nn.Dropout(conv_dropout)] if conv_dropout else []
        stages.append(nn.Sequential(*_convolution(before, after), *gate, nn.MaxPool2d(2), *drop))
    return Staged(stages, (512, 1024, 512), spec.classes, dropout)


def build_residual(spec: NetSpec, *, dropout: float = 0.5) -> Staged:
    """One convolution with squeeze-and-excitation, then four residual blocks that halve the picture: 128 to 1,024.

    23,720,198 parameters for 6 classes. Raises SettingsError for pictures below 16 pixels.
    """
    _check_size(spec)
    stages = [nn.Sequential(*_convolution(spec.channels, 64), SqueezeExcitation(64))]
    for before, after in ((64, 128), (128, 256), (256, 512), (512, 1024)):
        stages.append(nn.Sequential(ResidualBlock(before, after)))
    return Staged(stages, (1024, 2048, 1024), spec.classes, dropout)


def _convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]


def _check_size(spec: NetSpec) -> None:
    if spec.size < SMALLEST:
        message = f"lmu-cnn needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
        raise SettingsError([Problem("recipe.input.size", message)])
