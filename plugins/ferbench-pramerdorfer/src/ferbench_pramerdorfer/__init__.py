"""The three networks that Pramerdorfer and Kampel train on FER2013 and join into an ensemble.

Weights of theirs are public, code is not: what the paper leaves open is chosen here, and the README says what.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    PadCrop,
    Paper,
    Plateau,
    RandomViews,
    Recipe,
    Reported,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Facial Expression Recognition using Convolutional Neural Networks: State of the Art",
    authors="Christopher Pramerdorfer, Martin Kampel",
    year=2016,
    url="https://arxiv.org/abs/1612.02903",
)

RECIPE = Recipe(
    epochs=300,
    batch_size=128,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-4),
    schedule=Plateau(factor=0.5, patience=10),
    loss=CrossEntropy(),
    init=HeInit(),
    input=Input(size=48, channels=1, equalise=True, normalise="each"),
    # Mirrored at its border, for black beyond it would enter the histogram that is made even afterwards.
    augmentation=(PadCrop(padding=4, border="symmetric"), HorizontalFlip()),
    tta=RandomViews(count=10),
)

REFERENCE = NetSpec(classes=7, channels=1, size=48)
SMALL = {"recipe.input.size": 32, "recipe.tta": {"name": "none"}}
RATES = {"recipe.optimizer.lr": Choice((0.1, 0.05, 0.01))}


class VGGOptions(Options):
    """``width``: channels of the first stage. ``hidden``: width of the hidden linear layer.

    ``conv_dropout``: behind each stage. ``dropout``: behind the hidden layer.
    """

    width: int = Field(32, ge=1)
    hidden: int = Field(256, ge=1)
    conv_dropout: float = Field(0.2, ge=0, lt=1)
    dropout: float = Field(0.5, ge=0, lt=1)


class InceptionOptions(Options):
    """``step``: 3 × 3 kernels of the first module, and how many each further one has more. ``stem``: first channels.

    ``dropout``: before the linear layer.
    """

    step: int = Field(32, ge=8, multiple_of=8)
    stem: int = Field(64, ge=1)
    dropout: float = Field(0.4, ge=0, lt=1)


class ResNetOptions(Options):
    """``width``: channels of the first stage. ``blocks``: residual blocks of each stage."""

    width: int = Field(32, ge=1)
    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The three networks, under one recipe."""
    dropouts = Choice((0.2, 0.3, 0.4, 0.5))
    yield _model(
        "vgg",
        "network:VGG",
        VGGOptions(),
        0.727,
        "Eight convolutions and two linear layers with dropout throughout.",
        {"model.options.conv_dropout": Choice((0.0, 0.1, 0.2, 0.3)), "model.options.dropout": dropouts},
        {"model.options.width": 16},
    )
    yield _model(
        "inception",
        "inception:Inception",
        InceptionOptions(),
        0.716,
        "One convolution and seven Inception modules that grow evenly.",
        {"model.options.dropout": dropouts},
        {"model.options.step": 8, "model.options.stem": 16},
    )
    yield _model(
        "resnet",
        "network:ResNet",
        ResNetOptions(),
        0.724,
        "ResNet34's sixteen residual blocks at half their width.",
        {},
        {"model.options.width": 8, "model.options.blocks": (1, 1, 1, 1)},
    )


@hookimpl
def ferbench_reported() -> Iterator[Reported]:
    """The authors' ensemble, which is no model here."""
    caveat = "eight networks together, without further data"
    yield _reported(0.752, "abstract", caveat, method="ensemble of eight (Pramerdorfer)", paper=PAPER)


def _model(
    name: str,
    build: str,
    options: Options,
    claimed: float,
    description: str,
    space: dict[str, Choice],
    small: dict[str, Any],
) -> Model:
    return Model(
        name=f"pramerdorfer-{name}",
        build=f"ferbench_pramerdorfer.{build}",
        options=options,
        recipe=RECIPE,
        reference=REFERENCE,
        search_space={**RATES, **space},
        small={**SMALL, **small},
        description=description,
        paper=PAPER,
        reported=(_reported(claimed, "Table IV", "one network; the authors' ensemble of eight has 75.2 %"),),
        tags=frozenset({"fer2013-paper"}),
    )


def _reported(value: float, locator: str, caveat: str, **named: Any) -> Reported:
    return Reported(
        dataset="fer2013",
        protocol="official",
        split="test",
        metric="accuracy",
        value=value,
        locator=locator,
        classes=7,
        caveat=caveat,
        **named,
    )
