"""Distract your Attention Network (Wen et al. 2021): several attention heads that are kept apart."""

from __future__ import annotations

import sys
from typing import cast

import torch
from torch import nn

from ferbench import Batch, NetSpec, StepContext, StepResult
from ferbench_noisy_faces.trunk import Trunk, cross_entropy, hard_labels


class SpatialAttention(nn.Module):
    """Weigh each place of the maps by one number: the channels of three convolutions side by side, summed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.reduce = nn.Sequential(nn.Conv2d(width, half, 1), nn.BatchNorm2d(half))
        self.square = nn.Sequential(nn.Conv2d(half, width, 3, padding=1), nn.BatchNorm2d(width))
        self.flat = nn.Sequential(nn.Conv2d(half, width, (1, 3), padding=(0, 1)), nn.BatchNorm2d(width))
        self.upright = nn.Sequential(nn.Conv2d(half, width, (3, 1), padding=(1, 0)), nn.BatchNorm2d(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, channels, height, width]; the shape stays."""
        y = self.reduce(x)
        return x * torch.relu(self.square(y) + self.flat(y) + self.upright(y)).sum(dim=1, keepdim=True)


class ChannelAttention(nn.Module):
    """Average over places, and weigh each channel by a number between 0 and 1."""

    def __init__(self, width: int, hidden: int = 32) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(width, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, width),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, channels, height, width] to [n, channels]."""
        features = x.mean(dim=(2, 3))
        weighed: torch.Tensor = features * self.gate(features)
        return weighed


class CrossAttentionHead(nn.Sequential):
    """Spatial attention, then channel attention (section 3.2), with the initial weights of the authors' code."""

    def __init__(self, width: int) -> None:
        super().__init__(SpatialAttention(width), ChannelAttention(width))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.001)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)


class DAN(Trunk):
    """A trunk, ``heads`` cross attention heads on its maps, their fusion, and a linear layer that is normalised."""

    def __init__(self, spec: NetSpec, depth: int, heads: int) -> None:
        super().__init__(spec, depth)
        self.heads = nn.ModuleList(CrossAttentionHead(self.width) for _ in range(heads))
        self.bn = nn.BatchNorm1d(spec.classes)

    def attended(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits [n, classes], the trunk's features [n, width] and what the heads give [n, heads, width].

        With more than one head, that is the logarithm of their softmax over the heads (section 3.3).
        """
        maps = self.maps(x)
        heads = torch.stack([head(maps) for head in self.heads], dim=1)
        if len(self.heads) > 1:
            heads = heads.log_softmax(dim=1)
        return self.bn(self.fc(heads.sum(dim=1))), maps.mean(dim=(2, 3)), heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        return self.attended(x)[0]


class AffinityAndPartition(nn.Module):
    """Cross-entropy, affinity loss and partition loss, added with equal weight as in the authors' code."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(classes, width))

    def forward(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        """Loss of a batch."""
        logits, features, heads = cast("DAN", net).attended(batch.inputs["image"])
        labels = hard_labels(batch, "dan")
        affinity = affinity_loss(features.float(), self.centres, labels)
        partition = partition_loss(heads.float())
        loss = cross_entropy(logits, labels, batch.weight) + affinity + partition
        return StepResult(loss, logits, {"affinity_loss": affinity, "partition_loss": partition})


def affinity_loss(features: torch.Tensor, centres: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Squared distance of features [n, width] to the learnt centres [classes, width] of their classes.

    In units of how far the centres lie apart: the sum of their variances (section 3.1).
    """
    return (features - centres[labels]).square().sum(dim=1).mean() / centres.var(dim=0).sum()


def partition_loss(heads: torch.Tensor) -> torch.Tensor:
    """The less the heads [n, heads, width] differ, the larger (section 3.3); 0 for a single head.

    The authors' small number keeps it finite, and its gradient too, where all heads say the same.
    """
    count = heads.shape[1]
    if count == 1:
        return heads.new_zeros(())
    return torch.log1p(count / (heads.var(dim=1).mean() + sys.float_info.epsilon))


def build(spec: NetSpec, *, depth: int, heads: int) -> DAN:
    """Build the network."""
    return DAN(spec, depth, heads)


def objective(spec: NetSpec, *, depth: int, heads: int) -> AffinityAndPartition:
    """Build the objective."""
    return AffinityAndPartition(spec.classes, {18: 512, 50: 2048}[depth])
