"""The training loop.

All randomness of an epoch follows from the cell's seed and the epoch's number alone, so a training that goes on after
a kill repeats exactly what an uninterrupted one does.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ferbench.nouns.model import Objective, StepContext
from ferbench.nouns.recipe import Stage
from ferbench.nouns.split import Batch, View
from ferbench.training.batches import epoch_batches
from ferbench.training.freezing import select_trainable, train_mode
from ferbench.training.inference import monitored, score_samples
from ferbench.training.job import Job, Part, Progress, Trained
from ferbench.training.labels import relabelled
from ferbench.training.losses import Supervised, make_loss
from ferbench.training.mixing import mix
from ferbench.training.optim import LearningRate, make_optimizer
from ferbench.training.precision import seed_everything
from ferbench.training.prepare import crops_of
from ferbench.training.step import Stepper, training_step
from ferbench.training.tally import Tally
from ferbench.training.terms import Term, make_terms, with_terms

State = dict[str, Any]


def train(net: nn.Module, job: Job) -> Trained:
    """Train ``net`` as the recipe says, going on from the watch's kept state where there is one.

    Raises TrainingError when a loss is not finite (with epoch and step), memory does not suffice, scores have the
    wrong shape, a stage's patterns name no parameter, or the network has no features for a term.
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
        self.objective = with_terms(job.objective or _supervised(job, stage, self.part), terms)
        learning = [parameter for parameter in net.parameters() if parameter.requires_grad]
        learning += list(getattr(self.objective, "parameters", list)())
        self.optimizer = make_optimizer(_known(stage.optimizer), learning)
        self.steps = len(self._batches(progress.epoch - progress.stage_epoch))
        self.rate = LearningRate(_known(stage.schedule), self.optimizer, self.steps * stage.epochs, stage.epochs)
        ema = job.recipe.ema
        self.average = _averaged(net, ema.decay) if ema else None
        if kept:
            self._restore(kept)
        crops = crops_of(_known(stage.augmentation))
        self.stepper = Stepper(net, self.objective, self.optimizer, job.numerics, job.allow_microbatch, crops)

    def run(self) -> None:
        """Train until the stage's epochs are over or early stopping ends it."""
        progress, stopping = self.progress, self.job.recipe.early_stopping
        while progress.stage_epoch < self.stage.epochs:
            if stopping and progress.stale >= stopping.patience:
                break
            row = self._epoch()
            self._judge(row)
            progress.history.append(row)
            progress.epoch, progress.stage_epoch = progress.epoch + 1, progress.stage_epoch + 1
            self.job.watch.epoch_ended(progress.history, self._state)
        if self.average:
            self.net.load_state_dict(self.average.module.state_dict())

    def _epoch(self) -> dict[str, Any]:
        job, progress, device = self.job, self.progress, self.job.numerics.device
        epoch, ema = progress.epoch, self.job.recipe.ema
        seed_everything(mixed_seed(job.seed, epoch))
        batches = self._batches(epoch)
        augmenting = np.random.default_rng((job.seed, 3, epoch))
        drawing = np.random.default_rng((job.seed, 4, epoch))
        labels = self.part.labels((job.seed, 6, epoch))
        tally = Tally(len(batches), device, self.part.label_kind)
        train_mode(self.net)
        view = View(frames=job.recipe.input.train_frames, training=True)
        feed = self.part.feed.batches(batches, view, (job.seed, 2, epoch))
        for step, (indices, raw) in enumerate(zip(batches, feed, strict=True)):
            lr = self.rate.before_step(progress.stage_epoch * self.steps + step, progress.stage_epoch)
            given = self._weighted(relabelled(raw, labels, indices), indices)
            batch = job.preparer.train(given, _known(self.stage.augmentation), augmenting)
            batch = mix(batch, _known(self.stage.augmentation), len(job.classes), augmenting)
            context = StepContext(epoch, progress.step, progress.stage, job.classes, device, drawing, job.required)
            result, chunks = training_step(self.stepper, batch, context, progress.micro_batches)
            tally.add(step, result, batch.target, len(indices))
            progress.micro_batches = max(progress.micro_batches, chunks)
            progress.step += 1
            if self.average and ema and progress.step % ema.every == 0:
                self.average.update_parameters(self.net)
            job.watch.step_ended(epoch, step + 1, len(batches))
        row = {"epoch": epoch, "stage": progress.stage, "lr": lr, **tally.row(epoch, job.task)}
        progress.seconds += row["seconds"]
        return row

    def _judge(self, row: dict[str, Any]) -> None:
        """Add the val score to an epoch's row; keep the weights if they are the best so far."""
        job, progress = self.job, self.progress
        judged = self.average.module if self.average else self.net
        score, loss = self._score(judged, job.val)
        row.update(val_score=score, val_loss=loss)
        self.rate.after_epoch(score, loss)
        if job.test is not None:
            row["test_score"], row["test_loss"] = self._score(judged, job.test)
        chosen_by = row["test_score"] if job.recipe.selection == "oracle" else score
        if job.recipe.selection != "last" and chosen_by > progress.best_score:
            progress.best, progress.best_score, progress.best_epoch = weights_of(judged), chosen_by, progress.epoch
        stopping = job.recipe.early_stopping
        if score > progress.stage_best + (stopping.min_delta if stopping else 0.0):
            progress.stage_best, progress.stale = score, 0
        else:
            progress.stale += 1

    def _score(self, net: nn.Module, part: Part) -> tuple[float, float]:
        job = self.job
        scores = score_samples(net, part.feed, job.preparer, job.recipe, job.numerics, job.task, job.size)
        return monitored(job.task, job.recipe.monitor, part.targets, scores)

    def _batches(self, epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng((self.job.seed, 1, epoch))
        return epoch_batches(len(self.part.feed), self.part.sample, self.job.recipe.batch_size, rng)

    def _weighted(self, batch: Batch, indices: np.ndarray) -> Batch:
        weights = self.part.sample.weights
        if weights is None:
            return batch
        weight = torch.from_numpy(np.asarray(weights, np.float32)[indices]).to(self.job.numerics.device)
        return Batch(batch.inputs, batch.target, batch.mask, weight)

    def _state(self) -> State:
        stateful = hasattr(self.objective, "state_dict")
        return {
            "progress": self.progress.plain(),
            "best": self.progress.best,
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state(),
            "average": self.average.state_dict() if self.average else None,
            "objective": self.objective.state_dict() if stateful else None,  # type: ignore[attr-defined]
        }

    def _restore(self, kept: State) -> None:
        self.net.load_state_dict(kept["net"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.rate.restore(kept["rate"])
        if self.average:
            self.average.load_state_dict(kept["average"])
        if kept["objective"] is not None:
            self.objective.load_state_dict(kept["objective"])  # type: ignore[attr-defined]


def _supervised(job: Job, stage: Stage, part: Part) -> Objective:
    loss = make_loss(_known(stage.loss), part.targets, len(job.classes), job.numerics.device, part.label_kind)
    return Supervised(loss)


def _averaged(net: nn.Module, decay: float) -> AveragedModel:
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(net, multi_avg_fn=average, use_buffers=True)


def _known(value: Any) -> Any:
    """A planned stage has every part filled in."""
    assert value is not None
    return value


def mixed_seed(seed: int, epoch: int) -> int:
    """A seed for torch from the cell's seed and an epoch, without the overlaps that a sum would have."""
    return int(np.random.SeedSequence((seed, 0, epoch)).generate_state(1, np.uint64)[0] >> 1)
