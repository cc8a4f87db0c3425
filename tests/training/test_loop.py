"""What the training loop does with the parts of a recipe."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn

from ferbench import (
    EMA,
    SGD,
    Batch,
    Constant,
    CrossEntropy,
    EarlyStopping,
    MultiCrop,
    Plateau,
    Recipe,
    ResizedCrop,
    Sample,
    Stage,
    StepContext,
    StepResult,
    TrainingError,
)
from ferbench.training.job import Part, Trained
from tests.training.tiny import SIGNED, Memory, TinyNet, loaded, make_job, scores_of, trained

RECIPE = Recipe(epochs=6, batch_size=12, optimizer=SGD(lr=0.05), input=SIGNED)
ALL = 4 * RECIPE.epochs
STILL = SGD(lr=1e-12, momentum=0.0)


def changed(**changes: Any) -> Recipe:
    """The recipe with changes."""
    return RECIPE.model_copy(update=changes)


def after(watch: Memory, epoch: int, what: str = "net") -> dict[str, Any]:
    """The weights that were kept after an epoch."""
    state: dict[str, Any] = loaded(watch.kept[epoch])[what]
    return state


def accuracy(scores: np.ndarray, part: Part) -> float:
    return float(np.mean(scores.argmax(axis=1) == part.targets))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(value, other[key]) for key, value in one.items())


def test_early_stopping_waits_its_patience_and_no_longer() -> None:
    still = changed(optimizer=STILL, early_stopping=EarlyStopping(patience=3), epochs=10)
    assert len(trained(still, net=TinyNet(norm=False)).history) == 1 + 3
    learning = changed(early_stopping=EarlyStopping(patience=3), epochs=10, monitor="loss")
    assert len(trained(learning).history) == 10
    impatient = changed(early_stopping=EarlyStopping(patience=2, min_delta=10.0), epochs=10, monitor="loss")
    assert len(trained(impatient).history) == 1 + 2


def test_every_stage_has_early_stopping_of_its_own() -> None:
    stages = (Stage(epochs=5, optimizer=STILL), Stage(epochs=5), Stage(epochs=5, optimizer=STILL))
    recipe = changed(stages=stages, early_stopping=EarlyStopping(patience=2), monitor="loss")
    history = trained(recipe, net=TinyNet(norm=False)).history
    assert [row["stage"] for row in history] == [0] * 3 + [1] * 5 + [2] * 3


@pytest.mark.parametrize("selection", ["best-val", "last", "oracle"])
def test_selection_takes_the_weights_that_it_says(selection: Literal["best-val", "last", "oracle"]) -> None:
    recipe = changed(selection=selection, optimizer=SGD(lr=0.2), epochs=8)
    watch, needs_test = Memory(), selection == "oracle"
    # The labels of val are wrong, so that its score is best at first, and that of test later.
    result = trained(recipe, watch, val_shift=1, test=needs_test)
    column = {"best-val": "val_score", "oracle": "test_score"}.get(selection)
    by = [row[column] for row in result.history] if column else range(len(result.history))
    assert result.best_epoch == int(np.argmax(by))
    assert result.best_epoch in {"best-val": [0], "oracle": range(1, 7), "last": [7]}[selection]
    assert same(result.best, after(watch, result.best_epoch))
    assert same(result.last, after(watch, -1))
    assert needs_test == ("test_score" in result.history[0]), "test is looked at for the oracle alone"


def test_the_history_tells_how_the_network_of_each_epoch_scores() -> None:
    watch = Memory()
    history = trained(RECIPE, watch).history
    job = make_job(RECIPE)
    for epoch, row in enumerate(history):
        scores = scores_of(after(watch, epoch), RECIPE, job.val)
        assert row["val_score"] == accuracy(scores, job.val)
        assert row["val_loss"] == pytest.approx(float(-np.log(scores[np.arange(24), job.val.targets]).mean()), rel=1e-6)
    assert [row["samples"] for row in history] == [48] * RECIPE.epochs
    assert watch.steps == ALL
    assert history[-1]["train_loss"] < history[0]["train_loss"]


def test_a_stage_s_own_patience_and_batch_size_replace_the_recipe_s() -> None:
    own = Stage(epochs=9, optimizer=STILL, early_stopping=EarlyStopping(patience=4), batch_size=24)
    recipe = changed(stages=(Stage(epochs=9, optimizer=STILL), own), early_stopping=EarlyStopping(patience=2))
    history = trained(recipe, net=TinyNet(norm=False)).history
    assert [row["stage"] for row in history] == [0] * (1 + 2) + [1] * (1 + 4)
    steps = [row["step"] for row in history]
    of_an_epoch = [after - before for before, after in zip([0, *steps], steps, strict=False)]
    assert of_an_epoch == [4] * 3 + [2] * 5, "48 pictures in batches of 12, then of 24"


def test_a_batch_that_does_not_fit_is_mended_where_its_size_is_set() -> None:
    def hungry(net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        if len(batch.target) > 12:
            raise torch.OutOfMemoryError("no memory")
        scores = net(batch.inputs["image"])
        return StepResult(nn.functional.cross_entropy(scores, batch.target), scores)

    own = changed(stages=(Stage(epochs=1), Stage(epochs=1, batch_size=24)))
    with pytest.raises(TrainingError, match=r"Set recipe\.stages\.1\.batch_size=12"):
        trained(own, objective=hungry)
    with pytest.raises(TrainingError, match=r"Set recipe\.batch_size=12"):
        trained(changed(batch_size=24, stages=(Stage(epochs=1),)), objective=hungry)


@pytest.mark.parametrize("start", ["best", "last"])
def test_a_stage_starts_from_the_weights_that_it_names(start: Literal["best", "last"]) -> None:
    stages = (Stage(epochs=4, optimizer=SGD(lr=0.2)), Stage(epochs=1, trainable=("head.*",), start=start))
    watch = Memory()
    result = trained(changed(stages=stages), watch, val_shift=1)
    assert result.best_epoch == 0
    begun = after(watch, 0 if start == "best" else 3)
    assert torch.equal(result.last["conv.weight"], begun["conv.weight"])
    assert torch.equal(result.last["norm.running_mean"], begun["norm.running_mean"]), "frozen statistics stay as well"
    assert not torch.equal(result.last["head.weight"], begun["head.weight"])
    assert not torch.equal(after(watch, 0)["conv.weight"], after(watch, 3)["conv.weight"])


def test_the_average_of_the_weights_is_what_is_judged_and_kept() -> None:
    recipe, watch = changed(ema=EMA(decay=0.9)), Memory()
    result = trained(recipe, watch)
    job = make_job(recipe)
    for epoch, row in enumerate(result.history):
        average = {
            key.removeprefix("module."): value
            for key, value in after(watch, epoch, "average").items()
            if key.startswith("module.")
        }
        truth = np.arange(24), job.val.targets
        judged = -np.log(scores_of(average, recipe, job.val)[truth]).mean()
        raw = -np.log(scores_of(after(watch, epoch), recipe, job.val)[truth]).mean()
        assert row["val_loss"] == pytest.approx(float(judged), rel=1e-6)
        assert row["val_loss"] != pytest.approx(float(raw), rel=1e-3)
        if epoch == result.best_epoch:
            assert same(result.best, average)
    assert same(result.last, average)
    plain = trained(RECIPE)
    assert [row["train_loss"] for row in result.history] == [row["train_loss"] for row in plain.history]


def test_an_average_of_every_second_step_is_updated_half_as_often() -> None:
    watch = Memory()
    trained(changed(ema=EMA(every=2)), watch)
    assert int(after(watch, -1, "average")["n_averaged"]) == ALL // 2


class BlindAtFirst(TinyNet):
    """One whose scores of val are not finite until it has been asked ``looks`` times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits, NaN instead of the first ones in evaluation mode."""
        if self.training or self.looks <= 0:
            return super().forward(x)
        self.looks -= 1
        return super().forward(x) * torch.nan


def test_a_look_without_finite_scores_is_worse_than_any_other() -> None:
    wrong = changed(monitor="accuracy", early_stopping=EarlyStopping(patience=2))
    result = trained(wrong, net=BlindAtFirst(1), val_shift=1)  # no later look is as good as always naming one class
    assert [np.isnan(row["val_score"]) for row in result.history[:2]] == [True, False]
    assert result.best_epoch > 0
    never = trained(wrong, net=BlindAtFirst(99))
    assert len(never.history) == 2, "each such look counts as no better"
    assert same(never.best, never.last)


def test_a_plateau_lowers_the_learning_rate_when_the_val_score_stays() -> None:
    still = changed(optimizer=STILL, schedule=Plateau(patience=1, factor=0.5))
    rates = [row["lr"] for row in trained(still, net=TinyNet(norm=False)).history]
    assert rates == [1e-12] * 3 + [5e-13] * 2 + [2.5e-13]


def losses(result: Trained) -> list[float]:
    return [row["train_loss"] for row in result.history]


def test_weights_of_samples_and_of_classes_act_alike() -> None:
    labels = make_job(RECIPE).parts["train",].targets
    by_class = np.array([0.0, 1.0, 2.0], np.float32)
    of_classes = trained(changed(loss=CrossEntropy(class_weights=(0.0, 1.0, 2.0))))
    of_samples = trained(RECIPE, sample=Sample(weights=by_class[labels]))
    assert losses(of_classes) == losses(of_samples)
    assert same(of_classes.last, of_samples.last)
    assert losses(trained(RECIPE)) != losses(of_samples)
    predicted = scores_of(of_samples.last, RECIPE, make_job(RECIPE).val).argmax(axis=1)
    assert 0 not in predicted, "a class without weight is never learnt"


def test_the_indices_of_a_sampler_are_what_an_epoch_consists_of() -> None:
    two_classes = np.flatnonzero(make_job(RECIPE).parts["train",].targets != 2)
    result = trained(RECIPE, sample=Sample(indices=np.repeat(two_classes, 2)))
    assert [row["samples"] for row in result.history] == [2 * len(two_classes)] * RECIPE.epochs
    predicted = scores_of(result.last, RECIPE, make_job(RECIPE).val).argmax(axis=1)
    assert set(predicted.tolist()) == {0, 1}, "a class that is left out is never learnt"


class Counting(nn.Module):
    """A tiny network that writes down how many samples it sees in training."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.seen = TinyNet(), list[int]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        if self.training:
            self.seen.append(len(x))
        logits: torch.Tensor = self.inner(x)
        return logits


def test_a_sampler_may_divide_an_epoch_into_batches_itself() -> None:
    def pairs(indices: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        return [indices[:size], indices[size : size + 2]]

    net = Counting()
    result = trained(changed(epochs=2), net=net, sample=Sample(batches=pairs))
    assert net.seen == [12, 2, 12, 2]
    assert [row["samples"] for row in result.history] == [14, 14]


def test_a_rule_that_gives_no_batches_is_named() -> None:
    with pytest.raises(TrainingError, match="The sampler divided an epoch into no batches"):
        trained(RECIPE, sample=Sample(batches=lambda indices, size, rng: []))


def test_an_epoch_is_shuffled_anew_each_time_and_by_the_seed_alone() -> None:
    from ferbench.training.batches import epoch_batches

    orders = [np.concatenate(epoch_batches(48, Sample(), 12, np.random.default_rng((3, 1, epoch)))) for epoch in (0, 1)]
    assert orders[0].tolist() != orders[1].tolist()
    constant = changed(schedule=Constant(), optimizer=STILL)
    first, second = trained(constant), trained(constant)
    assert losses(first) == losses(second)


def test_an_epoch_counts_pictures_however_many_crops_are_made_of_each() -> None:
    net = Counting()
    result = trained(changed(augmentation=(MultiCrop(size=9, count=5),), epochs=2), net=net, size=9)
    assert net.seen == [5 * 12] * 8
    for row in result.history:
        assert row["samples"] == 48
        assert row["images_per_second"] == pytest.approx(48 / row["seconds"])
        right = row["train_score"] * 5 * 48
        assert right == pytest.approx(round(right)) and 0 < row["train_score"] <= 1


def test_val_sees_whole_pictures_of_the_size_that_training_resizes_crops_to() -> None:
    sizes = set()

    class Watching(TinyNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sizes.add((self.training, *x.shape[2:]))
            return super().forward(x)

    trained(changed(augmentation=(ResizedCrop(size=9),), epochs=1), net=Watching(), size=9)
    assert sizes == {(True, 9, 9), (False, 9, 9)}
