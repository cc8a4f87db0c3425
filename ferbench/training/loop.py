"""The training loop.

All randomness of an epoch follows from the cell's seed and the epoch's number alone, so a training that goes on after
a kill repeats exactly what an uninterrupted one does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ferbench.errors import Problem, SettingsError
from ferbench.nouns.model import Objective, StepContext, StepResult
from ferbench.nouns.recipe import Recipe, Stage
from ferbench.nouns.schedules import Plateau, Schedule
from ferbench.nouns.split import Batch, View
from ferbench.nouns.views import TenCrop
from ferbench.training.batches import epoch_batches
from ferbench.training.compiling import compile_network
from ferbench.training.freezing import select_trainable, train_mode
from ferbench.training.inference import monitored, score_samples
from ferbench.training.job import Job, Part, Progress, Trained
from ferbench.training.labels import relabelled
from ferbench.training.losses import Supervised, batch_weights, class_weights, make_loss
from ferbench.training.mixing import mix
from ferbench.training.optim import make_optimizer
from ferbench.training.precision import seed_everything
from ferbench.training.prepare import crops_of
from ferbench.training.pruning import Masks, found, hold, pruned
from ferbench.training.schedule import LearningRate
from ferbench.training.stateful import State, stateful
from ferbench.training.step import Stepper, training_step
from ferbench.training.tally import Tally
from ferbench.training.terms import Term, make_terms, with_terms

Stepped = tuple[float, StepResult, torch.Tensor, int]
"""A step's learning rate, its result, the targets of its batch and the number of its samples."""


def train(net: nn.Module, job: Job) -> Trained:
    """Train ``net`` as the recipe says, going on from the watch's kept state where there is one.

    Raises TrainingError when a loss is not finite (with epoch and step), memory does not suffice, scores have the
    wrong shape, or the network has no features for a term, and SettingsError when a stage's or a parameter group's
    patterns name no parameter.
    """
    progress, kept = Progress(), job.watch.resume()
    if kept:
        progress = Progress(**kept["progress"], best=kept["best"])
    stages = job.recipe.planned_stages()
    learnable = frozenset(name for name, parameter in net.named_parameters() if parameter.requires_grad)
    terms = make_terms(job.recipe.terms, net, len(job.classes), job.numerics.device)
    while progress.stage < len(stages):
        stage = stages[progress.stage]
        if kept is None and stage.start == "best" and progress.best is not None:
            net.load_state_dict(progress.best)
        select_trainable(net, stage.trainable, learnable)
        StageRun(net, job, stage, progress, kept, terms).run()
        kept = None
        progress.stage, progress.stage_epoch = progress.stage + 1, 0
        progress.stage_best, progress.stale = -math.inf, 0
    last = weights_of(net)
    samples = sum(row["samples"] for row in progress.history)
    return Trained(
        best=progress.best or last,
        last=last,
        best_epoch=progress.best_epoch if progress.best else progress.epoch - 1,
        history=progress.history,
        micro_batches=progress.micro_batches,
        images_per_second=samples / progress.seconds if progress.seconds else math.nan,
    )


def weights_of(net: nn.Module) -> State:
    """A copy of all weights and buffers, on the CPU, laid out as safetensors wants them."""
    return {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in net.state_dict().items()
    }


class StageRun:
    """One stage of a training."""

    def __init__(
        self, net: nn.Module, job: Job, stage: Stage, progress: Progress, kept: State | None, terms: tuple[Term, ...]
    ) -> None:
        self.net, self.job, self.stage, self.progress = net, job, stage, progress
        self.part: Part = job.parts[stage.sides]
        inner = job.objective or _supervised(job, stage, self.part)
        stateful(inner)  # what could not be resumed is told now, and not when the first state is kept
        self.objective = with_terms(inner, terms)
        self.of_classes = None if job.objective else _of_classes(job, stage, self.part)
        settings, schedule = _known(stage.optimizer), _known(stage.schedule)
        own = list(getattr(self.objective, "parameters", list)())
        self.optimizer = make_optimizer(settings, net.named_parameters(), own)
        self.steps = len(self._batches(progress.epoch - progress.stage_epoch))
        self.rate = LearningRate(schedule, self.optimizer, settings.lr, self.steps * stage.epochs, stage.epochs)
        self.by_accuracy = _by_accuracy(schedule, job)
        ema = job.recipe.ema
        self.masks: Masks = () if kept else pruned(net, stage.sparsity)
        self.average = _averaged(net, ema.decay) if ema else None
        if kept:
            self._restore(kept)
            self.masks = found(net, stage.sparsity)
        if job.compiled:
            compile_network(net)
            if self.average:
                compile_network(self.average.module)
        crops, micro = crops_of(_known(stage.augmentation)), job.allow_microbatch
        key = _size_key(job.recipe, progress.stage)
        self.stepper = Stepper(net, self.objective, self.optimizer, job.numerics, micro, settings, crops, key)

    def run(self) -> None:
        """Train until the stage's epochs are over or early stopping ends it."""
        progress = self.progress
        while progress.stage_epoch < self.stage.epochs and not self._stopped():
            self._epoch()
            progress.epoch, progress.stage_epoch = progress.epoch + 1, progress.stage_epoch + 1
            self.job.watch.epoch_ended(progress.history, self._state)
        if self.average:
            self.net.load_state_dict(self.average.module.state_dict())

    def _stopped(self) -> bool:
        stopping = self.stage.early_stopping
        return stopping is not None and self.progress.stale >= stopping.patience

    def _epoch(self) -> None:
        """Train an epoch in as many parts as val is looked at; each is a row of the history."""
        progress, every = self.progress, self.job.recipe.val_every
        seed_everything(mixed_seed(self.job.seed, progress.epoch))
        batches = self._batches(progress.epoch)
        steps, done = self._steps(batches), 0
        for end in look_ends(len(batches), every):
            row = self._part(steps, done, end)
            if every <= 1 or (progress.stage_epoch + 1) % every == 0 or progress.stage_epoch + 1 == self.stage.epochs:
                self._judge(row)
            progress.history.append(row)
            done = end
            if self._stopped():
                break

    def _part(self, steps: Iterator[Stepped], start: int, end: int) -> dict[str, Any]:
        """Train from step ``start`` of an epoch to ``end``; return the row of the history."""
        progress = self.progress
        tally = Tally(end - start, self.job.numerics.device, self.part.label_kind, start)
        train_mode(self.net)
        for number in range(end - start):
            lr, result, target, samples = next(steps)
            tally.add(number, result, target, samples)
        trained = tally.row(progress.epoch, self.job.task)
        progress.seconds += trained["seconds"]
        place = {"epoch": progress.epoch, "stage": progress.stage, "step": progress.step, "lr": lr}
        return {**place, **trained, "val_score": None, "val_loss": None}

    def _steps(self, batches: list[np.ndarray]) -> Iterator[Stepped]:
        """Train a step at a time."""
        job, progress, device = self.job, self.progress, self.job.numerics.device
        epoch, ema = progress.epoch, self.job.recipe.ema
        augmenting = np.random.default_rng((job.seed, 3, epoch))
        drawing = np.random.default_rng((job.seed, 4, epoch))
        labels = self.part.labels((job.seed, 6, epoch))
        view = View(frames=job.recipe.input.train_frames, training=True)
        feed = self.part.feed.batches(batches, view, (job.seed, 2, epoch))
        for step, (indices, raw) in enumerate(zip(batches, feed, strict=True)):
            lr = self.rate.before_step(progress.stage_epoch * self.steps + step, progress.stage_epoch)
            given = self._described(relabelled(raw, labels, indices), indices)
            batch = job.preparer.train(given, _known(self.stage.augmentation), augmenting)
            batch = mix(batch, _known(self.stage.augmentation), len(job.classes), augmenting)
            context = StepContext(epoch, progress.step, progress.stage, job.classes, device, drawing, job.required)
            result, chunks = training_step(self.stepper, batch, context, progress.micro_batches)
            hold(self.masks)
            progress.micro_batches = max(progress.micro_batches, chunks)
            progress.step += 1
            if self.average and ema and progress.step % ema.every == 0:
                self.average.update_parameters(self.net)
            job.watch.step_ended(epoch, step + 1, len(batches))
            yield lr, result, batch.target, len(indices)

    def _judge(self, row: dict[str, Any]) -> None:
        """Add a look at val to a row of the history; keep the weights if they are the best so far."""
        job, progress = self.job, self.progress
        judged = self.average.module if self.average else self.net
        seen = self._look(judged, job.val)
        score = seen["score"]
        row.update(val_score=score, val_loss=seen["loss"])
        self.rate.after_look(seen)
        chosen_by = score
        if job.test is not None:
            test = self._look(judged, job.test)
            row.update(test_score=test["score"], test_loss=test["loss"])
            chosen_by = test["score"] if job.recipe.selection == "oracle" else score
        if job.recipe.selection != "last" and chosen_by > progress.best_score:
            progress.best, progress.best_score, progress.best_epoch = weights_of(judged), chosen_by, progress.epoch
        stopping = self.stage.early_stopping
        if score > progress.stage_best + (stopping.min_delta if stopping else 0.0):
            progress.stage_best, progress.stale = score, 0
        else:
            progress.stale += 1

    def _look(self, net: nn.Module, part: Part) -> dict[str, float]:
        """Score and loss on a side, and the accuracy where a plateau goes by it."""
        job, views = self.job, self.job.recipe.tta
        tta = views if isinstance(views, TenCrop) and views.looks else None
        scores = score_samples(net, part.feed, job.preparer, job.recipe, job.numerics, job.task, job.size, tta)
        score, loss = monitored(job.task, job.recipe.monitor, part.targets, scores)
        seen = {"score": score, "loss": loss}
        if self.by_accuracy:
            seen["accuracy"], _ = monitored(job.task, "accuracy", part.targets, scores)
        return seen

    def _batches(self, epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng((self.job.seed, 1, epoch))
        return epoch_batches(len(self.part.feed), self.part.sample, _known(self.stage.batch_size), rng)

    def _described(self, batch: Batch, indices: np.ndarray) -> Batch:
        """The batch with the place of each sample, and with its weight relative to the mean of the batch's."""
        weights, device = self.part.sample.weights, self.job.numerics.device
        index = torch.from_numpy(np.asarray(indices, np.int64)).to(device, non_blocking=True)
        own = None if weights is None else torch.from_numpy(np.asarray(weights, np.float32)[indices]).to(device)
        return replace(batch, index=index, weight=batch_weights(own, self.of_classes, batch.target))

    def _state(self) -> State:
        owner = stateful(self.objective)
        return {
            "progress": self.progress.plain(),
            "best": self.progress.best,
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state(),
            "average": self.average.state_dict() if self.average else None,
            "objective": None if owner is None else owner.state_dict(),
        }

    def _restore(self, kept: State) -> None:
        self.net.load_state_dict(kept["net"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.rate.restore(kept["rate"])
        if self.average:
            self.average.load_state_dict(kept["average"])
        if (owner := stateful(self.objective)) is not None:
            owner.load_state_dict(kept["objective"])


def look_ends(steps: int, val_every: float) -> list[int]:
    """The steps of an epoch (counted from 1) after which a part of it ends: all ``val_every`` epochs, and at the end.

    >>> look_ends(10, 0.25)
    [2, 5, 7, 10]
    """
    parts = min(steps, 1 if val_every >= 1 else round(1 / val_every))
    return [steps * number // parts for number in range(1, parts + 1)]


def _by_accuracy(schedule: Schedule, job: Job) -> bool:
    """Whether a plateau goes by the accuracy. Raises SettingsError where the task has none."""
    wanted = isinstance(schedule, Plateau) and schedule.monitor == "accuracy"
    if wanted and job.task in ("multi-label", "regression"):
        message = f'"accuracy" has no meaning for the task {job.task}; use "loss" or "score"'
        raise SettingsError([Problem("recipe.schedule.monitor", message)])
    return wanted


def _supervised(job: Job, stage: Stage, part: Part) -> Objective:
    loss = make_loss(_known(stage.loss), part.targets, len(job.classes), job.numerics.device, part.label_kind)
    return Supervised(loss)


def _of_classes(job: Job, stage: Stage, part: Part) -> torch.Tensor | None:
    return class_weights(_known(stage.loss), part.targets, len(job.classes), job.numerics.device, part.label_kind)


def _size_key(recipe: Recipe, stage: int) -> str:
    """The setting that says how large the batches of a stage are."""
    own = recipe.stages and recipe.stages[stage].batch_size
    return f"recipe.stages.{stage}.batch_size" if own else "recipe.batch_size"


def _averaged(net: nn.Module, decay: float) -> AveragedModel:
    average = get_ema_multi_avg_fn(decay)
    return AveragedModel(net, multi_avg_fn=average, use_buffers=True)


def _known(value: Any) -> Any:
    """A planned stage has every part filled in."""
    assert value is not None
    return value


def mixed_seed(seed: int, epoch: int) -> int:
    """A seed for torch from the cell's seed and an epoch, without the overlaps that a sum would have."""
    return int(np.random.SeedSequence((seed, 0, epoch)).generate_state(1, np.uint64)[0] >> 1)
