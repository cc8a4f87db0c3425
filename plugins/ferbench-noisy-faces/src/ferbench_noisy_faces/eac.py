"""Erasing Attention Consistency (Zhang et al., ECCV 2022): a mirrored face is to be looked at in mirrored places."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from ferbench import Batch, NetSpec, StepContext, StepResult
from ferbench_noisy_faces.trunk import Trunk, cross_entropy, hard_labels


class EAC(Trunk):
    """A trunk and its class activation maps."""

    def attended(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [n, classes] and class activation maps [n, classes, height, width].

        The last layer's weights make the maps, and learn nothing from them, as in the authors' code.
        """
        maps = self.maps(x)
        logits: torch.Tensor = self.fc(maps.mean(dim=(2, 3)))
        return logits, nn.functional.conv2d(maps, self.fc.weight.detach()[:, :, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.fc(self.maps(x).mean(dim=(2, 3)))
        return logits


class AttentionConsistency:
    """Cross-entropy of the pictures, and ``consistency`` times the difference of their maps and the mirrored ones'.

    What was erased from a picture is erased from its mirror image too; mirror images have no cross-entropy.
    """

    def __init__(self, consistency: float) -> None:
        self.consistency = consistency

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        """Loss of a batch: equation 4 of the paper."""
        network, pictures = cast("EAC", net), batch.inputs["image"]
        labels = hard_labels(batch, "eac")
        logits, attention = network.attended(pictures)
        _, mirrored = network.attended(pictures.flip(3))
        difference = flip_difference(attention.float(), mirrored.float())
        loss = cross_entropy(logits, labels, batch.weight) + self.consistency * difference
        return StepResult(loss, logits, {"consistency_loss": difference})


def flip_difference(attention: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of maps [n, classes, height, width] and those of the mirrored pictures, turned back."""
    return nn.functional.mse_loss(attention, mirrored.flip(3))


def build(spec: NetSpec, *, depth: int, consistency: float) -> EAC:
    """Build the network; ``consistency`` is the objective's."""
    return EAC(spec, depth)


def objective(spec: NetSpec, *, depth: int, consistency: float) -> AttentionConsistency:
    """Build the objective."""
    return AttentionConsistency(consistency)
