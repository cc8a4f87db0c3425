"""The edge network of Zhang, Jolfaei & Alazab 2019 as ferbench models: a free reconstruction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from ferbench import (
    SGD,
    Choice,
    CrossEntropy,
    HeInit,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Range,
    Recipe,
    Reported,
    Step,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="A Face Emotion Recognition Method Using Convolutional Neural Network and Image Edge Computing",
    authors="Hongli Zhang, Alireza Jolfaei, Mamoun Alazab",
    year=2019,
    url="https://doi.org/10.1109/ACCESS.2019.2949741",
    venue="IEEE Access 7",
)

RECIPE = Recipe(
    epochs=60,
    batch_size=128,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=Step(milestones=(30, 45), factor=0.1),
    loss=CrossEntropy(),
    init=HeInit(),
    input=Input(size=48, channels=1, equalise=True, normalise="unit"),
    augmentation=(HorizontalFlip(),),
)


class KirschOptions(Options):
    """``edges``: laid over the feature maps: of the picture, of the maps themselves, or none.

    ``width`` multiplies the channels 32, 64, 128. ``hidden`` units before the last layer, and their ``dropout``.
    """

    edges: Literal["picture", "features", "none"] = "picture"
    width: float = Field(1.0, gt=0)
    hidden: int = Field(512, ge=1)
    dropout: float = Field(0.5, ge=0, lt=1)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The picture's edges, those of every feature map, and the same network without any as a control."""
    yield _model("", KirschOptions(), "the picture's Kirsch edges laid over every feature map")
    yield _model("features", KirschOptions(edges="features"), "each feature map's own Kirsch edges laid over it")
    yield _model("none", KirschOptions(edges="none"), "no edges: the control")


def _model(variant: str, options: KirschOptions, what: str) -> Model:
    claim = Reported(
        dataset="fer2013",
        protocol="with-lfw",
        split="test",
        metric="accuracy",
        value=0.8856,
        locator="abstract",
        classes=7,
        selection="not stated",
        extra_data="LFW",
        caveat="a mixture of FER2013 and LFW, not comparable with FER2013",
    )
    return Model(
        name="kirsch-cnn",
        variant=variant,
        build="ferbench_kirsch.network:KirschCNN",
        options=options,
        recipe=RECIPE,
        reference=NetSpec(classes=7, channels=1, size=48),
        search_space={
            "recipe.optimizer.lr": Range(0.001, 0.1, log=True),
            "model.options.width": Choice((0.5, 1.0, 2.0)),
            "model.options.dropout": Range(0.0, 0.7),
        },
        small={"recipe.input.size": 32, "model.options.width": 0.5},
        description=f"Three convolutions and two linear layers; {what}.",
        paper=PAPER,
        reported=() if variant else (claim,),
        tags=frozenset() if variant else frozenset({"fer2013-paper"}),
    )
