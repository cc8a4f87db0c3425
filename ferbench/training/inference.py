"""Scores of a trained network, and the val score by which weights are chosen."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn

from ferbench.errors import TrainingError
from ferbench.nouns.augmentation import Augmentation
from ferbench.nouns.emotions import Task
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.split import Batch, View
from ferbench.nouns.views import FiveCrop, FlipView, GridViews, RandomViews, SingleView, TenCrop, TestViews
from ferbench.training.feed import Feed
from ferbench.training.grid_views import move
from ferbench.training.losses import call_network, check_scores
from ferbench.training.pixels import is_picture
from ferbench.training.precision import Numerics
from ferbench.training.prepare import Preparer
from ferbench.training.view_checks import drawn_augmentation
from ferbench.training.views import expand_views, merge_views, side_by_side, view_count


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

    ``tta`` defaults to one view. The network is left in evaluation mode. Raises SettingsError or TrainingError for
    views that the recipe or the samples cannot give.
    """
    views = tta or SingleView()
    draws = drawn_augmentation(recipe) if isinstance(views, RandomViews) else ()
    crop = None if isinstance(views, FiveCrop | TenCrop) else size
    count = view_count(views)
    batch_size = max(1, recipe.val_batch_size // count)
    indices = np.arange(len(feed))
    batches = [indices[start : start + batch_size] for start in range(0, len(feed), batch_size)]
    net.eval()
    parts = []
    with torch.inference_mode(), numerics.autocast():
        for place, raw in enumerate(feed.batches(batches, View(frames=recipe.input.test_frames), (0,))):
            if isinstance(views, RandomViews):
                batch = _drawn(raw, views, draws, preparer, place)
            else:
                batch = _expanded(raw, views, preparer, crop, recipe)
            scores = call_network(net, batch)
            check_scores(scores, len(raw.target) * count, scores.shape[-1])
            parts.append(merge_views(scores, count, views, task))
    return torch.cat(parts).cpu().numpy()


def _expanded(
    raw: Batch,
    views: SingleView | FlipView | FiveCrop | TenCrop | GridViews,
    preparer: Preparer,
    crop: int | None,
    recipe: Recipe,
) -> Batch:
    if isinstance(views, SingleView):
        return preparer.test(raw, crop, recipe.augmentation)
    name = _one_picture(raw, preparer, views)
    if isinstance(views, GridViews):
        with torch.autocast(raw.target.device.type, enabled=False):  # pictures are made in full precision
            batch = preparer.test(raw, crop, recipe.augmentation, partial(move, tta=views))
        return Batch({name: batch.inputs[name]}, None)
    batch = preparer.test(raw, crop, recipe.augmentation)
    return Batch({name: expand_views(batch.inputs[name], views)}, None)


def _drawn(
    raw: Batch, views: RandomViews, augmentation: tuple[Augmentation, ...], preparer: Preparer, place: int
) -> Batch:
    """Draw all views of a batch; each has a generator of its own, so that nothing depends on who reads the batches."""
    name = _one_picture(raw, preparer, views)
    drawn = []
    with torch.autocast(raw.target.device.type, enabled=False):  # pictures are made as in training, in full precision
        for view in range(views.count):
            batch = preparer.train(raw, augmentation, np.random.default_rng((views.seed, view, place)))
            drawn.append(batch.inputs[name])
    return Batch({name: side_by_side(drawn)}, None)


def _one_picture(raw: Batch, preparer: Preparer, views: TestViews) -> str:
    """The name of the only input. Raises TrainingError where there are several, or it is no picture."""
    name, *others = preparer.inputs or raw.inputs
    if others or not is_picture(raw.inputs[name]):
        held = f"several inputs ({', '.join((name, *others))})" if others else f"{name}, which is no picture"
        raise TrainingError(f"{views.name} views are of one picture a sample, and these samples hold {held}.")
    return name


def monitored(task: Task, monitor: str, targets: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Return the score (higher is better) and the loss of predictions; accuracy where labels are single.

    Both are NaN where some of the ``scores`` are not finite: no look at val is worse.
    """
    if not np.isfinite(scores).all():  # the first of several NaN counts as the highest: accuracy would be class 0's
        return float("nan"), float("nan")
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
