"""The recipe: everything about a training, as plain validated data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ferbench.nouns.augmentation import MIXING, Augmentation
from ferbench.nouns.initial import DefaultInit, Init, InitFrom
from ferbench.nouns.losses import HARD_ONLY, CrossEntropy, Loss, Term
from ferbench.nouns.optimizers import SGD, Optimizer
from ferbench.nouns.schedules import Constant, Schedule, Scheduling
from ferbench.nouns.settings import Settings
from ferbench.nouns.views import SingleView, TestViews


class Input(Settings):
    """How raw pixels become a network's input.

    ``size``: pictures are resized to this many pixels first (None: as they are). ``channels``: 1 (colour is turned to
    grey) or 3 (grey is repeated); None: as they are. ``equalise``: each picture's histogram is spread evenly, after
    augmentation; not with ``mean-std``, which is of raw pixels. ``normalise``: ``unit`` [0, 1], ``signed`` [−1, 1],
    ``imagenet`` (ImageNet's mean and standard deviation), ``mean-std`` (of the training split), ``each`` (of each
    picture), or ``plane``: scaled to [−1, 1], each picture's plane of light taken off and divided by its standard
    deviation (Barsoum et al. 2016's code). Every frame of a clip is such a picture. Of signals each channel is
    normalised: ``mean-std`` (of the training split) or ``each`` (of each window); ``unit`` leaves them as they are.
    """

    size: int | None = Field(None, gt=0)
    channels: Literal[1, 3] | None = None
    equalise: bool = False
    normalise: Literal["unit", "signed", "imagenet", "mean-std", "each", "plane"] = "unit"
    interpolation: Literal["bilinear", "nearest", "bicubic"] = "bilinear"
    train_frames: int | None = Field(None, gt=0, description="frames of a clip read in training (None: all)")
    test_frames: int | None = Field(None, gt=0, description="frames of a clip read at test (None: all)")

    @model_validator(mode="after")
    def _one_light(self) -> Input:
        if self.equalise and self.normalise == "mean-std":
            raise ValueError(
                "mean-std are of raw pixels, and equalise changes these: normalise by unit, signed, each or plane"
            )
        return self


class EarlyStopping(Settings):
    """Stop after ``patience`` looks at val in a row whose score rose by no more than ``min_delta``."""

    patience: int = Field(gt=0)
    min_delta: float = Field(0.0, ge=0)


class EMA(Settings):
    """Exponential moving average of the weights, updated every ``every`` steps; val and test see the average."""

    decay: float = Field(0.999, gt=0, lt=1)
    every: int = Field(1, ge=1)


class Stage(Settings):
    """A part of a training with settings of its own; what is None is the recipe's.

    ``trainable``: patterns of the parameter names that learn, the others are frozen (``*``: all that the network does
    not freeze by itself). ``sides``: what it trains on; a stage that sees val forbids selection on val. ``start``: go
    on from the last weights, or from the best so far. ``sparsity``: this share of each layer's weights, the smallest
    ones, is set to zero when the stage begins and stays there until it ends (dense-sparse-dense training).
    """

    epochs: int = Field(gt=0)
    trainable: tuple[str, ...] = ("*",)
    sides: tuple[Literal["train", "val"], ...] = ("train",)
    start: Literal["last", "best"] = "last"
    sparsity: float = Field(0.0, ge=0, lt=1)
    optimizer: Optimizer | None = None
    schedule: Schedule | None = None
    loss: Loss | None = None
    augmentation: tuple[Augmentation, ...] | None = None
    batch_size: int | None = Field(None, gt=0)
    early_stopping: EarlyStopping | None = None


class Recipe(Settings):
    """Everything about a training.

    ``stages`` replaces ``epochs`` where a training has several parts. ``selection``: which weights are reported:
    ``best-val`` (highest val score), ``last``, or ``oracle`` (highest test score; shown, never ranked).
    ``monitor``: the val score by which selection, early stopping and plateaus go; ``auto`` is accuracy where labels
    are single, else the loss. ``precision``: ``auto`` follows a fixed rule for each device. ``terms`` are added to the
    loss. ``dropout`` replaces the rate of every dropout layer that the network has; ``drop_path`` that of its
    stochastic depth, rising linearly from 0 at the first layer to this at the last. ``val_every``: epochs between two
    looks at val (2: after every second, and after a stage's last), or one part of an epoch (0.25: four times in each);
    selection, early stopping and plateaus count looks. ``val_batch_size``: pictures in a batch at val and
    test, all views counted.
    """

    epochs: int = Field(10, gt=0)
    batch_size: int = Field(128, gt=0)
    optimizer: Optimizer = SGD()
    schedule: Schedule = Constant()
    loss: Loss = CrossEntropy()
    terms: tuple[Term, ...] = ()
    init: Init = DefaultInit()
    init_from: InitFrom | None = None
    dropout: float | None = Field(None, ge=0, lt=1)
    drop_path: float | None = Field(None, ge=0, lt=1)
    input: Input = Input()
    augmentation: tuple[Augmentation, ...] = ()
    tta: TestViews = SingleView()
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    selection: Literal["best-val", "last", "oracle"] = "best-val"
    monitor: Literal["auto", "accuracy", "loss"] = "auto"
    val_every: float = Field(1.0, gt=0)
    val_batch_size: int = Field(256, gt=0)
    early_stopping: EarlyStopping | None = None
    ema: EMA | None = None
    stages: tuple[Stage, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.selection != "last" and any("val" in stage.sides for stage in self.stages):
            raise ValueError('a stage trains on val, so weights cannot be selected on it: set selection = "last"')
        if self.selection == "last" and any(stage.start == "best" for stage in self.stages):
            raise ValueError('a stage starts from the best weights, and selection = "last" keeps none: start = "last"')
        if not _regular(self.val_every):
            raise ValueError(
                f"val_every = {self.val_every:g} is neither a whole number of epochs nor one part of an epoch "
                "(0.5, 0.25, 0.2, 0.1, …)"
            )
        if any("train" not in stage.sides for stage in self.stages):
            raise ValueError('every stage must train on "train"')
        for stage in self.planned_stages():
            mixing = [op.name for op in stage.augmentation or () if isinstance(op, MIXING)]
            _check_learning_rate(stage)
            if mixing and stage.loss and stage.loss.name in HARD_ONLY:
                raise ValueError(f"{mixing[0]} makes soft labels, and the loss {stage.loss.name} takes hard ones alone")
        return self

    @property
    def total_epochs(self) -> int:
        """Epochs of all stages together."""
        return sum(stage.epochs for stage in self.planned_stages())

    def planned_stages(self) -> tuple[Stage, ...]:
        """The stages with everything filled in; one where the recipe names none."""
        stages = self.stages or (Stage(epochs=self.epochs),)
        return tuple(
            stage.model_copy(
                update={
                    "optimizer": stage.optimizer or self.optimizer,
                    "schedule": stage.schedule or self.schedule,
                    "loss": stage.loss or self.loss,
                    "augmentation": self.augmentation if stage.augmentation is None else stage.augmentation,
                    "batch_size": stage.batch_size or self.batch_size,
                    "early_stopping": stage.early_stopping or self.early_stopping,
                }
            )
            for stage in stages
        )

    def with_epochs(self, epochs: int) -> Recipe:
        """The same recipe over ``epochs`` epochs: stages and milestones are scaled, each stage keeps at least one.

        A warm-up is never longer than the stage to which it belongs.
        """
        factor = epochs / self.total_epochs
        scaled = [max(1, round(stage.epochs * factor)) for stage in self.stages]
        stages = tuple(
            stage.model_copy(
                update={"epochs": count, "schedule": _fitted(stage.schedule, factor, count) if stage.schedule else None}
            )
            for stage, count in zip(self.stages, scaled, strict=True)
        )
        theirs = [count for stage, count in zip(self.stages, scaled, strict=True) if stage.schedule is None]
        shortest = min(theirs, default=epochs)  # of the stages that have the recipe's own schedule
        return self.model_copy(
            update={"epochs": epochs, "stages": stages, "schedule": _fitted(self.schedule, factor, shortest)}
        )


def _fitted(schedule: Schedule, factor: float, epochs: int) -> Scheduling:
    """The schedule over ``factor`` times the epochs, of which a stage has ``epochs``: its own may be rounded down."""
    stretched = schedule.stretched(factor)
    return stretched.model_copy(update={"warmup_epochs": min(stretched.warmup_epochs, epochs)})


def _regular(val_every: float) -> bool:
    """Whether looks are whole epochs apart, or divide an epoch evenly; 0.33 is meant as a third."""
    parts = val_every if val_every >= 1 else 1 / val_every
    return abs(parts - round(parts)) <= (0.0 if val_every >= 1 else 0.05)


def _check_learning_rate(stage: Stage) -> None:
    schedule, optimizer = stage.schedule, stage.optimizer
    if schedule and schedule.warmup_epochs > stage.epochs:
        raise ValueError(
            f"the warm-up of {schedule.warmup_epochs:g} epochs is longer than its stage, which has {stage.epochs}"
        )
    if schedule and optimizer and schedule.min_lr > optimizer.lr:
        raise ValueError(f"schedule.min_lr ({schedule.min_lr:g}) is above the learning rate ({optimizer.lr:g})")
