"""The CNN-LSTM and the CNN with multi-head self-attention of M. Adel's report on FER2013, each in three sizes.

The report gives two numbers, 8 heads and a key dimension of 8; its layers, its recipe and the figures that held its
results are not public. Everything else is a reconstruction, and chosen here; the README says what was chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from ferbench import (
    Adam,
    Affine,
    Choice,
    CrossEntropy,
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
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Facial Emotion Recognition via Deep Learning Approaches using the FER-2013 Dataset",
    authors="Mohamed Adel",
    year=2023,
    venue="Slides, supervised by Amr S. Ghoneim",
)

RECIPE = Recipe(
    epochs=100,
    batch_size=64,
    optimizer=Adam(lr=1e-3),
    schedule=Plateau(factor=0.5, patience=5, min_lr=1e-6),
    loss=CrossEntropy(),
    input=Input(size=48, channels=1, normalise="unit"),
    augmentation=(HorizontalFlip(), Affine(degrees=10, translate=0.1, zoom=(0.9, 1.1), border="edge")),
    early_stopping=EarlyStopping(patience=15),
)

SIZES: dict[str, tuple[int, ...]] = {"small": (32, 64, 128), "": (64, 128, 256), "large": (128, 256, 512)}
"""Channels of the convolution stages, by variant."""

SMALL = {"recipe.input.size": 32, "model.options.widths": (16, 32, 64)}

DISPUTED = Reported(
    dataset="fer2013",
    protocol="not-stated",
    split="test",
    metric="accuracy",
    value=0.827,
    locator="Conclusion",
    classes=7,
    selection="not stated",
    caveat=(
        "disputed: the report does not say which network, nor whether pictures were oversampled and cleaned before the "
        "division; copies on both sides of a random split would explain the number"
    ),
)

Width = Annotated[int, Field(ge=1)]


class SequenceOptions(Options):
    """``widths``: channels of the convolution stages, each of which halves the picture.

    ``conv_dropout``: behind each stage. ``dropout``: before the last layer.
    """

    widths: tuple[Width, ...] = Field(SIZES[""], min_length=1)
    conv_dropout: float = Field(0.2, ge=0, lt=1)
    dropout: float = Field(0.5, ge=0, lt=1)


class AttentionOptions(SequenceOptions):
    """``heads`` and ``key_dim``: Keras's ``num_heads`` and ``key_dim``, both 8 in the report, which advises tuning.

    ``layers``: encoder layers in a row.
    """

    heads: int = Field(8, ge=1)
    key_dim: int = Field(8, ge=1)
    layers: int = Field(1, ge=1)


class LSTMOptions(SequenceOptions):
    """``hidden``: units of the LSTM."""

    hidden: int = Field(128, ge=1)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """Both networks in three sizes."""
    for variant, widths in SIZES.items():
        yield _model(
            "cnn-attention",
            variant,
            AttentionOptions(widths=widths),
            "Convolution stages, then multi-head self-attention between the places of the last one's maps.",
            {
                "model.options.heads": Choice((2, 4, 8, 16)),
                "model.options.key_dim": Choice((8, 16, 32, 64)),
                "model.options.layers": Choice((1, 2, 4)),
            },
            (DISPUTED,),
        )
    for variant, widths in SIZES.items():
        yield _model(
            "cnn-lstm",
            variant,
            LSTMOptions(widths=widths),
            "Convolution stages, then an LSTM that reads the places of the last one's maps in row order.",
            {"model.options.hidden": Choice((64, 128, 256))},
            (),
        )


def _model(
    name: str,
    variant: str,
    options: SequenceOptions,
    description: str,
    space: dict[str, Choice],
    reported: tuple[Reported, ...],
) -> Model:
    return Model(
        name=name,
        variant=variant,
        build=f"ferbench_cnn_attention.network:build_{name.removeprefix('cnn-')}",
        options=options,
        recipe=RECIPE,
        reference=NetSpec(classes=7, channels=1, size=48),
        search_space={
            "recipe.optimizer.lr": Range(1e-4, 1e-2, log=True),
            "model.options.dropout": Choice((0.3, 0.5)),
            **space,
        },
        small=SMALL,
        description=f"{description} A reconstruction: the report gives no layers.",
        paper=PAPER,
        reported=() if variant else reported,
        tags=frozenset() if variant else frozenset({"fer2013-paper"}),
    )
