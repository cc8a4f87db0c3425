"""The loss of EmoNeXt: smoothed cross-entropy, and a penalty on attention between the pictures of a batch."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

from ferbench import Batch, NetSpec, StepContext, StepResult
from ferbench_emonext.network import SCALES, EmoNeXt


class AttentionPenalty(nn.Module):
    """Variance of the attention that the features of a batch pay to each other (the paper's self-attention loss).

    Each picture of a batch is a token. Scores are divided by the fourth root of the number of features, as in the
    authors' code. What is attended to never reaches the logits there, so that values are not computed here.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.query = nn.Linear(features, features)
        self.key = nn.Linear(features, features)
        for layer in (self.query, self.key):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The penalty, a scalar, of features float [n, d]."""
        normed = self.norm(features)
        scores = self.query(normed) @ self.key(normed).T / features.shape[1] ** 0.25
        variance: torch.Tensor = scores.float().softmax(dim=-1).var(correction=0)
        return variance


class EmoNeXtLoss(nn.Module):
    """Cross-entropy with smoothed labels, plus ``attention`` times the penalty."""

    def __init__(self, features: int, attention: float, label_smoothing: float) -> None:
        super().__init__()
        self.attention, self.label_smoothing = attention, label_smoothing
        self.penalty = AttentionPenalty(features) if attention else None

    def forward(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        """Compute the loss of one batch; ``net`` is an EmoNeXt."""
        emonext = cast("EmoNeXt", net)
        features = emonext.features(batch.inputs["image"])
        logits = emonext.head(features)
        losses = functional.cross_entropy(
            logits.float(), batch.target, label_smoothing=self.label_smoothing, reduction="none"
        )
        loss = (losses if batch.weight is None else losses * batch.weight).mean()
        if self.penalty is None:
            return StepResult(loss, logits)
        penalty = self.penalty(features)
        return StepResult(loss + self.attention * penalty, logits, {"attention": penalty})


def build_loss(
    spec: NetSpec, *, scale: str = "tiny", attention: float = 1.0, label_smoothing: float = 0.2, **_: float
) -> EmoNeXtLoss:
    """The objective of an EmoNeXt of that scale; the network's other options are left to that."""
    return EmoNeXtLoss(SCALES[scale][1][-1], attention, label_smoothing)
