"""Losses, and the objective that networks have when they bring none of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ferbench.data.labels import expected_counts
from ferbench.errors import TrainingError
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.losses import (
    LABEL_KINDS,
    BinaryCrossEntropy,
    ClassWeights,
    CrossEntropy,
    Focal,
    Loss,
    SquaredError,
    SquaredHinge,
)
from ferbench.nouns.model import StepContext, StepResult
from ferbench.nouns.split import Batch

LossFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From scores [n, k] and targets to the loss of each sample [n]."""

ACCEPTED_EPSILON = 0.001
"""What a class that is not accepted counts for, an accepted one being 1 (Barsoum et al. 2016's code)."""

TINY = 1e-8


def make_loss(
    settings: Loss, targets: np.ndarray, classes: int, device: torch.device, kind: LabelKind | None = None
) -> LossFunction:
    """Return the loss of each sample, computed in float32 whatever the scores are.

    ``targets`` are those of the training split, for balanced class weights. Whether labels are hard (int64 [n]) or
    soft (float32 [n, k]) is seen from each batch, since augmentation may mix hard ones; ``kind`` tells which of the
    other kinds they are. Raises TrainingError when the loss has no form for that kind, or the number of class weights
    is not the number of classes.
    """
    if kind is not None and kind not in LABEL_KINDS[settings.name]:
        takes = ", ".join(LABEL_KINDS[settings.name])
        raise TrainingError(f"The training labels are {kind}; the loss {settings.name} takes {takes}.")
    match settings:
        case BinaryCrossEntropy():
            return _binary_cross_entropy
        case SquaredError():
            return lambda scores, target: F.mse_loss(scores.float(), target, reduction="none").mean(dim=1)
    accepted = kind == "accepted"
    tensor = class_weights(settings, targets, classes, device, kind)
    match settings:
        case CrossEntropy() if accepted:
            return lambda scores, flags: _accepted(scores, flags, tensor, settings.label_smoothing)
        case CrossEntropy():
            smoothing = settings.label_smoothing
            return lambda scores, target: F.cross_entropy(
                scores.float(), target, weight=tensor, label_smoothing=smoothing, reduction="none"
            )
        case Focal():
            return lambda scores, target: _focal(scores, target, settings.gamma, tensor)
        case SquaredHinge():
            return lambda scores, target: _squared_hinge(scores, target, tensor)


def _binary_cross_entropy(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(scores.float(), target, reduction="none").sum(dim=1)


def _accepted(
    scores: torch.Tensor, flags: torch.Tensor, weights: torch.Tensor | None, smoothing: float
) -> torch.Tensor:
    logs = scores.float().log_softmax(dim=1)
    best, chosen = (logs + flags.clamp_min(ACCEPTED_EPSILON).log()).max(dim=1)
    losses, spread = -best, -logs
    if weights is not None:
        losses, spread = losses * weights[chosen], spread * weights
    return losses if not smoothing else (1 - smoothing) * losses + smoothing * spread.mean(dim=1)


def _focal(scores: torch.Tensor, target: torch.Tensor, gamma: float, weights: torch.Tensor | None) -> torch.Tensor:
    logs = scores.float().log_softmax(dim=1)
    # Where p is 1 in float32, the power of 1 - p has no finite gradient for a gamma below 1.
    losses = (-logs.expm1()).clamp_min(TINY).pow(gamma) * -logs
    losses = losses if weights is None else losses * weights
    return losses.gather(1, target[:, None])[:, 0] if target.ndim == 1 else (target * losses).sum(dim=1)


def _squared_hinge(scores: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    signs = 2.0 * F.one_hot(target, scores.shape[1]) - 1
    losses = (1 - signs * scores.float()).clamp_min(0).square().sum(dim=1)
    return losses if weights is None else losses * weights[target]


def class_weights(
    settings: Loss, targets: np.ndarray, classes: int, device: torch.device, kind: LabelKind | None = None
) -> torch.Tensor | None:
    """What a loss multiplies each class's summand by, float32 [k]; None where it weighs none.

    Raises TrainingError when the number of weights is not the number of classes.
    """
    wanted: ClassWeights = getattr(settings, "class_weights", None)
    if wanted is None:
        return None
    if wanted == "balanced":
        counts = expected_counts(targets, classes, kind == "accepted")
        weights = np.asarray(counts.sum() / (classes * np.where(counts > 0, counts, 1)))
    elif len(wanted) != classes:
        raise TrainingError(f"recipe.loss.class_weights has {len(wanted)} values for {classes} classes.")
    else:
        weights = np.asarray(wanted)
    return torch.tensor(weights, dtype=torch.float32, device=device)


def batch_weights(
    samples: torch.Tensor | None, of_classes: torch.Tensor | None, target: torch.Tensor
) -> torch.Tensor | None:
    """Weights [n] with which the mean of a batch's losses is Σ w·loss / Σ w, as that of ``torch.nn.CrossEntropyLoss``.

    ``samples``: the weight of each sample, float32 [n]. ``of_classes``: those that the loss itself multiplies by, which
    count in Σ w where labels are hard (``target`` int64 [n]), as PyTorch's do. None where nothing is weighed.
    """
    total = samples
    if of_classes is not None and target.ndim == 1:
        own = of_classes[target]
        total = own if samples is None else samples * own
    if total is None:
        return None
    mean = total.mean()
    given = torch.ones_like(total) if samples is None else samples
    return torch.where(mean > 0, given / mean, given)  # where all weights are 0, nothing is learnt


def call_network(net: nn.Module, batch: Batch) -> torch.Tensor:
    """Run a network on a prepared batch: ``net(x)`` for one input, ``net(**inputs)`` for several, and the mask."""
    extra = {} if batch.mask is None else {"mask": batch.mask}
    alone = len(batch.inputs) == 1
    scores = net(next(iter(batch.inputs.values())), **extra) if alone else net(**batch.inputs, **extra)
    if not isinstance(scores, torch.Tensor):
        raise TrainingError(f"The network returned {type(scores).__name__}, not a tensor of scores [samples, classes].")
    return scores


class Supervised:
    """The plain objective: the mean loss of a batch, each sample with its weight (see :func:`batch_weights`)."""

    def __init__(self, loss: LossFunction) -> None:
        self.loss = loss

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        scores = call_network(net, batch)
        check_scores(scores, len(batch.target), len(context.classes))
        losses = self.loss(scores, batch.target)
        if batch.weight is not None:
            losses = losses * batch.weight
        return StepResult(losses.mean(), scores)


def check_scores(scores: torch.Tensor, samples: int, classes: int) -> None:
    """Raise TrainingError unless ``scores`` is [samples, classes]."""
    if tuple(scores.shape) != (samples, classes):
        raise TrainingError(
            f"The network returned scores of shape {tuple(scores.shape)} for {samples} samples and {classes} classes; "
            f"({samples}, {classes}) is needed."
        )
