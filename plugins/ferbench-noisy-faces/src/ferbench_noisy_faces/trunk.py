"""What the four methods share: torchvision's ResNet as a trunk, and cross-entropy with the weights of samples."""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from ferbench import Batch, NetSpec, TrainingError

BLOCKS = {18: (BasicBlock, [2, 2, 2, 2]), 50: (Bottleneck, [3, 4, 6, 3])}


class Trunk(ResNet):  # type: ignore[misc]
    """torchvision's ResNet of 18 or 50 layers; as a base class, so that its published weights fit by name.

    ``width``: channels of the last maps.
    """

    def __init__(self, spec: NetSpec, depth: int = 18) -> None:
        block, layers = BLOCKS[depth]
        super().__init__(block, layers, num_classes=spec.classes)
        self.width: int = self.fc.in_features
        if spec.channels != 3:
            self.conv1 = nn.Conv2d(spec.channels, 64, 7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """The last maps, float [n, width, size / 32, size / 32], of pictures float [n, channels, size, size]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        last: torch.Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return last


def hard_labels(batch: Batch, method: str) -> torch.Tensor:
    """The labels of a batch, int64 [n]. Raises TrainingError for soft ones, which augmentation that mixes makes."""
    target: torch.Tensor = batch.target
    if target.ndim != 1:
        raise TrainingError(f"{method} needs one label a picture: take mixup and cutmix out of its augmentation.")
    return target


def cross_entropy(scores: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Mean cross-entropy of a batch in float32, each sample with its weight, as the engine's own objective has it."""
    losses = nn.functional.cross_entropy(scores.float(), labels, reduction="none")
    return (losses if weight is None else losses * weight).mean()
