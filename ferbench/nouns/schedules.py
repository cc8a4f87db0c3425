"""Learning-rate schedules, as plain data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ferbench.nouns.settings import Settings

Milestone = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(gt=0, lt=1)]


class Scheduling(Settings):
    """What every schedule has.

    ``warmup_epochs``: the learning rate first rises linearly, step by step, to what the schedule begins with, from
    ``warmup_start`` times that; cosine and one-cycle then run over the rest of the stage, while milestones and plateaus
    count from its beginning. ``min_lr``: it never falls below this afterwards.
    """

    warmup_epochs: float = Field(0.0, ge=0)
    warmup_start: float = Field(0.01, ge=0, le=1)
    min_lr: float = Field(0.0, ge=0)

    def stretched(self, factor: float) -> Scheduling:
        """The same schedule over ``factor`` times the epochs."""
        return self.model_copy(update={"warmup_epochs": self.warmup_epochs * factor})


class Constant(Scheduling):
    """The learning rate stays as it is."""

    name: Literal["constant"] = "constant"


class Step(Scheduling):
    """Multiply by ``factor`` when each of the ``milestones`` (epochs of the stage) is reached.

    Several factors belong to the milestones one by one (× 1/2 at 20, then × 1/5 at 40). Or, with ``every``: at epoch
    ``after``, and every so many epochs from there. Epochs count from 0. (Wujie's code says "every 5 after 80", and
    first multiplies at epoch 85: ``every = 5, after = 85, factor = 0.9``.)
    """

    name: Literal["step"] = "step"
    milestones: tuple[Milestone, ...] = ()
    every: int | None = Field(None, ge=1)
    after: int = Field(0, ge=0, description="first epoch at which `every` multiplies (0: after `every` epochs)")
    factor: Factor | tuple[Factor, ...] = 0.1

    @model_validator(mode="after")
    def _one_rule(self) -> Step:
        if bool(self.milestones) == (self.every is not None):
            raise ValueError("a step schedule needs either milestones or every, and not both")
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError("milestones must ascend")
        if isinstance(self.factor, tuple) and len(self.factor) != len(self.milestones):
            raise ValueError("a step schedule needs one factor, or one for each milestone")
        return self

    def stretched(self, factor: float) -> Step:
        """See :meth:`Scheduling.stretched`; every milestone keeps at least one epoch before it.

        Milestones that fall together are one, unless each has a factor of its own.
        """
        moved = [max(1, round(milestone * factor)) for milestone in self.milestones]
        milestones = tuple(moved if isinstance(self.factor, tuple) else sorted(set(moved)))
        every = None if self.every is None else max(1, round(self.every * factor))
        changes = {"milestones": milestones, "every": every, "after": self.after and max(1, round(self.after * factor))}
        return self.model_copy(update={**changes, "warmup_epochs": self.warmup_epochs * factor})


class Cosine(Scheduling):
    """Half a cosine from the learning rate to ``min_lr``, step by step (Loshchilov and Hutter 2017).

    Over the stage, or, with ``restart_every``, again and again over so many epochs, each period ``growth`` times as
    long as the one before (periods are rounded to whole steps). ``warm_restarts``: every period begins with the
    warm-up, which is a part of it; else there is one, before the first.
    """

    name: Literal["cosine"] = "cosine"
    restart_every: float | None = Field(None, gt=0)
    growth: float = Field(1.0, ge=1)
    warm_restarts: bool = False

    @model_validator(mode="after")
    def _room_for_the_warm_up(self) -> Cosine:
        if self.warm_restarts and not 0 < self.warmup_epochs < (self.restart_every or 0):
            raise ValueError("warm_restarts needs warmup_epochs above 0, and a restart_every that is longer")
        return self

    def stretched(self, factor: float) -> Cosine:
        """See :meth:`Scheduling.stretched`."""
        period = None if self.restart_every is None else self.restart_every * factor
        return self.model_copy(update={"restart_every": period, "warmup_epochs": self.warmup_epochs * factor})


class OneCycle(Scheduling):
    """Rise linearly to the learning rate over the first ``warmup`` share of the stage, then fall linearly to zero."""

    name: Literal["one-cycle"] = "one-cycle"
    warmup: float = Field(0.25, ge=0, le=1)
    start: float = Field(0.05, ge=0, le=1, description="first learning rate, as a share of the highest")


class Plateau(Scheduling):
    """Multiply by ``factor`` when more than ``patience`` looks at val in a row were no better, and count anew.

    With ``patience`` 0 that is at each that is no better; torch's ReduceLROnPlateau counts alike. Better means better
    than the best so far by more than ``threshold`` (a difference, not a share). ``monitor``: ``score`` is the recipe's
    own, by which weights are chosen.
    """

    name: Literal["plateau"] = "plateau"
    factor: float = Field(0.1, gt=0, lt=1)
    patience: int = Field(10, ge=0)
    threshold: float = Field(0.0, ge=0)
    monitor: Literal["score", "accuracy", "loss"] = "score"


Schedule = Annotated[Constant | Step | Cosine | OneCycle | Plateau, Field(discriminator="name")]
