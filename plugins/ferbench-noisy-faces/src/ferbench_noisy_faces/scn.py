"""Self-Cure Network (Wang et al., CVPR 2020): weigh each picture, and relabel those that the network doubts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import torch
from torch import nn

from ferbench import Batch, NetSpec, StepContext, StepResult
from ferbench_noisy_faces.trunk import Trunk, cross_entropy, hard_labels

OWN = -1
"""In the place of a label: the sample still has the data set's."""


class SCN(Trunk):
    """A trunk, and an importance between 0 and 1 by which a picture's logits are multiplied (sections 3.2 and 3.3)."""

    def __init__(self, spec: NetSpec, depth: int) -> None:
        super().__init__(spec, depth)
        self.alpha = nn.Sequential(nn.Linear(self.width, 1), nn.Sigmoid())

    def weighed(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Importance [n] and logits [n, classes], multiplied by it already."""
        features = self.maps(x).mean(dim=(2, 3))
        importance = self.alpha(features)
        return importance[:, 0], importance * self.fc(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        return self.weighed(x)[1]


class SelfCure:
    """Weighted cross-entropy, rank regularisation, and relabelling from an epoch on.

    ``high``: the share of a batch that is the group of high importance. ``margin``: by which its mean is to lie above
    that of the others. ``relabel_margin``: by how much the highest probability must exceed the label's.
    ``relabel_epoch``: the first in which labels are changed, counted from 1. ``relabel``: only pictures of low
    importance, as the paper says, or all, as its code does. A new label holds from the next epoch on.
    """

    def __init__(
        self,
        *,
        high: float,
        margin: float,
        relabel_margin: float,
        relabel_epoch: int,
        relabel: Literal["low", "all"],
    ) -> None:
        self.high, self.margin = high, margin
        self.relabel_margin, self.relabel_epoch, self.relabel = relabel_margin, relabel_epoch, relabel
        self.labels = torch.empty(0, dtype=torch.int64)

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        """Loss of a batch: equations 2 and 3 of the paper, added."""
        importance, logits = cast("SCN", net).weighed(batch.inputs["image"])
        given = hard_labels(batch, "scn")
        labels = self._known(batch.index, given)
        low = low_group(importance.detach(), self.high)
        rank = rank_loss(importance.float(), low, self.margin)
        loss = cross_entropy(logits, labels, batch.weight) + rank
        if context.epoch + 1 >= self.relabel_epoch:
            doubted = doubts(logits.detach(), labels, self.relabel_margin)
            if self.relabel == "low":
                doubted &= low
            self.labels[batch.index] = torch.where(doubted, logits.detach().argmax(dim=1), labels)
        return StepResult(loss, logits, {"rank_loss": rank, "relabelled": (labels != given).float().mean()})

    def state_dict(self) -> dict[str, Any]:
        """The labels by place in the training side; OWN where they are the data set's."""
        return {"labels": self.labels.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with these labels."""
        self.labels = state["labels"].clone()

    def _known(self, index: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        """The present labels of the samples at ``index``, whose own are ``given``; makes room for them."""
        labels = self.labels.to(given.device)
        missing = int(index.max()) + 1 - len(labels)
        self.labels = torch.cat([labels, labels.new_full((missing,), OWN)]) if missing > 0 else labels
        present = self.labels[index]
        return torch.where(present == OWN, given, present)


def low_group(importance: torch.Tensor, high: float) -> torch.Tensor:
    """Which samples are not among the share ``high`` of highest importance, bool [n]; both groups have one at least."""
    count = len(importance)
    kept = min(max(int(count * high), 1), count - 1)
    low = torch.ones(count, dtype=torch.bool, device=importance.device)
    low[importance.argsort(descending=True, stable=True)[:kept]] = False
    return low


def rank_loss(importance: torch.Tensor, low: torch.Tensor, margin: float) -> torch.Tensor:
    """Equation 3: by how much the mean importance of the groups lies nearer together than ``margin``.

    0 where there is only one sample, which makes one group.
    """
    if len(importance) < 2:
        return importance.new_zeros(())
    return torch.relu(margin - (importance[~low].mean() - importance[low].mean()))


def doubts(logits: torch.Tensor, labels: torch.Tensor, margin: float) -> torch.Tensor:
    """Equation 4: where the highest probability exceeds that of the label by more than ``margin``, bool [n]."""
    probabilities = logits.float().softmax(dim=1)
    of_label = probabilities.gather(1, labels.unsqueeze(1))[:, 0]
    return probabilities.amax(dim=1) - of_label > margin


def build(spec: NetSpec, *, depth: int, **objective: Any) -> SCN:
    """Build the network; the other options are the objective's."""
    return SCN(spec, depth)


def objective(spec: NetSpec, *, depth: int, **options: Any) -> SelfCure:
    """Build the objective."""
    return SelfCure(**options)
