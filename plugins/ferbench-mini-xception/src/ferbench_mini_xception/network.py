"""Arriaga et al. 2017: mini-Xception, and the plain network that they compare it with.

Layers as in the authors' code (oarriaga/face_classification, ``models/cnn.py``), which is written in Keras: its padding
and its batch normalisation differ from PyTorch's defaults.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 20
"""Side in pixels that the two convolutions without padding and four halvings of mini-Xception reduce to one."""

STAGES = (16, 32, 64, 128)


class SeparableConvolution(nn.Sequential):
    """A 3 × 3 convolution of each channel alone, then one across channels (Chollet 2017), without biases."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False), nn.Conv2d(before, after, 1, bias=False)
        )


class SamePool(nn.Module):
    """3 × 3 maximum in steps of two with Keras's padding: an even side gets one place more at its end alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, channels, height, width] to half the height and width, rounded up."""
        height, width = x.shape[-2:]
        return functional.max_pool2d(x, 3, stride=2, padding=(height % 2, width % 2), ceil_mode=True)


class ResidualModule(nn.Module):
    """Two separable convolutions and a maximum beside a 1 × 1 convolution in steps of two."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            SeparableConvolution(before, after),
            _normalisation(after),
            nn.ReLU(inplace=True),
            SeparableConvolution(after, after),
            _normalisation(after),
            SamePool(),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, bias=False), _normalisation(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, before, height, width] to [n, after, height / 2, width / 2], rounded up."""
        # A 1 × 1 convolution in steps of two sees every second place. With that stride, PyTorch on the CPU writes
        # beyond its memory in the backward pass of so few channels last in float32, and the process dies.
        total: torch.Tensor = self.body(x) + self.shortcut(x[:, :, ::2, ::2])
        return total


class MiniXception(nn.Module):
    """Two convolutions, four residual modules of separable ones, and an average over places instead of linear layers.

    For grey pictures and 7 classes 56,951 parameters, and 1,472 running statistics that Keras counts too: 58,423.
    Raises SettingsError for pictures below 20 pixels.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        _check_size(spec, SMALLEST, "mini-xception")
        self.base = nn.Sequential(
            nn.Conv2d(spec.channels, 8, 3, bias=False),
            _normalisation(8),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 8, 3, bias=False),
            _normalisation(8),
            nn.ReLU(inplace=True),
        )
        self.stages = nn.Sequential(*(ResidualModule(b, a) for b, a in zip((8, *STAGES), STAGES, strict=False)))
        self.head = nn.Conv2d(STAGES[-1], spec.classes, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.stages(self.base(x))).mean(dim=(2, 3))
        return logits


class SimpleCNN(nn.Module):
    """Nine convolutions with batch normalisation, average pooling and dropout, then one with a channel for each class.

    641,463 parameters for grey pictures and 7 classes. Raises SettingsError for pictures below 9 pixels.
    """

    def __init__(self, spec: NetSpec, *, dropout: float = 0.5) -> None:
        super().__init__()
        _check_size(spec, 9, "mini-xception@simple")
        stages, before = [], spec.channels
        for after, kernel in ((16, 7), (32, 5), (64, 3), (128, 3)):
            stages.append(
                nn.Sequential(
                    nn.Conv2d(before, after, kernel, padding="same"),
                    _normalisation(after),
                    nn.Conv2d(after, after, kernel, padding="same"),
                    _normalisation(after),
                    nn.ReLU(inplace=True),
                    nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False),
                    nn.Dropout(dropout),
                )
            )
            before = after
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Conv2d(before, 256, 3, padding=1), _normalisation(256), nn.Conv2d(256, spec.classes, 3, padding=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.stages(x)).mean(dim=(2, 3))
        return logits


def _normalisation(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with Keras's constants; its momentum of 0.99 is PyTorch's 0.01."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _check_size(spec: NetSpec, smallest: int, name: str) -> None:
    if spec.size < smallest:
        message = f"{name} needs pictures of {smallest} pixels or more (given: {spec.size})"
        raise SettingsError([Problem("recipe.input.size", message)])
