"""LHC-Net of Pecoraro et al. 2021: attention between channels, head by head of the picture.

What the paper leaves open was read in the authors' code (Bodhis4ttva/LHC_Net); the README says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from pydantic import Field

from ferbench import (
    SGD,
    Adam,
    Affine,
    CrossEntropy,
    EarlyStopping,
    GridViews,
    HorizontalFlip,
    InitFrom,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Recipe,
    Reported,
    Requirement,
    Stage,
    ViewGrid,
    Weights,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Local Multi-Head Channel Self-Attention for Facial Expression Recognition",
    authors="Roberto Pecoraro, Valerio Basile, Viviana Bono, Sara Gallo",
    year=2021,
    url="https://arxiv.org/abs/2111.07224",
)

IMAGENET = Weights(
    name="resnet34v2-imagenet",
    description="the pre-activation ResNet34 of ImageNet for Keras (resnet34_imagenet_1000_no_top.h5, 85 MB)",
    trained_on="ImageNet-1k",
    how_to_get="download https://github.com/qubvel/classification_models/releases/download/0.0.1/"
    "resnet34_imagenet_1000_no_top.h5",
    md5="8caaa0ad39d927cb8ba5385bf945d582",
    licence="MIT",
    reader="ferbench_lhcnet.keras_weights:read_trunk",
)
"""The file that the authors' code loads, with the checksum that its publishers name."""

# Keras fills what a warp uncovers with the nearest pixel.
TURNED = (HorizontalFlip(), Affine(degrees=30, border="edge"))
MOVED = (
    HorizontalFlip(),
    Affine(degrees=10, translate=0.1, zoom=(0.9, 1.1), border="edge", whole_pixels=False),
)

VIEWS = GridViews(
    grids=(
        # 0.4 radians, and 10 of 224 pixels; 0.15 radians.
        ViewGrid(degrees=(0.0, 22.92, -22.92), translate=(0.0, 0.04464, -0.04464)),
        ViewGrid(degrees=(0.0, 8.594, -8.594), zoom=0.9),
    ),
    plain=3,
)
"""``TTA_Inference``: 59 views and the picture itself, which counts thrice."""

TRUNK = Recipe(
    batch_size=64,
    optimizer=SGD(lr=0.01, momentum=0.0),
    loss=CrossEntropy(),
    input=Input(size=224, channels=3, normalise="unit"),
    stages=(
        Stage(
            epochs=300,
            optimizer=Adam(lr=1e-4, eps=1e-7),
            augmentation=TURNED,
            batch_size=48,
            early_stopping=EarlyStopping(patience=30),
        ),
        Stage(epochs=300, start="best", augmentation=MOVED, early_stopping=EarlyStopping(patience=10)),
        Stage(epochs=300, start="best", early_stopping=EarlyStopping(patience=5)),
    ),
    tta=VIEWS,
    monitor="accuracy",
)
"""``ResNet34_Train.py``."""

PRETRAINED = TRUNK.model_copy(update={"init_from": InitFrom(weights=IMAGENET.name)})

ADDED = TRUNK.model_copy(
    update={
        "epochs": 300,
        "stages": (),
        "early_stopping": EarlyStopping(patience=3),
        "init_from": InitFrom(role="trunk", mode="extend"),
    }
)
"""``LHC_Train.py``: the attention is added to the trained trunk, and everything goes on learning."""

CONTROLLED = ADDED.model_copy(
    update={
        "batch_size": 32,
        "optimizer": Adam(lr=1e-4, eps=1e-7),
        "stages": (Stage(epochs=300, trainable=("attention.*.strength",)),),
        "early_stopping": EarlyStopping(patience=1),
        "init_from": InitFrom(role="plain", mode="extend"),
    }
)
"""``Controller_Train.py``: nothing learns but how much each attention counts."""

JOINT = TRUNK.model_copy(
    update={
        "stages": tuple(stage.model_copy(update={"early_stopping": None}) for stage in TRUNK.stages),
        "early_stopping": EarlyStopping(patience=8),
    }
)
"""``LHC_Net_Train.py`` and ``Training_Settings.json``: attention and trunk learn together from the beginning."""

SMALL = {
    "recipe.input.size": 48,
    "recipe.tta": {"name": "none"},
    "model.options.width": 16,
    "model.options.hidden": 256,
    # Statistics that follow a hundred batches are still those of the beginning after a short training.
    "model.options.momentum": 0.1,
}


class LHCOptions(Options):
    """``width``: channels of the first stage. ``hidden``: outputs of the first linear layer; the second has a quarter.

    ``dropout``: behind either. ``momentum``: share of each batch in the running statistics of normalisation.
    """

    width: int = Field(64, ge=4)
    hidden: int = Field(4096, ge=4)
    dropout: float = Field(0.4, ge=0, lt=1)
    momentum: float = Field(0.01, gt=0, le=1)


def begins_with(role: str, model: str, options: LHCOptions) -> Mapping[str, Requirement]:
    """What is trained before, of the same widths."""
    return {role: Requirement(model, options=options.model_dump())}


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """Trunk, attention and controllers from scratch and from ImageNet's weights, and all in one go from scratch."""
    yield from _chain("", "from scratch", TRUNK)
    yield from _chain("imagenet", "from ImageNet's weights", PRETRAINED)
    yield _model(
        "lhcnet@joint",
        "build_lhcnet",
        JOINT,
        "LHC-Net with trunk and attention trained together from the beginning, the authors' short way.",
    )


def _chain(variant: str, words: str, trunk: Recipe) -> Iterator[Model]:
    """The three trainings of the paper; its numbers belong to those that begin with ImageNet's weights."""
    at = variant and f"@{variant}"
    for name, build, recipe, requires, claim, description in (
        (
            f"lhcnet-resnet34v2{at}",
            "build_trunk",
            trunk,
            {},
            0.7365,
            f"The trunk of LHC-Net, a pre-activation ResNet34 without attention, {words}.",
        ),
        (
            f"lhcnet{at}",
            "build_lhcnet",
            ADDED,
            partial(begins_with, "trunk", f"lhcnet-resnet34v2{at}"),
            0.7442,
            f"Local multi-head channel attention, added to its trunk when that is trained ({words}).",
        ),
        (
            f"lhcnet@{variant}-controlled" if variant else "lhcnet@controlled",
            "build_controlled",
            CONTROLLED,
            partial(begins_with, "plain", f"lhcnet{at}"),
            0.7428,
            f"LHC-Net, once trained, learns how much each of its five attention modules counts (LHC-NetC, {words}).",
        ),
    ):
        facts: dict[str, Any] = {"requires": requires, "reported": (_claim(claim),) if variant else ()}
        if variant:
            # What is published fits the whole width alone.
            facts["small"] = {key: value for key, value in SMALL.items() if key != "model.options.width"}
            facts["weights"] = () if requires else (IMAGENET,)
        yield _model(name, build, recipe, description, **facts)


def _model(name: str, build: str, recipe: Recipe, description: str, **facts: Any) -> Model:
    method, _, variant = name.partition("@")
    return Model(
        name=method,
        variant=variant,
        build=f"ferbench_lhcnet.network:{build}",
        options=LHCOptions(),
        recipe=recipe,
        reference=NetSpec(classes=7, channels=3, size=224),
        description=description,
        paper=PAPER,
        tags=frozenset({"fer2013-paper"}),
        **{"small": SMALL} | facts,
    )


def _claim(accuracy: float) -> Reported:
    return Reported(
        dataset="fer2013",
        protocol="official",
        split="test",
        metric="accuracy",
        value=accuracy,
        locator="as the README of Segmentation VGG-19 (Vignesh et al. 2023) cites it",
        classes=7,
        extra_data="ImageNet-1k",
        caveat="from a ResNet34v2 chosen for its score, with 60 views at test weighted by hand",
    )
