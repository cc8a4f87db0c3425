"""mini-Xception, a network for real time with fewer than sixty thousand parameters, as ferbench models.

The paper says little of the training; the recipe is that of the authors' code (oarriaga/face_classification).
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    L2,
    Adam,
    Affine,
    Choice,
    EarlyStopping,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Plateau,
    Range,
    Recipe,
    Reported,
    XavierInit,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Real-time Convolutional Neural Networks for Emotion and Gender Classification",
    authors="Octavio Arriaga, Matias Valdenegro-Toro, Paul Plöger",
    year=2017,
    url="https://arxiv.org/abs/1710.07557",
)

RECIPE = Recipe(
    epochs=10_000,
    batch_size=32,
    optimizer=Adam(lr=1e-3),
    schedule=Plateau(factor=0.1, patience=12, threshold=1e-4, monitor="loss"),
    terms=(L2(patterns=("base.0.weight", "base.3.weight"), weight=0.01),),
    init=XavierInit(),
    input=Input(size=64, channels=1, normalise="signed"),
    augmentation=(
        Affine(degrees=10, translate=0.1, zoom=(0.9, 1.1), interpolation="nearest", border="edge", whole_pixels=False),
        HorizontalFlip(),
    ),
    monitor="loss",
    # The code says 50, and its Keras (2.0.5) stops at the epoch after.
    early_stopping=EarlyStopping(patience=51),
)

SPACE: dict[str, Choice | Range] = {
    "recipe.optimizer.lr": Range(1e-4, 1e-2, log=True),
    "recipe.batch_size": Choice((32, 64, 128)),
    "recipe.schedule.patience": Choice((6, 12, 25)),
}
"""The authors name no grid; these are chosen."""

ALL_KERNELS = ("base.0.weight", "base.3.weight", "stages.*.body.0.*.weight", "stages.*.body.3.*.weight")
"""What the authors' code names for the L2 term; Keras passes it over where the convolution is separable."""

REPORTED = (
    Reported(
        dataset="fer2013",
        protocol="merged-test",
        split="test",
        metric="accuracy",
        value=0.66,
        locator="Abstract and section 3",
        classes=7,
        selection="oracle",
        caveat="the code chooses weights by the loss on the very 7,178 pictures of PublicTest and PrivateTest",
    ),
)


class MiniXceptionOptions(Options):
    """None: the network has no choices."""


class SimpleOptions(Options):
    """``dropout``: behind each average."""

    dropout: float = Field(0.5, ge=0, lt=1)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """mini-Xception, the authors' way to choose its weights, the L2 term as it was meant, and the simple network."""
    oracle = RECIPE.model_copy(update={"selection": "oracle"})
    meant = RECIPE.model_copy(update={"terms": (L2(patterns=ALL_KERNELS, weight=0.01),)})
    yield _mini("", RECIPE, "Four residual modules of separable convolutions, 58,423 numbers.")
    yield _mini("paper", oracle, "As the authors: weights chosen on the pictures that are reported.")
    yield _mini("l2-everywhere", meant, "With the L2 term on the separable convolutions too, as their code reads.")
    yield Model(
        name="mini-xception",
        variant="simple",
        build="ferbench_mini_xception.network:SimpleCNN",
        options=SimpleOptions(),
        recipe=RECIPE.model_copy(update={"terms": ()}),
        reference=NetSpec(classes=7, channels=1, size=64),
        search_space={**SPACE, "model.options.dropout": Choice((0.25, 0.5))},
        small={"recipe.input.size": 32},
        description="Nine convolutions with average pooling and dropout, the authors' first network.",
        paper=PAPER,
        reported=REPORTED,
    )


def _mini(variant: str, recipe: Recipe, description: str) -> Model:
    return Model(
        name="mini-xception",
        variant=variant,
        build="ferbench_mini_xception.network:MiniXception",
        options=MiniXceptionOptions(),
        recipe=recipe,
        reference=NetSpec(classes=7, channels=1, size=64),
        search_space=SPACE,
        small={"recipe.input.size": 48},
        description=description,
        paper=PAPER,
        reported=REPORTED if variant in ("", "paper") else (),
        tags=frozenset() if variant else frozenset({"fer2013-paper"}),
    )
