"""Losses, and the objective that networks have when they bring none of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ferbench.errors import TrainingError
from ferbench.nouns.losses import BinaryCrossEntropy, CrossEntropy, Loss
from ferbench.nouns.model import StepContext, StepResult
from ferbench.nouns.split import Batch

LossFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From scores [n, k] and targets to the loss of each sample [n]."""


def make_loss(settings: Loss, targets: np.ndarray, classes: int, device: torch.device) -> LossFunction:
    """Return the loss of each sample; ``targets`` are those of the training split, for balanced class weights.

    Raises TrainingError when the number of class weights is not the number of classes.
    """
    if isinstance(settings, CrossEntropy):
        weights = _class_weights(settings, targets, classes)
        tensor = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=device)
        smoothing = settings.label_smoothing

        def cross_entropy(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return F.cross_entropy(scores.float(), target, weight=tensor, label_smoothing=smoothing, reduction="none")

        return cross_entropy
    if isinstance(settings, BinaryCrossEntropy):
        return lambda scores, target: F.binary_cross_entropy_with_logits(scores.float(), target, reduction="none").sum(
            dim=1
        )
    return lambda scores, target: F.mse_loss(scores.float(), target, reduction="none").mean(dim=1)


def _class_weights(settings: CrossEntropy, targets: np.ndarray, classes: int) -> np.ndarray | None:
    if settings.class_weights is None:
        return None
    if settings.class_weights == "balanced":
        counts = np.bincount(targets, minlength=classes) if targets.ndim == 1 else targets.sum(axis=0)
        return np.asarray(counts.sum() / (classes * np.maximum(counts, 1)))
    if len(settings.class_weights) != classes:
        raise TrainingError(
            f"recipe.loss.class_weights has {len(settings.class_weights)} values for {classes} classes."
        )
    return np.asarray(settings.class_weights)


def call_network(net: nn.Module, batch: Batch) -> torch.Tensor:
    """Run a network on a prepared batch: ``net(x)`` for one input, ``net(**inputs)`` for several, and the mask."""
    extra = {} if batch.mask is None else {"mask": batch.mask}
    alone = len(batch.inputs) == 1
    scores = net(next(iter(batch.inputs.values())), **extra) if alone else net(**batch.inputs, **extra)
    if not isinstance(scores, torch.Tensor):
        raise TrainingError(f"The network returned {type(scores).__name__}, not a tensor of scores [samples, classes].")
    return scores


class Supervised:
    """The plain objective: the mean loss of a batch, each sample with its weight."""

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
