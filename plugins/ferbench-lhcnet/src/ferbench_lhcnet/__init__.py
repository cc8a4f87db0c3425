"""LHC-Net of Pecoraro et al. 2021: attention between channels, head by head of the picture.

What the paper leaves open was read in the authors' code (Bodhis4ttva/LHC_Net); the README says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Local Multi-Head Channel Self-Attention for Facial Expression Recognition",
    authors="Roberto Pecoraro, Valerio Basile, Viviana Bono, Sara Gallo",
    year=2021,
    url="https://arxiv.org/abs/2111.07224",
)

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


def needs_trunk(options: LHCOptions) -> Mapping[str, Requirement]:
    """The trained trunk, of the same widths."""
    return {"trunk": Requirement("lhcnet-resnet34v2", options=options.model_dump())}


def needs_plain(options: LHCOptions) -> Mapping[str, Requirement]:
    """The trained network, of the same widths."""
    return {"plain": Requirement("lhcnet", options=options.model_dump())}


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The trunk, the network that begins with it, that with controllers, and the network trained in one go."""
    for name, build, recipe, requires, claims, description in (
        (
            "lhcnet-resnet34v2",
            "build_trunk",
            TRUNK,
            {},
            _claims(0.7365),
            "The trunk of LHC-Net, a pre-activation ResNet34 without attention, trained from scratch.",
        ),
        (
            "lhcnet",
            "build_lhcnet",
            ADDED,
            needs_trunk,
            _claims(0.7442),
            "Local multi-head channel attention, added to its trunk when that is trained.",
        ),
        (
            "lhcnet@controlled",
            "build_controlled",
            CONTROLLED,
            needs_plain,
            _claims(0.7428),
            "LHC-Net, once trained, learns how much each of its five attention modules counts (LHC-NetC).",
        ),
        (
            "lhcnet@joint",
            "build_lhcnet",
            JOINT,
            {},
            (),
            "LHC-Net with trunk and attention trained together from the beginning, the authors' short way.",
        ),
    ):
        method, _, variant = name.partition("@")
        yield Model(
            name=method,
            variant=variant,
            build=f"ferbench_lhcnet.network:{build}",
            options=LHCOptions(),
            requires=requires,
            recipe=recipe,
            reference=NetSpec(classes=7, channels=3, size=224),
            small=SMALL,
            description=description,
            paper=PAPER,
            reported=claims,
            tags=frozenset({"fer2013-paper"}),
        )


def _claims(accuracy: float) -> tuple[Reported, ...]:
    claim = Reported(
        dataset="fer2013",
        protocol="official",
        split="test",
        metric="accuracy",
        value=accuracy,
        locator="as the README of Segmentation VGG-19 (Vignesh et al. 2023) cites it",
        classes=7,
        extra_data="ImageNet",
        caveat="from a ResNet34v2 chosen for its score, with 60 views at test weighted by hand",
    )
    return (claim,)
