"""The networks of Pham et al. 2020: a ResNet34 with a U-Net behind each of its stages, and the ResNet34 alone.

Parts of the trunk are called as in torchvision's ResNet34, so that its ImageNet weights fit by name.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 32
"""Side in pixels at which the first U-Net, which halves four times what was halved twice, still has a pixel left."""

BLOCKS = (3, 4, 6, 3)
DEPTHS = (4, 3, 2, 1)
"""Residual blocks of each stage, and levels of the U-Net behind it."""


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut (He et al. 2016), which is 1 × 1 where the shape changes."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False),
                nn.BatchNorm2d(after),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, before, h, w] to [n, after, h / stride, w / stride]."""
        inner = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(inner)) + self.downsample(x))


class Upwards(nn.Module):
    """A step of the decoder: twice the size and half the channels, the encoder's features beside them, a block."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(before, after, 2, stride=2)
        self.bn = nn.BatchNorm2d(after)
        self.block = BasicBlock(2 * after, after)

    def forward(self, x: torch.Tensor, beside: torch.Tensor) -> torch.Tensor:
        """Float [n, before, h, w] and [n, after, 2h (+ 1), 2w (+ 1)] to the shape of the latter."""
        # Sides that are odd lost a pixel when they were halved; the size asked for gives it back.
        raised = self.up(x, output_size=beside.shape[-2:])
        merged: torch.Tensor = self.block(torch.cat([torch.relu(self.bn(raised)), beside], dim=1))
        return merged


class MaskingBlock(nn.Module):
    """Weigh features x by a mask m that a U-Net makes of them: x · (1 + m), m being a softmax over the channels.

    The encoder has ``depth`` residual blocks, each with twice the channels of the one before and a 2 × 2 maximum
    between two of them. The normalisation that ends each residual branch begins at 0, as in the authors' code.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(BasicBlock(before, after) for before, after in pairwise(widths))
        self.decoder = nn.ModuleList(Upwards(before, after) for after, before in reversed(list(pairwise(widths[1:]))))
        self.last = BasicBlock(widths[1], channels)
        self.halve = nn.MaxPool2d(2)
        initialise(self)
        for module in self.modules():
            if isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)

    def mask(self, x: torch.Tensor) -> torch.Tensor:
        """The mask of features, of their shape [n, channels, h, w]; over the channels it sums to one."""
        levels: list[torch.Tensor] = []
        for block in self.encoder:
            x = block(self.halve(x) if levels else x)
            levels.append(x)
        for step, beside in zip(self.decoder, reversed(levels[:-1]), strict=True):
            x = step(x, beside)
        return torch.softmax(self.last(x), dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Weighted features, of the same shape."""
        return x * (1 + self.mask(x))


class MaskedResNet(nn.Module):
    """ResNet34 for pictures, a masking block behind each stage (``masks``), average pooling and linear layers.

    ``width``: channels of the first stage. ``hidden``: outputs of a linear layer with ReLU before the last one; 0 for
    none. ``dropout``: before the last layer. Raises SettingsError for pictures below 32 pixels.
    """

    def __init__(self, spec: NetSpec, *, width: int, masks: bool, hidden: int, dropout: float) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"the network needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        widths = [width * 2**stage for stage in range(len(BLOCKS))]
        self.conv1 = nn.Conv2d(spec.channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(width, width, BLOCKS[0], stride=1)
        self.layer2 = _stage(width, widths[1], BLOCKS[1], stride=2)
        self.layer3 = _stage(widths[1], widths[2], BLOCKS[2], stride=2)
        self.layer4 = _stage(widths[2], widths[3], BLOCKS[3], stride=2)
        initialise(self)
        pairs = zip(widths, DEPTHS, strict=True)
        self.masks = nn.ModuleList(
            MaskingBlock(channels, depth) if masks else nn.Identity() for channels, depth in pairs
        )
        layers: list[nn.Module] = [nn.Linear(widths[-1], hidden), nn.ReLU()] if hidden else []
        self.fc = nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(hidden or widths[-1], spec.classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage, mask in zip((self.layer1, self.layer2, self.layer3, self.layer4), self.masks, strict=True):
            x = mask(stage(x))
        logits: torch.Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


def build_rmn(spec: NetSpec, *, width: int = 64, hidden: int = 0, dropout: float = 0.4) -> MaskedResNet:
    """The Residual Masking Network: 137,796,423 parameters for colour pictures and 7 classes."""
    return MaskedResNet(spec, width=width, masks=True, hidden=hidden, dropout=dropout)


def build_resnet34(spec: NetSpec, *, width: int = 64) -> MaskedResNet:
    """The ResNet34 that the authors compare with: 21,288,263 parameters for colour pictures and 7 classes."""
    return MaskedResNet(spec, width=width, masks=False, hidden=0, dropout=0.0)


def initialise(net: nn.Module) -> None:
    """He et al. 2015, normal over the fan-out, for convolutions; transposed ones and linear layers keep torch's own."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _stage(before: int, after: int, count: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(before, after, stride), *(BasicBlock(after, after) for _ in range(count - 1)))
