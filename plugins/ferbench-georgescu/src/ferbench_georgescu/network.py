"""VGG-f and VGG-face, the members that work on pictures of 224 pixels."""

from __future__ import annotations

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST_F, SMALLEST_FACE = 63, 32

FACE_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels of each stage of VGG-face, and how many convolutions it has."""

FACE_MEAN = (129.1863, 104.7624, 93.5940)
"""Red, green and blue, which the published weights expect to be taken off pictures in 0 to 255."""


class VGGF(nn.Module):
    """CNN-F of Chatfield et al. 2014, table 1: five convolutions, two normalised, and three linear layers.

    56,766,215 parameters at 3 channels, 224 pixels, 7 classes; behind the convolutions 256 × 6 × 6. Raises
    SettingsError for pictures below 63 pixels.
    """

    def __init__(self, spec: NetSpec, *, hidden: int = 4096, dropout: float = 0.5) -> None:
        super().__init__()
        _check_size("vgg-f", spec, SMALLEST_F)
        self.features = nn.Sequential(
            nn.Conv2d(spec.channels, 64, 11, stride=4),
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            nn.Conv2d(64, 256, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
            nn.MaxPool2d(3, stride=2),
            *(layer for _ in range(3) for layer in (nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True))),
            nn.MaxPool2d(3, stride=2),
        )
        side = -(-((spec.size - 11) // 4 - 2) // 2) + 1
        for _ in range(2):
            side = (side - 3) // 2 + 1
        self.head = nn.Sequential(
            nn.Flatten(),
            *_hidden(256 * side**2, hidden, dropout),
            *_hidden(hidden, hidden, dropout),
            nn.Linear(hidden, spec.classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.features(x))
        return logits


class VGGFace(nn.Module):
    """VGG-16 of Parkhi et al. 2015 in the names of its published weights; float [n, channels, size, size] in 0 to 1.

    134,289,223 parameters at 3 channels, 224 pixels, 7 classes. Raises SettingsError for pictures below 32 pixels.
    """

    mean: torch.Tensor

    def __init__(self, spec: NetSpec, *, width: int = 64, hidden: int = 4096, dropout: float = 0.5) -> None:
        super().__init__()
        _check_size("vgg-face", spec, SMALLEST_FACE)
        mean = torch.tensor(FACE_MEAN)
        mean = mean if spec.channels == 3 else mean.mean().expand(spec.channels)
        self.register_buffer("mean", mean.reshape(-1, 1, 1).clone(), persistent=False)
        self.stages: list[list[str]] = []
        before = spec.channels
        for stage, (channels, count) in enumerate(FACE_STAGES, 1):
            self.stages.append([f"conv{stage}_{place}" for place in range(1, count + 1)])
            for name in self.stages[-1]:
                after = channels * width // 64
                self.add_module(name, nn.Conv2d(before, after, 3, padding=1))
                before = after
        self.fc6 = nn.Linear(before * (spec.size // SMALLEST_FACE) ** 2, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.fc8 = nn.Linear(hidden, spec.classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes]."""
        x = x * 255 - self.mean
        for stage in self.stages:
            for name in stage:
                x = torch.relu(self.get_submodule(name)(x))
            x = torch.max_pool2d(x, 2)
        x = self.dropout(torch.relu(self.fc6(x.flatten(1))))
        logits: torch.Tensor = self.fc8(self.dropout(torch.relu(self.fc7(x))))
        return logits


def _hidden(before: int, after: int, dropout: float) -> tuple[nn.Module, ...]:
    return nn.Linear(before, after), nn.ReLU(inplace=True), nn.Dropout(dropout)


def _check_size(name: str, spec: NetSpec, smallest: int) -> None:
    if spec.size < smallest:
        message = f"{name} needs pictures of {smallest} pixels or more (given: {spec.size})"
        raise SettingsError([Problem("recipe.input.size", message)])
