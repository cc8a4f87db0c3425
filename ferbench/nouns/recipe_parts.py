"""Optimizers, schedules, losses and initialisations, as plain data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferbench.nouns.settings import Settings

LearningRate = Annotated[float, Field(gt=0)]
WeightDecay = Annotated[float, Field(ge=0)]


class SGD(Settings):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = "sgd"
    lr: LearningRate = 0.01
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: WeightDecay = 0.0


class Adam(Settings):
    """Adam; weight decay is added to the gradient (L2)."""

    name: Literal["adam"] = "adam"
    lr: LearningRate = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: WeightDecay = 0.0


class AdamW(Settings):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"] = "adamw"
    lr: LearningRate = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: WeightDecay = 0.01


Optimizer = Annotated[SGD | Adam | AdamW, Field(discriminator="name")]


class Constant(Settings):
    """The learning rate stays as it is."""

    name: Literal["constant"] = "constant"


class Step(Settings):
    """Multiply by ``factor`` when each of the ``milestones`` (epochs of the stage) is reached."""

    name: Literal["step"] = "step"
    milestones: tuple[Annotated[int, Field(ge=1)], ...]
    factor: float = Field(0.1, gt=0, lt=1)


class Cosine(Settings):
    """Half a cosine from the learning rate to ``min_lr`` over the stage, step by step."""

    name: Literal["cosine"] = "cosine"
    min_lr: float = Field(0.0, ge=0)


class OneCycle(Settings):
    """Rise linearly to the learning rate over the first ``warmup`` share of the stage, then fall linearly to zero."""

    name: Literal["one-cycle"] = "one-cycle"
    warmup: float = Field(0.25, ge=0, le=1)
    start: float = Field(0.05, ge=0, le=1, description="first learning rate, as a share of the highest")


class Plateau(Settings):
    """Multiply by ``factor`` after ``patience`` epochs without a better val score (or loss)."""

    name: Literal["plateau"] = "plateau"
    factor: float = Field(0.1, gt=0, lt=1)
    patience: int = Field(10, ge=0)
    min_lr: float = Field(0.0, ge=0)
    monitor: Literal["score", "loss"] = "score"


Schedule = Annotated[Constant | Step | Cosine | OneCycle | Plateau, Field(discriminator="name")]


class CrossEntropy(Settings):
    """Cross-entropy with hard or soft labels.

    ``class_weights``: ``balanced`` weights each class by n / (classes · n_class) of the training split, a tuple gives
    the weights, None leaves all equal.
    """

    name: Literal["cross-entropy"] = "cross-entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["balanced"] | tuple[float, ...] | None = None


class BinaryCrossEntropy(Settings):
    """Sum over classes of the binary cross-entropy, for several labels a sample."""

    name: Literal["binary-cross-entropy"] = "binary-cross-entropy"


class SquaredError(Settings):
    """Mean squared error, for regression."""

    name: Literal["squared-error"] = "squared-error"


Loss = Annotated[CrossEntropy | BinaryCrossEntropy | SquaredError, Field(discriminator="name")]


class DefaultInit(Settings):
    """Leave the weights as the network's constructor made them."""

    name: Literal["default"] = "default"


class HeInit(Settings):
    """He et al. 2015: normal, variance 2 / fan-out for convolutions, 2 / fan-in for linear layers; biases zero."""

    name: Literal["he"] = "he"


class XavierInit(Settings):
    """Glorot and Bengio 2010: uniform; biases zero."""

    name: Literal["xavier"] = "xavier"


class TruncatedNormalInit(Settings):
    """Normal with standard deviation ``sd``, cut at two standard deviations; biases zero."""

    name: Literal["truncated-normal"] = "truncated-normal"
    sd: float = Field(0.02, gt=0)


class NormalInit(Settings):
    """Normal with standard deviation ``sd``; biases zero."""

    name: Literal["normal"] = "normal"
    sd: float = Field(0.05, gt=0)


Init = Annotated[DefaultInit | HeInit | XavierInit | TruncatedNormalInit | NormalInit, Field(discriminator="name")]
