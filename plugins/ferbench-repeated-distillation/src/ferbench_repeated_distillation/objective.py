"""Distillation through a token: the class head learns the truth, the distillation head what the teacher says."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from ferbench import Batch, NetSpec, StepContext, StepResult
from ferbench_repeated_distillation.network import Joint, joined


class Distillation:
    """``(1 − share) · truth + share · imitation``, each the mean over the batch (Touvron et al. 2021, equations 2, 3).

    ``hard``: cross-entropy with the teacher's first choice. ``soft``: Kullback-Leibler divergence from the teacher's
    probabilities, both softened by ``temperature``, times its square. The teacher sees the very batch that the student
    sees, mixed pictures included.
    """

    def __init__(
        self,
        spec: NetSpec,
        *,
        form: Literal["hard", "soft"],
        share: float,
        temperature: float,
        joint: Joint,
        **options: Any,
    ) -> None:
        self.form, self.share, self.temperature, self.joint = form, share, temperature, joint

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        """The loss of one batch; weighted by the samples' weights where the sampler gives them."""
        (picture,) = batch.inputs.values()
        heads = net(picture, separate=True).float()
        taught = context.required["teacher"].logits(batch).float()
        truth = F.cross_entropy(heads[0], batch.target, reduction="none")
        imitation = self._imitation(heads[1], taught)
        losses = (1 - self.share) * truth + self.share * imitation
        if batch.weight is not None:
            losses = losses * batch.weight
        agreement = (heads[1].argmax(1) == taught.argmax(1)).float().mean()
        logs = {"truth": truth.detach().mean(), "imitation": imitation.detach().mean(), "agreement": agreement}
        return StepResult(losses.mean(), joined(heads, self.joint), logs)

    def _imitation(self, imitated: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
        """Of each sample, float [n]."""
        if self.form == "hard":
            return F.cross_entropy(imitated, taught.argmax(1), reduction="none")
        t = self.temperature
        ours, theirs = (imitated / t).log_softmax(1), (taught / t).log_softmax(1)
        return t * t * F.kl_div(ours, theirs, reduction="none", log_target=True).sum(1)
