"""LHC-Net of Pecoraro et al. 2021: attention between channels, head by head of the picture.

What the paper leaves open was read in the authors' code (Bodhis4ttva/LHC_Net); the README says which.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    SGD,
    Adam,
    Affine,
    CrossEntropy,
    EarlyStopping,
    FlipView,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Recipe,
    Reported,
    Stage,
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

RECIPE = Recipe(
    batch_size=48,
    optimizer=SGD(lr=0.01, momentum=0.0),
    loss=CrossEntropy(),
    input=Input(size=224, channels=3, normalise="unit"),
    stages=(
        Stage(epochs=300, optimizer=Adam(lr=1e-4, eps=1e-7), augmentation=TURNED),
        Stage(epochs=300, start="best", augmentation=MOVED),
        Stage(epochs=300, start="best", augmentation=()),
    ),
    tta=FlipView(),
    monitor="accuracy",
    early_stopping=EarlyStopping(patience=8),
)

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


CLAIM = Reported(
    dataset="fer2013",
    protocol="official",
    split="test",
    metric="accuracy",
    value=0.7442,
    locator="LHC-Net, as others cite it",
    classes=7,
    extra_data="ImageNet",
    caveat="from a ResNet34v2 chosen for its score, with 60 views at test weighted by hand",
)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The network, and its trunk without attention to compare with."""
    yield _model("lhcnet", "build_lhcnet", "Pre-activation ResNet34 with local multi-head channel attention.", (CLAIM,))
    yield _model("lhcnet-resnet34v2", "build_trunk", "The trunk of LHC-Net, without its attention.", ())


def _model(name: str, build: str, description: str, reported: tuple[Reported, ...]) -> Model:
    return Model(
        name=name,
        build=f"ferbench_lhcnet.network:{build}",
        options=LHCOptions(),
        recipe=RECIPE,
        reference=NetSpec(classes=7, channels=3, size=224),
        small=SMALL,
        description=f"{description[:-1]}, trained from scratch.",
        paper=PAPER,
        reported=reported,
        tags=frozenset({"fer2013-paper"}),
    )
