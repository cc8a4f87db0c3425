"""Optimizers, as plain data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ferbench.nouns.settings import Settings

LearningRate = Annotated[float, Field(gt=0)]
WeightDecay = Annotated[float, Field(ge=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class ParameterGroup(Settings):
    """Parameters whose names match one of ``patterns`` (``head.*``), with values of their own.

    ``lr_factor`` multiplies the learning rate, whatever the schedule makes of it (its ``min_lr`` included);
    ``weight_decay`` replaces the optimizer's. A parameter belongs to the first group that matches it. Parameters of an
    objective (centres) have no name here: they have the optimizer's own values.
    """

    patterns: tuple[str, ...] = Field(min_length=1)
    lr_factor: float = Field(1.0, gt=0)
    weight_decay: WeightDecay | None = None


class SAM(Settings):
    """Sharpness-aware minimisation (Foret et al. 2021, Algorithm 1): the gradient at a step of length ``rho`` uphill.

    ``adaptive`` scales the step by the size of each weight (ASAM, Kwon et al. 2021). Each step costs two passes; both
    see the same random draws (dropout), running statistics are updated in the first alone, and it is the gradient of
    the second that is clipped.
    """

    rho: float = Field(0.05, gt=0)
    adaptive: bool = False


class Optimization(Settings):
    """What every optimizer has.

    ``decay_norm_and_bias``: whether weight decay also holds for biases and for the weights of normalisation layers (all
    parameters of fewer than two axes). ``clip_value`` cuts each element of the gradient to ± its value, as Wujie's
    trainer does; ``clip_norm`` scales the whole gradient down to this length. Where both are set, elements come first.
    """

    lr: LearningRate
    weight_decay: WeightDecay = 0.0
    decay_norm_and_bias: bool = True
    groups: tuple[ParameterGroup, ...] = ()
    clip_value: float | None = Field(None, gt=0)
    clip_norm: float | None = Field(None, gt=0)
    sam: SAM | None = None


class SGD(Optimization):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = "sgd"
    lr: LearningRate = 0.01
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> SGD:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class Adam(Optimization):
    """Adam; weight decay is added to the gradient (L2)."""

    name: Literal["adam"] = "adam"
    lr: LearningRate = 1e-3
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)


class AdamW(Optimization):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"] = "adamw"
    lr: LearningRate = 1e-3
    weight_decay: WeightDecay = 0.01
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)


class RAdam(Optimization):
    """Rectified Adam (Liu et al. 2020); ``decoupled``: weight decay as in AdamW instead of L2."""

    name: Literal["radam"] = "radam"
    lr: LearningRate = 1e-3
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)
    decoupled: bool = False


class TimmOptimizer(Optimization):
    """Any optimizer of timm by its name there (``lamb``, ``lion``, ``adan``, …); ``options`` are passed on to it."""

    name: Literal["timm"] = "timm"
    algorithm: str
    lr: LearningRate = 1e-3
    options: dict[str, Any] = Field(default_factory=dict)


Optimizer = Annotated[SGD | Adam | AdamW | RAdam | TimmOptimizer, Field(discriminator="name")]
