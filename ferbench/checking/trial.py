"""Short trainings of a model on made-up samples, by the engine that trains its cells, on the CPU in full precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from ferbench.checking.made_up import class_names, kind_of, labels, spec_of, split_of, streamed_split_of, task_of
from ferbench.checking.report import Subject
from ferbench.errors import PluginError
from ferbench.nouns.initial import DefaultInit
from ferbench.nouns.model import Model, NetSpec, Objective, RequiredCell
from ferbench.nouns.optimizers import Adam
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.reference import resolve
from ferbench.nouns.requirement import Requirement, requirements_of
from ferbench.nouns.sampler import Sample
from ferbench.nouns.schedules import Constant
from ferbench.nouns.settings import revised
from ferbench.nouns.split import Batch, Split
from ferbench.nouns.views import SingleView
from ferbench.plugins import Installed
from ferbench.training.feed import open_feed
from ferbench.training.initialise import initialise
from ferbench.training.job import Job, Part
from ferbench.training.loop import train
from ferbench.training.precision import Numerics, channels_last, seed_everything
from ferbench.training.prepare import Preparer, network_size, preparer_for

NUMERICS = Numerics(torch.device("cpu"), "fp32")
FEATURES = 16
"""Features that a stand-in gives for each sample."""
SURE = 4.0
"""Logit of what a stand-in says is right; with seven classes it gives that a probability of 0.9."""
CROPS = ("random-crop", "multi-crop", "ten-crop")
MARGIN = 1.125
"""Raw pictures are this much larger than what the network sees, where a recipe crops them."""


class EnoughError(Exception):
    """A trial has shown what it was to show."""


@dataclass
class Onlooker:
    """Keeps nothing, and calls back after each step and epoch; either may raise EnoughError."""

    after_step: Callable[[], None] = field(default=lambda: None)
    after_epoch: Callable[[], None] = field(default=lambda: None)

    def resume(self) -> None:
        """There is nothing to go on from."""

    def epoch_ended(self, history: list[dict[str, Any]], state: Callable[[], dict[str, Any]]) -> None:
        """An epoch ended."""
        self.after_epoch()

    def step_ended(self, epoch: int, step: int, steps: int) -> None:
        """A step ended; gradients are still there."""
        self.after_step()


@dataclass(frozen=True)
class StandIn:
    """In the place of a required cell: a network with fresh weights, scores drawn at random, and a teacher's logits."""

    id: str
    subject: Subject[Model]
    needed: Model
    spec: NetSpec
    count: int

    def scores(self, side: Literal["val", "out-of-fold"]) -> np.ndarray:
        """Probabilities, float32 [n, k]."""
        drawn = np.random.default_rng(len(side)).dirichlet(np.ones(self.spec.classes), self.count)
        return drawn.astype(np.float32)

    def network(self) -> nn.Module:
        """The required network, in evaluation mode. Raises PluginError for an estimator."""
        if self.needed.build is None:
            raise PluginError(f"{self.needed.full_name} is an estimator; it has no network.")
        with torch.random.fork_rng():
            return build(self.needed, spec_of(self.needed, **_alike(self.spec))).eval()

    def features(self) -> np.ndarray:
        """Numbers drawn at random, float32 [n, d]."""
        return np.random.default_rng(0).normal(size=(self.count, FEATURES)).astype(np.float32)

    def logits(self, batch: Batch) -> torch.Tensor:
        """What a cell that has learnt answers: the truth. Who imitates fresh weights cannot learn it as well."""
        truth: torch.Tensor = batch.target
        if self.spec.task == "regression":
            return truth
        if truth.ndim == 1:
            truth = nn.functional.one_hot(truth, self.spec.classes)
        return SURE * truth.float()


def _alike(spec: NetSpec) -> dict[str, int]:
    return {"classes": spec.classes, "channels": spec.channels, "size": spec.size}


def build(model: Model, spec: NetSpec, seed: int = 0) -> nn.Module:
    """Build and initialise a model's network. Raises PluginError when that is no torch.nn.Module."""
    seed_everything(seed)
    net = resolve(model.build)(spec, **model.options.model_dump())
    if not isinstance(net, nn.Module):
        raise PluginError(f"build returned {type(net).__name__}, not a torch.nn.Module.")
    if not isinstance(model.recipe.init, DefaultInit):
        initialise(net, model.recipe.init)
    return channels_last(net)


def objective_of(model: Model, spec: NetSpec) -> Objective | None:
    """A fresh objective of a model, or None where it trains with the recipe's loss."""
    if model.objective is None:
        return None
    made: Objective = resolve(model.objective)(spec, **model.options.model_dump())
    return made


def required_of(subject: Subject[Model], spec: NetSpec, count: int) -> dict[str, RequiredCell]:
    """Stand-ins for the cells that a model requires, by role."""
    installed = subject.everything()
    return {
        role: StandIn(f"stand-in-{role}", subject, _as_asked(needed, installed), spec, count)
        for role, needed in requirements_of(subject.item, subject.item.options).items()
    }


def _as_asked(needed: Requirement, installed: Installed) -> Model:
    """The required model with the options that are asked for."""
    model = installed.model(needed.model)
    return replace(model, options=revised(model.options, needed.options))


def given_of(subject: Subject[Model], count: int, classes: int, seed: int) -> dict[str, np.ndarray]:
    """Made-up scores or features of the cells that an estimator requires, float32 [n, d] by role."""
    needs = requirements_of(subject.item, subject.item.options)
    rng = np.random.default_rng((seed, classes))
    drawn = {
        role: rng.dirichlet(np.ones(classes), count) if needed.gives == "scores" else rng.normal(size=(count, FEATURES))
        for role, needed in needs.items()
        if needed.gives
    }
    return {role: values.astype(np.float32) for role, values in drawn.items()}


def samples_for(model: Model, spec: NetSpec, count: int, seed: int = 0) -> Split:
    """Made-up training samples of the shapes that ``spec`` names; clips stream, and differ in length."""
    task = task_of(model)
    kind = kind_of(task, model.label_kinds)
    shapes = spec.inputs or {"image": (spec.channels, spec.size, spec.size)}  # an estimator may take no pictures
    made = streamed_split_of if model.modality == "video" else split_of
    return made(shapes, labels(kind, count, spec.classes, seed), spec.classes, kind, seed)


def plain(recipe: Recipe, lr: float, epochs: int) -> Recipe:
    """A recipe's loss and way of reading pictures, with Adam, and without all that makes training harder or longer."""
    last = recipe.planned_stages()[-1]
    return recipe.model_copy(
        update={
            "epochs": epochs,
            "batch_size": 16,
            "stages": (),
            "loss": last.loss,
            "optimizer": Adam(lr=lr),
            "schedule": Constant(),
            "augmentation": (),
            "tta": SingleView(),
            "input": recipe.input.model_copy(update={"size": None}),
            "init_from": None,
            "selection": "last",
            "early_stopping": None,
            "ema": None,
            "val_every": 1.0,
            "val_batch_size": 16,
        }
    )


def short(recipe: Recipe, epochs: int = 2) -> Recipe:
    """A recipe as it is, over an epoch of each stage (two where there is one), in small batches."""
    brief = recipe.with_epochs(len(recipe.stages) or epochs)
    return brief.model_copy(
        update={
            "batch_size": min(recipe.batch_size, 8),
            "stages": tuple(stage.model_copy(update={"batch_size": None}) for stage in brief.stages),
            "init_from": None,
            "selection": "last",
            "early_stopping": None,
            "val_every": 1.0,
            "val_batch_size": 16,
        }
    )


def raw_size(recipe: Recipe, wanted: int) -> int:
    """The side of raw pictures of which the recipe makes what the network sees."""
    crops = any(op.name in CROPS for op in (*recipe.augmentation, recipe.tta))
    return recipe.input.size or (int(wanted * MARGIN) if crops else wanted)


def seen_size(recipe: Recipe, raw: int) -> int:
    """The side of the pictures that the network sees. Raises SettingsError where the recipe's crops do not fit."""
    return network_size(raw, recipe.input, recipe.augmentation, recipe.tta)


def preparer_of(model: Model, recipe: Recipe, split: Split) -> Preparer:
    """What turns raw pictures into the network's input, as the recipe says."""
    return preparer_for(split, recipe.input, model.inputs, model.modality)


def part_of(split: Split, recipe: Recipe, repeated: int = 1) -> Part:
    """Samples ready to be trained on, each ``repeated`` times an epoch."""
    indices = np.tile(np.arange(len(split)), repeated) if repeated > 1 else None
    return Part(
        open_feed(split, recipe.input, NUMERICS.device, 0),
        np.asarray(split.targets),
        Sample(indices=indices),
        split.label_kind,
    )


def job_of(
    subject: Subject[Model],
    recipe: Recipe,
    spec: NetSpec,
    split: Split,
    onlooker: Onlooker,
    objective: Objective | None,
    repeated: int = 1,
) -> Job:
    """One training of ``split``; val is its first two samples."""
    part = part_of(split, recipe, repeated)
    return Job(
        recipe=recipe,
        seed=0,
        task=spec.task,
        classes=class_names(spec.classes),
        numerics=NUMERICS,
        preparer=preparer_of(subject.item, recipe, split),
        size=spec.size,
        parts={stage.sides: part for stage in recipe.planned_stages()},
        val=part_of(split.take(np.arange(2)), recipe),
        watch=onlooker,
        objective=objective,
        required=required_of(subject, spec, len(split)),
    )


def run(net: nn.Module, job: Job) -> Mapping[str, Any] | None:
    """Train; return the last weights and the history, or None where an onlooker had seen enough."""
    try:
        trained = train(net, job)
    except EnoughError:
        return None
    return {"weights": trained.last, "losses": [row.get("train_loss") for row in trained.history]}
