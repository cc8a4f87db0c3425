"""GiMeFive, the network in which the authors of the LMU report's CNNs went on, as ferbench models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from ferbench import (
    SGD,
    Choice,
    EarlyStopping,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    RandomViews,
    Range,
    Recipe,
    Reported,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="GiMeFive: Towards Interpretable Facial Emotion Classification",
    authors="Jiawen Wang, Leah Kawka",
    year=2024,
    url="https://arxiv.org/abs/2402.15662",
)

RECIPE = Recipe(
    epochs=80,
    batch_size=16,
    optimizer=SGD(lr=1e-3, momentum=0.9, weight_decay=1e-4),
    input=Input(size=64, channels=3, normalise="imagenet"),
    augmentation=(HorizontalFlip(),),
    # The code stops when more than 15 epochs in a row were no better.
    early_stopping=EarlyStopping(patience=16),
)

PAPER_RECIPE = RECIPE.model_copy(update={"tta": RandomViews(count=1)})
"""The code hands one list of operations to all three sides, so that val and test are mirrored at random as well."""

GRID: dict[str, Choice | Range] = {
    "recipe.optimizer.lr": Choice((0.1, 0.01, 0.001, 0.0001)),
    "recipe.batch_size": Choice((8, 16, 32, 64)),
    "model.options.dropout": Choice((0.5,)),
    "recipe.epochs": Choice((10, 20, 30, 40)),
}
"""Table 2 of the authors' earlier report."""


class GiMeFiveOptions(Options):
    """``conv_dropout``: behind the maximum of every block but the last. ``dropout``: behind the first linear layer."""

    conv_dropout: float = Field(0.2, ge=0, lt=1)
    dropout: float = Field(0.5, ge=0, lt=1)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """With dropout behind the convolutions, as in the final code, the same mirrored at random at test, and without."""
    fer2013 = (
        ("fer2013", "6-class-merged", 0.675, "GiMeFive with dropout"),
        ("fer2013", "6-class-merged", 0.462, "GiMeFive with dropout", "authors-600"),
    )
    for variant, recipe, conv_dropout, numbers in (
        ("", RECIPE, 0.2, fer2013),
        ("paper", PAPER_RECIPE, 0.2, fer2013),
        ("plain", RECIPE, 0.0, (("raf-db", "6-class", 0.865, "GiMeFive"),)),
    ):
        yield Model(
            name="gimefive",
            variant=variant,
            build="ferbench_gimefive.network:GiMeFive",
            options=GiMeFiveOptions(conv_dropout=conv_dropout),
            recipe=recipe,
            reference=NetSpec(classes=6, channels=3, size=64),
            search_space=GRID,
            small={"recipe.input.size": 32},
            description="Five convolution blocks of up to 1,024 channels, and three linear layers.",
            paper=PAPER,
            reported=tuple(_reported(*number) for number in numbers),
            tags=frozenset() if variant else frozenset({"fer2013-paper"}),
        )


@hookimpl
def ferbench_reported() -> Iterator[Reported]:
    """Networks that the paper compares with and that have no model here."""
    for row, value in (("VGG", 0.494), ("ResNet34", 0.671)):
        yield _reported("fer2013", "6-class-merged", value, row, method=f"{row} (Wang & Kawka)", paper=PAPER)


def _reported(dataset: str, protocol: str, value: float, row: str, split: str = "test", **named: Any) -> Reported:
    caveat = "tested on PublicTest and PrivateTest together, without neutral (5,945 pictures)"
    if split != "test":
        caveat = "600 pictures of the authors' own, by which weights are chosen; without neutral"
    return Reported(
        dataset=dataset,
        protocol=protocol,
        split=split,
        metric="accuracy",
        value=value,
        locator="Table of accuracies" if named else f"Table of accuracies, {row}",
        classes=6,
        caveat=caveat if dataset == "fer2013" else "without neutral",
        **named,
    )
