"""ResNet18 for small pictures, as FER repositories build it after the CIFAR variant."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))


class Block(nn.Module):
    """Two 3 × 3 convolutions and a way around them (He et al. 2016, figure 2)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.around: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.around = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features [n, after, h / stride, w / stride] of features [n, before, h, w]."""
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.around(x))


class ResNet18(nn.Module):
    """Stem 3 × 3 with stride 1 and no pooling, four stages of two blocks, average over 4 × 4, dropout of a half.

    At 3 channels of 44 pixels and 7 classes: 11,172,423 parameters.
    """

    def __init__(self, channels: int = 3, classes: int = 7) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(64)
        blocks: list[nn.Module] = []
        before = 64
        for width, stride in STAGES:
            blocks += [Block(before, width, stride), Block(width, width, 1)]
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(before, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures [n, channels, 44, 44]."""
        features = self.blocks(F.relu(self.norm(self.stem(x))))
        pooled = F.dropout(F.avg_pool2d(features, 4).flatten(1), 0.5, self.training)
        logits: torch.Tensor = self.head(pooled)
        return logits
