"""Relative Uncertainty Learning (Zhang et al., NeurIPS 2021): features are mixed by how uncertain they are."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from ferbench import Batch, NetSpec, StepContext, StepResult
from ferbench_noisy_faces.trunk import Trunk, cross_entropy, hard_labels


class RUL(Trunk):
    """A trunk, two branches from its maps to ``features`` numbers (features and uncertainties), and a linear layer."""

    def __init__(self, spec: NetSpec, depth: int, features: int, dropout: float) -> None:
        super().__init__(spec, depth)
        side = -(-spec.size // 32)
        self.mu = _branch(self.width, side, features, dropout)
        self.log_var = _branch(self.width, side, features, dropout)
        self.fc = nn.Linear(features, spec.classes)

    def uncertain(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features [n, features], and the uncertainty of each picture [n, 1], above zero."""
        maps = self.maps(x)
        return self.mu(maps), self.log_var(maps).float().exp().mean(dim=1, keepdim=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]; uncertainties play no part at test."""
        logits: torch.Tensor = self.fc(self.mu(self.maps(x)))
        return logits


def _branch(width: int, side: int, features: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(width, eps=2e-5, affine=False),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(width * side * side, features),
        nn.BatchNorm1d(features, eps=2e-5),
    )


class AddUp:
    """Mix each picture's features with another's, and ask for both labels: the add-up loss (section 3.3)."""

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        """Loss of a batch."""
        network, labels = cast("RUL", net), hard_labels(batch, "rul")
        features, uncertainty = network.uncertain(batch.inputs["image"])
        other = torch.from_numpy(context.rng.permutation(len(labels))).to(labels.device)
        logits = network.fc(mixed(features, uncertainty, other))
        of_other = None if batch.weight is None else batch.weight[other]
        both = cross_entropy(logits, labels, batch.weight) + cross_entropy(logits, labels[other], of_other)
        return StepResult(both / 2, logits, {"uncertainty": uncertainty.mean()})


def mixed(features: torch.Tensor, uncertainty: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Mix features [n, k] with those of the ``other`` samples (int64 [n]), each by its share of the uncertainty [n, 1].

    The more uncertain one weighs more: only so is its label still to be told from the mixture.
    """
    share = uncertainty / (uncertainty + uncertainty[other])
    return share * features + (1 - share) * features[other]


def build(spec: NetSpec, *, depth: int, features: int, dropout: float) -> RUL:
    """Build the network."""
    return RUL(spec, depth, features, dropout)


def objective(spec: NetSpec, *, depth: int, features: int, dropout: float) -> AddUp:
    """Build the objective."""
    return AddUp()
