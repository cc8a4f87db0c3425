"""The models of the core: a small network, two classic methods on pixels, and the floor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pydantic import Field

from ferbench.nouns.emotions import LabelKind, Task
from ferbench.nouns.geometry import HorizontalFlip, PadCrop
from ferbench.nouns.losses import BinaryCrossEntropy, CrossEntropy, SquaredError
from ferbench.nouns.model import Choice, Model, NetSpec, Range
from ferbench.nouns.optimizers import SGD
from ferbench.nouns.recipe import Input, Recipe
from ferbench.nouns.schedules import OneCycle
from ferbench.nouns.settings import Options
from ferbench.nouns.views import FlipView

TAGS = frozenset({"core", "demo", "fer2013"})

SMALL_PIXELS = Input(size=24, channels=1, normalise="unit")
"""What the classic methods see. On FER2013's val split 24 pixels do no worse than 48, in a fraction of the time."""


class SmallCNNOptions(Options):
    """``width``: channels of the second stage (the last has four times as many). ``dropout``: before the last layer."""

    width: int = Field(32, ge=2)
    dropout: float = Field(0.0, ge=0, lt=1)


class LogisticOptions(Options):
    """``penalty``: L2, beside the mean loss. ``iterations``: at most, of L-BFGS."""

    penalty: float = Field(0.03, gt=0)
    iterations: int = Field(100, ge=1)


class NeighboursOptions(Options):
    """``neighbours`` that vote, each by the inverse of its distance, in a space of ``components`` dimensions."""

    neighbours: int = Field(25, ge=1)
    components: int = Field(80, ge=1)


def models() -> Iterator[Model]:
    """Yield the models of the core."""
    yield _small_cnn()
    yield _small_cnn_for("multi-label", "multi-hot", BinaryCrossEntropy(), lr=0.02)
    yield _small_cnn_for("regression", "real", SquaredError(), lr=0.02)
    yield _logistic_regression()
    yield _neighbours()
    yield _majority()


def _small_cnn() -> Model:
    return Model(
        name="small-cnn",
        build="ferbench.builtin.small_cnn:build",
        options=SmallCNNOptions(),
        recipe=Recipe(
            epochs=30,
            batch_size=128,
            optimizer=SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
            schedule=OneCycle(),
            loss=CrossEntropy(label_smoothing=0.05),
            input=Input(size=48, channels=1, normalise="mean-std"),
            augmentation=(PadCrop(padding=4), HorizontalFlip()),
            tta=FlipView(),
        ),
        tasks=("single-label", "soft-labels"),
        search_space={
            "recipe.optimizer.lr": Range(0.01, 0.5, log=True),
            "recipe.optimizer.weight_decay": Range(1e-5, 5e-3, log=True),
            "recipe.loss.label_smoothing": Range(0.0, 0.2),
            "model.options.width": Choice((16, 32, 64)),
            "model.options.dropout": Range(0.0, 0.5),
        },
        description="Plain network of eight convolutions that trains in minutes on a CPU.",
        tags=TAGS,
    )


def _small_cnn_for(task: Task, kind: LabelKind, loss: BinaryCrossEntropy | SquaredError, lr: float) -> Model:
    """The same network for other tasks than one class a picture, at a rate of their losses' own."""
    plain = _small_cnn()
    optimizer = plain.recipe.optimizer.model_copy(update={"lr": lr})
    return replace(
        plain,
        variant=task,
        recipe=plain.recipe.model_copy(update={"loss": loss, "optimizer": optimizer}),
        tasks=(task,),
        label_kinds=(kind,),
        search_space={name: values for name, values in plain.search_space.items() if "label_smoothing" not in name},
        description=f"The small network for {task}, such as "
        + ("action units." if task == "multi-label" else "valence and arousal."),
    )


def _logistic_regression() -> Model:
    return Model(
        name="logistic-regression",
        estimator="ferbench.builtin.estimators:LogisticRegression",
        options=LogisticOptions(),
        recipe=Recipe(input=SMALL_PIXELS),
        label_kinds=("hard",),
        reference=NetSpec(classes=7, channels=1, size=24),
        search_space={"model.options.penalty": Range(1e-4, 1.0, log=True)},
        description="Multinomial logistic regression on standardised pixels (scikit-learn, L-BFGS).",
        tags=TAGS,
        deterministic=True,
    )


def _neighbours() -> Model:
    return Model(
        name="knn",
        estimator="ferbench.builtin.estimators:Neighbours",
        options=NeighboursOptions(),
        recipe=Recipe(input=SMALL_PIXELS),
        tasks=("single-label", "soft-labels"),
        label_kinds=("hard", "soft", "drawn"),
        reference=NetSpec(classes=7, channels=1, size=24),
        search_space={
            "model.options.neighbours": Choice((1, 5, 10, 25, 50)),
            "model.options.components": Choice((50, 80, 100, 150)),
        },
        description="Nearest neighbours of contrast-normalised pixels, by the angle between whitened components.",
        tags=TAGS,
        deterministic=True,
    )


def _majority() -> Model:
    return Model(
        name="majority",
        estimator="ferbench.builtin.estimators:Majority",
        recipe=Recipe(input=SMALL_PIXELS),
        tasks=("single-label", "multi-label", "soft-labels", "regression"),
        label_kinds=("hard", "soft", "drawn", "accepted", "multi-hot", "real"),
        description="The mean target of the training split for every sample: class frequencies, or mean values.",
        tags=TAGS,
        deterministic=True,
        floor=True,
    )
