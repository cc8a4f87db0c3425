"""How often val is looked at, and what counts the looks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ferbench import SGD, EarlyStopping, Plateau, RandomCrop, Recipe, SettingsError, Stage, TenCrop
from ferbench.training.loop import look_ends, train
from tests.training.test_golden import assert_same
from tests.training.tiny import SIGNED, Memory, TinyNet, make_job, scores_of, trained

RECIPE = Recipe(epochs=4, batch_size=6, optimizer=SGD(lr=0.05), input=SIGNED)  # eight steps an epoch
STILL = SGD(lr=1e-12, momentum=0.0)


def changed(**changes: Any) -> Recipe:
    return RECIPE.model_copy(update=changes)


@pytest.mark.parametrize(
    ("steps", "every", "ends"),
    [(8, 0.25, [2, 4, 6, 8]), (7, 1 / 3, [2, 4, 7]), (3, 0.1, [1, 2, 3]), (5, 1.0, [5]), (5, 3.0, [5])],
)
def test_looks_divide_an_epoch_evenly(steps: int, every: float, ends: list[int]) -> None:
    assert look_ends(steps, every) == ends


def test_looks_within_an_epoch_have_rows_of_their_own_and_train_the_same() -> None:
    often, once = trained(changed(val_every=0.25)), trained(RECIPE)
    assert [(row["epoch"], row["step"]) for row in often.history[:5]] == [(0, 2), (0, 4), (0, 6), (0, 8), (1, 10)]
    assert [row["samples"] for row in often.history] == [12] * 16
    assert len({row["val_loss"] for row in often.history}) == 16
    last = [row for row in often.history if row["step"] % 8 == 0]
    assert [row["val_loss"] for row in last] == [row["val_loss"] for row in once.history], "looking changes nothing"
    means = [sum(row["train_loss"] for row in often.history[start : start + 4]) / 4 for start in (0, 4, 8, 12)]
    assert means == pytest.approx([row["train_loss"] for row in once.history])


def test_each_look_may_find_the_best_weights() -> None:
    often = trained(changed(val_every=0.25, monitor="loss"), val_shift=1)
    assert often.history[0]["val_score"] == max(row["val_score"] for row in often.history)
    once = trained(changed(monitor="loss"), val_shift=1)
    assert often.best_epoch == once.best_epoch == 0
    assert often.best["head.bias"].tolist() != once.best["head.bias"].tolist()


def test_val_is_left_out_between_looks_but_not_at_the_end_of_a_stage() -> None:
    recipe = changed(val_every=3.0, stages=(Stage(epochs=4), Stage(epochs=2)))
    history = trained(recipe).history
    assert [row["val_score"] is not None for row in history] == [False, False, True, True, False, True]
    assert [row["val_loss"] is not None for row in history] == [False, False, True, True, False, True]


def test_early_stopping_counts_looks_and_stops_at_one() -> None:
    recipe = changed(optimizer=STILL, early_stopping=EarlyStopping(patience=5), val_every=0.25)
    watch = Memory()
    result = trained(recipe, watch, TinyNet(norm=False))
    assert [row["step"] for row in result.history] == [2, 4, 6, 8, 10, 12]
    assert len(watch.kept) == 2
    assert_same(trained(recipe, Memory(watch.kept[1]), TinyNet(norm=False)), result)
    rarely = changed(optimizer=STILL, early_stopping=EarlyStopping(patience=1), val_every=2.0, epochs=9)
    assert len(trained(rarely, net=TinyNet(norm=False)).history) == 4


@pytest.mark.parametrize("looks", [False, True])
def test_a_look_sees_the_middle_or_all_ten_crops_as_the_recipe_says(looks: bool) -> None:
    views = TenCrop(size=8, mean="logit", looks=looks)
    recipe = changed(epochs=1, augmentation=(RandomCrop(size=8),), tta=views, selection="oracle")
    result = trained(recipe, test=True, size=8)
    job = make_job(recipe, test=True, size=8)
    assert job.test is not None
    for side, part in (("val", job.val), ("test", job.test)):
        scores = scores_of(result.last, recipe, part)
        of_label = scores[range(len(scores)), part.targets]
        ten = pytest.approx(float(-np.log(of_label).mean()), rel=1e-5)
        assert (result.history[0][f"{side}_loss"] == ten) is looks


def test_a_plateau_counts_looks() -> None:
    recipe = changed(optimizer=STILL, schedule=Plateau(patience=1, factor=0.5), val_every=0.5, epochs=3)
    rates = [row["lr"] for row in trained(recipe, net=TinyNet(norm=False)).history]
    assert rates == [1e-12] * 3 + [5e-13] * 2 + [2.5e-13]


@pytest.mark.parametrize("every", [0.5, 2.0])
def test_a_training_with_other_looks_goes_on_from_wherever_it_stopped(every: float) -> None:
    recipe = changed(val_every=every, schedule=Plateau(patience=0, factor=0.5, monitor="accuracy"))
    whole = Memory()
    expected = trained(recipe, whole, TinyNet(dropout=0.3))
    for kept in whole.kept[:3]:
        assert_same(trained(recipe, Memory(kept), TinyNet(dropout=0.3)), expected)


def test_a_plateau_by_accuracy_is_refused_where_there_is_none() -> None:
    job = make_job(changed(schedule=Plateau(monitor="accuracy")))
    with pytest.raises(SettingsError, match="no meaning for the task regression"):
        train(TinyNet(), type(job)(**{**vars(job), "task": "regression"}))
