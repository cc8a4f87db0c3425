"""Xception in full on pictures of faces, from scratch and from ImageNet weights, as ferbench models."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    SGD,
    Affine,
    Choice,
    Cosine,
    HorizontalFlip,
    InitFrom,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Range,
    Recipe,
    Reported,
    Weights,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Xception: Deep Learning with Depthwise Separable Convolutions",
    authors="François Chollet",
    year=2017,
    venue="CVPR",
    url="https://arxiv.org/abs/1610.02357",
)

RECIPE = Recipe(
    epochs=100,
    batch_size=64,
    optimizer=SGD(lr=0.045, momentum=0.9, weight_decay=1e-5),
    schedule=Cosine(warmup_epochs=2),
    input=Input(size=96, channels=3, normalise="signed"),
    augmentation=(Affine(degrees=10, translate=0.1, zoom=(0.9, 1.1), border="edge"), HorizontalFlip()),
)

IMAGENET = Weights(
    name="xception-imagenet",
    description="timm's legacy_xception.tf_in1k",
    trained_on="ImageNet-1k (1.28 million pictures, 1,000 classes)",
    how_to_get="the file of weights of timm/legacy_xception.tf_in1k on Hugging Face",
    licence="Apache-2.0 (code); ImageNet's terms for the pictures",
)

STARTED = RECIPE.model_copy(
    update={
        "epochs": 30,
        "optimizer": SGD(lr=0.01, momentum=0.9, weight_decay=1e-5),
        "init_from": InitFrom(weights=IMAGENET.name),
    }
)

SPACE: dict[str, Choice | Range] = {
    "recipe.optimizer.lr": Range(1e-3, 1e-1, log=True),
    "recipe.input.size": Choice((64, 96, 128)),
    "model.options.dropout": Choice((0.0, 0.2, 0.5)),
}


class XceptionOptions(Options):
    """``dropout``: before the linear layer."""

    dropout: float = Field(0.5, ge=0, lt=1)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """From scratch, and from ImageNet weights."""
    for variant, recipe in (("", RECIPE), ("imagenet", STARTED)):
        yield Model(
            name="xception",
            variant=variant,
            build="ferbench_xception.network:build",
            options=XceptionOptions(),
            recipe=recipe,
            weights=(IMAGENET,),
            reference=NetSpec(classes=7, channels=3, size=96),
            search_space=SPACE,
            small={"recipe.input.size": 32},
            description="Xception in full, " + ("from ImageNet weights." if variant else "from scratch."),
            paper=PAPER,
            reported=() if variant else (REPORTED,),
            tags=frozenset() if variant else frozenset({"fer2013-paper"}),
        )


CHAND = Paper(
    title="Real-time facial emotion recognition using Deep Learning",
    authors="S. Chand, A. Singh, R. Bhatia, I. Kaur, K. R. Seeja",
    year=2021,
    venue="Algorithms for Intelligent Systems, pp. 219–226",
)

REPORTED = Reported(
    dataset="fer2013",
    protocol="not-stated",
    split="test",
    metric="accuracy",
    value=0.6857,
    locator="as a later table cites it",
    classes=7,
    selection="not stated",
    caveat="split, recipe and initial weights are not stated",
    paper=CHAND,
)
