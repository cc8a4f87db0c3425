"""The VGG13 that Barsoum et al. 2016 train on FER+ in four ways; the protocol brings the labels.

What the paper leaves open was read in the authors' code (microsoft/FERPlus, ``src/``); the README says which.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    SGD,
    Affine,
    CrossEntropy,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Recipe,
    Reported,
    Step,
    XavierInit,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
    authors="Emad Barsoum, Cha Zhang, Cristian Canton Ferrer, Zhengyou Zhang",
    year=2016,
    venue="ICMI",
    url="https://arxiv.org/abs/1608.01041",
)

SHEAR = math.degrees(math.atan(0.05))
"""Degrees by which a pixel moves at most 0.05 pixels sideways for each pixel up or down."""

RECIPE = Recipe(
    epochs=100,
    batch_size=32,
    # 0.05 in the authors' CNTK, whose momentum weighs the new gradient by 1 − 0.9; here it has weight one.
    optimizer=SGD(lr=0.005, momentum=0.9),
    schedule=Step(milestones=(20, 40), factor=(1 / 2, 1 / 5)),
    loss=CrossEntropy(),
    init=XavierInit(),
    input=Input(size=64, channels=1, equalise=True, normalise="plane"),
    augmentation=(
        # SciPy's border "reflect", which the authors' code names, repeats the pixels of the border: "symmetric" here.
        Affine(
            degrees=20,
            translate=0.08,
            zoom=(1 / 1.05, 1.05),
            shear=(SHEAR, SHEAR),
            border="symmetric",
            whole_pixels=False,
        ),
        HorizontalFlip(),
    ),
)

REPORTED = (
    ("majority", "MV", 0.83852, "0.63"),
    ("multi-label", "ML", 0.83966, "0.36"),
    ("probabilistic", "PLD", 0.84986, "0.37"),
    ("cross-entropy", "CEL", 0.84716, "0.24"),
)
"""Protocol, the paper's name of the scheme, mean accuracy of five runs and its standard deviation in points."""


class VGG13Options(Options):
    """``conv_dropout``: behind each stage's maximum. ``dropout``: behind the two hidden linear layers."""

    conv_dropout: float = Field(0.25, ge=0, lt=1)
    dropout: float = Field(0.5, ge=0, lt=1)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """One model for all four schemes."""
    yield Model(
        name="ferplus-vgg13",
        build="ferbench_ferplus_vgg13.network:VGG13",
        options=VGG13Options(),
        recipe=RECIPE,
        reference=NetSpec(classes=8, channels=1, size=64),
        description="Ten convolutions and three linear layers without normalisation, trained from scratch.",
        paper=PAPER,
        reported=tuple(
            Reported(
                dataset="ferplus",
                protocol=protocol,
                split="test",
                metric="accuracy",
                value=value,
                locator=f"Table 1, {scheme}",
                classes=8,
                caveat=f"mean of 5 runs, standard deviation {spread} points, likely on the votes of label.csv",
            )
            for protocol, scheme, value, spread in REPORTED
        ),
        tags=frozenset({"ferplus"}),
    )
