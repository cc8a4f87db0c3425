"""ResNet18 and VGG19, each as a small network for pictures of 44 pixels and in the shape that ImageNet knows."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from ferbench import NetSpec, Problem, SettingsError

Shape = Literal["small", "imagenet"]

VGG_SMALLEST = 32
"""Side in pixels that five halvings reduce to one."""

VGG_STAGES = ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4))
"""VGG19's stages: width as a multiple of the first one's, and number of convolutions."""


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut (He et al. 2016, figure 2). Names are torchvision's."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            projection = nn.Conv2d(before, after, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, before, height, width] to [n, after, height / stride, width / stride]."""
        inner = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(inner)) + self.downsample(x))


class ResNet18(nn.Module):
    """Four stages of two blocks, pooling, dropout, one linear layer; float [n, channels, size, size] to [n, classes].

    ``small``: a 3 × 3 stem that keeps the size, and at the end Wujie's pooling, one window of 4 × 4: of the 6 × 6 that
    44 pixels leave, the last two rows and columns are never looked at. What remains of larger pictures is averaged.
    ``imagenet``: torchvision's ``resnet18``, its 7 × 7 stem with maximum, global average and first weights.
    """

    def __init__(self, channels: int, classes: int, shape: Shape, width: int, dropout: float) -> None:
        super().__init__()
        self.shape = shape
        if shape == "small":
            self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            self.maxpool: nn.Module = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(BasicBlock(width, width, 1), BasicBlock(width, width, 1))
        self.layer2 = nn.Sequential(BasicBlock(width, 2 * width, 2), BasicBlock(2 * width, 2 * width, 1))
        self.layer3 = nn.Sequential(BasicBlock(2 * width, 4 * width, 2), BasicBlock(4 * width, 4 * width, 1))
        self.layer4 = nn.Sequential(BasicBlock(4 * width, 8 * width, 2), BasicBlock(8 * width, 8 * width, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(8 * width, classes)
        if shape == "imagenet":
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes]."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        if self.shape == "small":
            x = F.avg_pool2d(x, min(4, x.shape[-1]))
        logits: torch.Tensor = self.fc(self.dropout(x.mean(dim=(2, 3))))
        return logits


class VGG19(nn.Module):
    """Sixteen 3 × 3 convolutions in five stages, each with a maximum; float [n, channels, size, size] to [n, classes].

    ``small``: batch normalisation, then dropout and one linear layer on the one pixel that 44 leave. ``imagenet``:
    torchvision's ``vgg19`` (configuration E of Simonyan and Zisserman 2015) with its first weights: no normalisation,
    7 × 7 averages, and linear layers of 64 times the first stage's width, 4096-4096-n.
    """

    def __init__(self, channels: int, classes: int, shape: Shape, width: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for factor, convolutions in VGG_STAGES:
            for _ in range(convolutions):
                layers.append(nn.Conv2d(before, factor * width, 3, padding=1))
                layers += [nn.BatchNorm2d(factor * width)] if shape == "small" else []
                layers.append(nn.ReLU(inplace=True))
                before = factor * width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1 if shape == "small" else 7)
        self.classifier = (
            nn.Sequential(nn.Dropout(dropout), nn.Linear(before, classes))
            if shape == "small"
            else _imagenet_head(49 * before, 64 * width, classes, dropout)
        )
        if shape == "imagenet":
            self.apply(_like_torchvision)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes]."""
        logits: torch.Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits


def build_resnet18(spec: NetSpec, *, shape: Shape = "small", width: int = 64, dropout: float = 0.5) -> ResNet18:
    """Build it for ``spec``: at 3 channels and 7 classes 11,172,423 parameters, ``imagenet`` 11,180,103."""
    return ResNet18(spec.channels, spec.classes, shape, width, dropout)


def build_vgg19(spec: NetSpec, *, shape: Shape = "small", width: int = 64, dropout: float = 0.5) -> VGG19:
    """Build it for ``spec``: at 3 channels and 7 classes 20,038,983 parameters, ``imagenet`` 139,598,919.

    Raises SettingsError for pictures below 32 pixels.
    """
    if spec.size < VGG_SMALLEST:
        message = f"VGG19 needs pictures of {VGG_SMALLEST} pixels or more behind all crops (given: {spec.size})"
        raise SettingsError([Problem("recipe.input.size", message)])
    return VGG19(spec.channels, spec.classes, shape, width, dropout)


def _imagenet_head(before: int, hidden: int, classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(before, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )


def _like_torchvision(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
