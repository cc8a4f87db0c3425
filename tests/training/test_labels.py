"""Labels that are drawn for every epoch, and what counts as right in training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ferbench import Batch, MultiCrop, Objective, Recipe, Sample, SquaredHinge, StepContext, StepResult
from ferbench.nouns.emotions import LabelKind
from ferbench.training.job import Job
from ferbench.training.labels import drawn_labels
from ferbench.training.loop import train
from ferbench.training.tally import Tally
from tests.training.tiny import CLASSES, CPU, SIGNED, Memory, TinyNet, make_job, part, pictures, trained

RECIPE = Recipe(epochs=4, batch_size=12, input=SIGNED)
EVEN = np.tile(np.array([[0.5, 0.0, 0.5]], np.float32), (48, 1))


def job_of(
    targets: np.ndarray,
    kind: LabelKind,
    recipe: Recipe = RECIPE,
    watch: Memory | None = None,
    objective: Objective | None = None,
    sample: Sample | None = None,
) -> Job:
    """A training on the usual pictures with other labels."""
    job = make_job(recipe, watch, objective=objective)
    own = part(recipe, pictures(48)[0], targets, sample)
    return replace(job, parts={("train",): replace(own, label_kind=kind)})


def one_hot() -> np.ndarray:
    return np.asarray(np.eye(3, dtype=np.float32)[pictures(48)[1]])


def test_labels_are_drawn_as_often_as_their_shares_say() -> None:
    shares = np.tile(np.array([[0.0, 0.1, 0.6, 0.0, 0.3, 0.0]], np.float32), (20_000, 1))
    counts = np.bincount(drawn_labels(shares, np.random.default_rng(0)), minlength=6) / 20_000
    np.testing.assert_allclose(counts, shares[0], atol=0.01)
    assert counts[[0, 3, 5]].tolist() == [0, 0, 0]


class Seen:
    """An objective that writes down which label each picture had, epoch by epoch."""

    def __init__(self) -> None:
        self.labels: dict[int, dict[int, int]] = {}

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        assert batch.target.dtype == torch.int64
        pixels = batch.inputs["image"].flatten(1).double()
        keys = (pixels * torch.arange(1, pixels.shape[1] + 1)).sum(1).mul(1000).round().long().tolist()
        self.labels.setdefault(context.epoch, {}).update(zip(keys, batch.target.tolist(), strict=True))
        scores = net(batch.inputs["image"])
        return StepResult(nn.functional.cross_entropy(scores, batch.target), scores)


def seen(recipe: Recipe, watch: Memory | None = None) -> dict[int, dict[int, int]]:
    torch.set_num_threads(1)
    objective = Seen()
    train(TinyNet(), job_of(EVEN, "drawn", recipe, objective=objective, watch=watch))
    return objective.labels


def test_every_epoch_draws_labels_that_depend_on_nothing_but_the_seed() -> None:
    labels = seen(RECIPE)
    assert [len(each) for each in labels.values()] == [48] * 4
    assert {label for each in labels.values() for label in each.values()} == {0, 2}
    assert labels[0] != labels[1], "each epoch draws anew"
    other_batches = seen(RECIPE.model_copy(update={"batch_size": 16}))
    assert other_batches == labels, "a label does not depend on the batch in which its sample stands"


def test_a_training_that_goes_on_draws_what_it_would_have_drawn() -> None:
    torch.set_num_threads(1)
    whole = Memory()
    reference = train(TinyNet(), job_of(EVEN, "drawn", watch=whole))
    again = train(TinyNet(), job_of(EVEN, "drawn", watch=Memory(whole.kept[1])))
    assert [row["train_loss"] for row in again.history] == [row["train_loss"] for row in reference.history]
    assert all(torch.equal(value, again.last[key]) for key, value in reference.last.items())


def test_certain_labels_train_alike_whether_hard_or_drawn() -> None:
    torch.set_num_threads(1)
    for recipe in (RECIPE, RECIPE.model_copy(update={"loss": SquaredHinge()})):
        drawn = train(TinyNet(), job_of(one_hot(), "drawn", recipe))
        hard = trained(recipe)
        assert [row["train_loss"] for row in drawn.history] == [row["train_loss"] for row in hard.history]
        assert [row["train_score"] for row in drawn.history] == [row["train_score"] for row in hard.history]


def test_a_sampler_that_repeats_a_sample_repeats_its_label() -> None:
    twice = Sample(indices=np.repeat(np.arange(48), 2))
    torch.set_num_threads(1)
    objective = Seen()
    train(TinyNet(), job_of(EVEN, "drawn", RECIPE, objective=objective, sample=twice))
    assert objective.labels == seen(RECIPE)


def test_any_accepted_class_is_right_and_is_learnt() -> None:
    torch.set_num_threads(1)
    recipe = RECIPE.model_copy(update={"epochs": 12})
    flags = one_hot()
    flags[:, 2] = 1
    result = train(TinyNet(), job_of(flags, "accepted", recipe))
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]
    assert result.history[-1]["train_score"] > 0.9


@pytest.mark.parametrize(
    ("kind", "targets", "right"),
    [
        ("hard", torch.tensor([0, 1, 2]), 1 / 3),
        ("soft", torch.tensor([[0.6, 0.4, 0], [0.2, 0.8, 0], [0.4, 0.3, 0.3]]), 2 / 3),
        ("drawn", torch.tensor([1, 0, 0]), 2 / 3),
        ("accepted", torch.tensor([[1.0, 1, 0], [0, 1, 1], [1, 0, 1]]), 2 / 3),
    ],
)
def test_the_training_score_counts_what_the_labels_call_right(
    kind: LabelKind, targets: torch.Tensor, right: float
) -> None:
    tally = Tally(1, CPU, kind)
    scores = torch.tensor([[5.0, 0, 0], [1, 0, 0], [2, 1, 0]])
    tally.add(0, StepResult(torch.tensor(0.5), scores), targets, len(targets))
    assert tally.row(0, "single-label")["train_score"] == pytest.approx(right)
    assert len(CLASSES) == scores.shape[1]


def test_what_is_logged_as_a_tensor_is_averaged_as_numbers_are() -> None:
    tally = Tally(2, CPU)
    for step, value in enumerate((1.0, 2.0)):
        logs: dict[str, float | torch.Tensor] = {"number": value, "tensor": torch.tensor(value)}
        tally.add(step, StepResult(torch.tensor(0.5), torch.eye(3), logs), torch.arange(3), 3)
    row = tally.row(0, "single-label")
    assert (row["log_number"], row["log_tensor"]) == (1.5, 1.5)
    assert isinstance(row["log_tensor"], float)


class Placed:
    """An objective that writes down the label that stands at each place of the training side."""

    def __init__(self) -> None:
        self.labels: list[tuple[int, int]] = []

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        self.labels += zip(batch.index.tolist(), batch.target.tolist(), strict=True)
        scores = net(batch.inputs["image"])
        return StepResult(nn.functional.cross_entropy(scores.float(), batch.target), scores)


@pytest.mark.parametrize("crops", [1, 5])
def test_an_objective_is_told_which_samples_a_batch_holds_in_every_epoch(crops: int) -> None:
    placed, labels = Placed(), pictures(48)[1]
    several = (MultiCrop(size=9, count=5),) if crops == 5 else ()
    trained(
        RECIPE.model_copy(update={"epochs": 2, "augmentation": several}), objective=placed, size=9 if several else 12
    )
    wanted = [(place, int(label)) for place, label in enumerate(labels)]
    assert sorted(placed.labels) == sorted(wanted * 2 * crops)
