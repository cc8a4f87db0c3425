"""One step of training, and scores of several views at test."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from ferbench import SGD, Batch, CrossEntropy, FlipView, RandomCrop, Recipe, StepContext, StepResult, TenCrop
from ferbench.errors import TrainingError
from ferbench.evaluating.scoring import NetworkScorer
from ferbench.evaluating.setup import Setup
from ferbench.nouns.views import SingleView, TestViews
from ferbench.training.inference import score_samples
from ferbench.training.losses import Supervised, make_loss
from ferbench.training.optim import make_optimizer
from ferbench.training.prepare import Preparer
from ferbench.training.step import Stepper, training_step
from tests.training.tiny import CLASSES, CPU, NUMERICS, SIDE, SIGNED, TinyNet, make_job, pictures

RECIPE = Recipe(input=SIGNED)
PLAIN = SGD(lr=0.1, momentum=0.0)
CONTEXT = StepContext(0, 0, 0, CLASSES, CPU, np.random.default_rng(0))


def prepared(count: int = 20, weighted: bool = False) -> Batch:
    """Pictures as a network is given them."""
    values, labels = pictures(count)
    raw = Batch({"image": torch.from_numpy(values).unsqueeze(1)}, torch.from_numpy(labels))
    batch = Preparer(SIGNED).test(raw)
    return Batch(batch.inputs, batch.target, None, torch.linspace(0, 2, count) if weighted else None)


def make_stepper(net: nn.Module, objective: Any = None, allow: bool = False) -> Stepper:
    """A stepper with plain descent."""
    settings = CrossEntropy(label_smoothing=0.1, class_weights=(1.0, 2.0, 0.5))
    supervised = Supervised(make_loss(settings, np.zeros(1, np.int64), 3, CPU))
    optimizer = make_optimizer(PLAIN, net.named_parameters())
    return Stepper(net, objective or supervised, optimizer, NUMERICS, allow, PLAIN)


@pytest.mark.parametrize("chunks", [2, 3, 20])
@pytest.mark.parametrize("weighted", [False, True])
def test_micro_batches_give_the_gradient_of_the_whole_batch(chunks: int, weighted: bool) -> None:
    batch, nets = prepared(weighted=weighted), [TinyNet(norm=False) for _ in range(2)]
    results = [
        training_step(make_stepper(net), batch, CONTEXT, pieces) for net, pieces in zip(nets, (1, chunks), strict=True)
    ]
    (whole_result, _), (parts_result, used) = results
    assert used == chunks
    torch.testing.assert_close(parts_result.loss, whole_result.loss)
    torch.testing.assert_close(parts_result.scores, whole_result.scores)
    for a, b in zip(*(net.parameters() for net in nets), strict=True):
        assert a.grad is not None
        assert a.grad.abs().max() > 0
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-4, atol=1e-7)


class Hungry:
    """An objective that finds no memory for more than ``most`` samples."""

    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        if len(batch.target) > self.most:
            raise torch.OutOfMemoryError("no memory")
        scores = net(batch.inputs["image"])
        return StepResult(nn.functional.cross_entropy(scores, batch.target), scores)


def test_a_batch_too_large_is_halved_until_it_fits_where_that_is_allowed() -> None:
    result, chunks = training_step(make_stepper(TinyNet(), Hungry(5), allow=True), prepared(), CONTEXT, 1)
    assert (chunks, result.scores.shape) == (4, (20, 3))


def test_a_batch_too_large_is_refused_with_the_size_that_fits() -> None:
    with pytest.raises(TrainingError, match="at batch size 20; 10 would fit"):
        training_step(make_stepper(TinyNet(), Hungry(10)), prepared(), CONTEXT, 1)
    with pytest.raises(TrainingError, match="not even one sample"):
        training_step(make_stepper(TinyNet(), Hungry(0), allow=True), prepared(), CONTEXT, 1)


def test_the_size_that_fits_counts_pictures_of_the_data_set_not_their_crops() -> None:
    stepper = replace(make_stepper(TinyNet(), Hungry(5)), crops=5)
    with pytest.raises(TrainingError, match="at batch size 4; 1 would fit"):
        training_step(stepper, prepared(), CONTEXT, 1)


def by_hand(net: nn.Module, x: torch.Tensor, views: TestViews) -> torch.Tensor:
    """Scores of several views, a sample and a view at a time."""
    net.eval()
    rows = []
    for picture in x:
        seen = [picture]
        if isinstance(views, FlipView):
            seen = [picture, picture.flip(2)]
        elif isinstance(views, TenCrop):
            low, middle = SIDE - views.size, (SIDE - views.size) // 2
            places = [(0, 0), (0, low), (low, 0), (low, low), (middle, middle)]
            cut = [
                each[:, y : y + views.size, x : x + views.size]
                for each in (picture, picture.flip(2))
                for y, x in places
            ]
            seen = cut
        with torch.inference_mode():
            logits = torch.cat([net(view[None]) for view in seen])
        after = not isinstance(views, SingleView) and views.mean == "logit"
        rows.append(logits.mean(0).softmax(0) if after else logits.softmax(1).mean(0))
    return torch.stack(rows)


VIEWS = [SingleView(), FlipView(), FlipView(mean="logit"), TenCrop(size=8), TenCrop(size=8, mean="logit")]


@pytest.mark.parametrize("views", VIEWS, ids=str)
def test_final_scores_are_the_mean_over_the_views_of_the_recipe(views: TestViews) -> None:
    torch.set_num_threads(1)
    recipe = RECIPE.model_copy(update={"tta": views})
    setup = cast("Setup", SimpleNamespace(recipe=recipe, dataset=SimpleNamespace(task="single-label")))
    net, size = TinyNet(), views.size if isinstance(views, TenCrop) else SIDE
    scorer = NetworkScorer(setup, net, NUMERICS, Preparer(SIGNED), size)
    values, labels = pictures(24)
    split: Any = SimpleNamespace(arrays={"image": values}, targets=labels)
    found = scorer.scores(split)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(net, prepared(24).inputs["image"], views).numpy(), rtol=1e-5)
    alone = scorer.scores(split, SingleView())
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert np.allclose(found, alone) == isinstance(views, SingleView), "the views matter"


def test_val_is_judged_by_the_middle_that_a_random_crop_leaves() -> None:
    recipe = RECIPE.model_copy(update={"augmentation": (RandomCrop(size=8),)})
    net, part = TinyNet(), make_job(recipe).val
    found = score_samples(net, part.feed, Preparer(SIGNED), recipe, NUMERICS, "single-label", 8)
    values, _ = pictures(24, first=48)
    middle = torch.from_numpy(values[:, None, 2:10, 2:10]).float() / 127.5 - 1
    np.testing.assert_allclose(found, by_hand(net, middle, SingleView()).numpy(), rtol=1e-5)
