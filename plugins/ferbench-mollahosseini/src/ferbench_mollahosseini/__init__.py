"""Mollahosseini et al.'s inception network, as a ferbench model. What the paper leaves open is chosen."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    SGD,
    Choice,
    Cosine,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    PadCrop,
    Paper,
    Range,
    Recipe,
    Reported,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Going Deeper in Facial Expression Recognition using Deep Neural Networks",
    authors="Ali Mollahosseini, David Chan, Mohammad H. Mahoor",
    year=2016,
    venue="WACV",
    url="https://arxiv.org/abs/1511.04110",
)

RECIPE = Recipe(
    epochs=200,
    batch_size=128,
    optimizer=SGD(lr=0.05, momentum=0.9, weight_decay=1e-4),
    schedule=Cosine(),
    input=Input(size=48, channels=1, normalise="mean-std"),
    augmentation=(PadCrop(padding=4), HorizontalFlip()),
)

SPACE: dict[str, Choice | Range] = {
    "recipe.optimizer.lr": Range(0.001, 0.1, log=True),
    "recipe.optimizer.weight_decay": Range(1e-5, 1e-3, log=True),
    "model.options.dropout": Choice((0.0, 0.2, 0.4, 0.5)),
}


class InceptionOptions(Options):
    """``hidden``: widths of the first two linear layers, ``dropout`` behind each. ``norm``: batch normalisation."""

    hidden: tuple[int, int] = (4096, 1024)
    dropout: float = Field(0.4, ge=0, lt=1)
    norm: bool = True


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """One network."""
    yield Model(
        name="mollahosseini",
        build="ferbench_mollahosseini.network:InceptionNet",
        options=InceptionOptions(),
        recipe=RECIPE,
        reference=NetSpec(classes=7, channels=1, size=48),
        search_space=SPACE,
        small={"recipe.input.size": 32, "model.options.hidden": (512, 128)},
        description="Two convolutions with maxima, then four inception modules.",
        paper=PAPER,
        reported=(
            Reported(
                dataset="fer2013",
                protocol="not-stated",
                split="test",
                metric="accuracy",
                value=0.664,
                locator="FER2013, as later tables cite it",
                classes=7,
                selection="not stated",
                caveat="the table that cites it names no division; not verified in the paper itself",
            ),
        ),
        tags=frozenset({"fer2013-paper"}),
    )
