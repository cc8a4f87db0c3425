"""Scores of a trained network, and the val score by which weights are chosen."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ferbench.errors import TrainingError
from ferbench.nouns.emotions import Task
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.split import Batch, View
from ferbench.nouns.views import SingleView, TestViews
from ferbench.training.feed import Feed
from ferbench.training.losses import call_network, check_scores
from ferbench.training.precision import Numerics
from ferbench.training.prepare import Preparer
from ferbench.training.views import expand_views, merge_views

TEST_BATCH = 256
"""Pictures in a batch at test, all views counted: fixed, so that predictions never depend on free memory."""


def score_samples(
    net: nn.Module,
    feed: Feed,
    preparer: Preparer,
    recipe: Recipe,
    numerics: Numerics,
    task: Task,
    size: int,
    tta: TestViews | None = None,
) -> np.ndarray:
    """Return float32 [n, k]: probabilities (or values of a regression) of every sample of ``feed``, in its order.

    ``tta`` defaults to one view. The network is left in evaluation mode.
    """
    views = tta or SingleView()
    crop = None if views.name == "ten-crop" else size
    count = {"none": 1, "flip": 2, "ten-crop": 10}[views.name]
    batch_size = max(1, TEST_BATCH // count)
    indices = np.arange(len(feed))
    batches = [indices[start : start + batch_size] for start in range(0, len(feed), batch_size)]
    net.eval()
    parts = []
    with torch.inference_mode(), numerics.autocast():
        for batch in feed.batches(batches, View(frames=recipe.input.test_frames), (0,)):
            parts.append(_score_batch(net, preparer.test(batch, crop, recipe.augmentation), views, task))
    return torch.cat(parts).cpu().numpy()


def _score_batch(net: nn.Module, batch: Batch, views: TestViews, task: Task) -> torch.Tensor:
    if len(batch.inputs) > 1 or views.name == "none":
        scores = call_network(net, batch)
        check_scores(scores, len(batch.target), scores.shape[-1])
        return merge_views(scores, 1, views, task)
    ((name, picture),) = batch.inputs.items()
    expanded, count = expand_views(picture, views)
    scores = call_network(net, Batch({name: expanded.contiguous(memory_format=torch.channels_last)}, None))
    check_scores(scores, len(expanded), scores.shape[-1])
    return merge_views(scores, count, views, task)


def monitored(task: Task, monitor: str, targets: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Return the score (higher is better) and the loss of predictions; accuracy where labels are single."""
    loss = mean_loss(task, targets, scores)
    if monitor == "loss" or (monitor == "auto" and task in ("multi-label", "regression")):
        return -loss, loss
    if task in ("multi-label", "regression"):
        raise TrainingError(f'recipe.monitor = "accuracy" has no meaning for the task {task}; use "loss".')
    truth = targets if targets.ndim == 1 else targets.argmax(axis=1)
    return float(np.mean(scores.argmax(axis=1) == truth)), loss


def mean_loss(task: Task, targets: np.ndarray, scores: np.ndarray) -> float:
    """Mean squared error of a regression, binary cross-entropy of several labels, else the log loss."""
    if task == "regression":
        return float(np.mean((scores - targets) ** 2, dtype=np.float64))
    p = np.clip(scores.astype(np.float64), 1e-7, 1.0)
    if task == "multi-label":
        q = np.clip(1 - scores.astype(np.float64), 1e-7, 1.0)
        return float(-np.mean(np.sum(targets * np.log(p) + (1 - targets) * np.log(q), axis=1)))
    if targets.ndim == 1:
        return float(-np.mean(np.log(p[np.arange(len(p)), targets])))
    return float(-np.mean(np.sum(targets * np.log(p), axis=1)))
