"""Saravanan et al.'s ten-layer network, as a ferbench model. What the paper leaves open is chosen."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    Adam,
    Choice,
    HeInit,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Range,
    Recipe,
    Reported,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Facial Emotion Recognition using Convolutional Neural Networks",
    authors="Akash Saravanan, Gurudutt Perichetla, K. S. Gayathri",
    year=2019,
    url="https://arxiv.org/abs/1910.05602",
)

RECIPE = Recipe(
    epochs=50,
    batch_size=64,
    optimizer=Adam(lr=5e-4),
    init=HeInit(),
    input=Input(size=48, channels=1, normalise="unit"),
)

SPACE: dict[str, Choice | Range] = {
    "recipe.optimizer.lr": Range(1e-4, 1e-2, log=True),
    "model.options.width": Choice((32, 64)),
    "model.options.dropout": Choice((0.25, 0.5)),
}


class TenLayerOptions(Options):
    """``width`` of the first three convolutions, ``hidden`` units, and dropout behind maxima and hidden units."""

    width: int = Field(64, ge=1)
    hidden: int = Field(512, ge=1)
    conv_dropout: float = Field(0.25, ge=0, lt=1)
    dropout: float = Field(0.5, ge=0, lt=1)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """One network."""
    yield Model(
        name="saravanan",
        build="ferbench_saravanan.network:TenLayers",
        options=TenLayerOptions(),
        recipe=RECIPE,
        reference=NetSpec(classes=7, channels=1, size=48),
        search_space=SPACE,
        small={"recipe.input.size": 32, "model.options.width": 32},
        description="Six convolutions, two maxima and two linear layers.",
        paper=PAPER,
        reported=(
            Reported(
                dataset="fer2013",
                protocol="paper-80-20",
                split="test",
                metric="accuracy",
                value=0.605,
                locator="as later tables cite it; the abstract has 0.60",
                classes=7,
                selection="not stated",
                caveat="all pictures dealt anew, a fifth as test: copies of a picture may stand on both sides",
            ),
        ),
        tags=frozenset({"fer2013-paper"}),
    )
