"""AlexNet and GoogLeNet, from scratch and from ImageNet weights, as ferbench models.

The study on FER2013 states nothing of its training here; the recipes are those of the networks' own papers, as far as
they fit.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    SGD,
    Choice,
    HorizontalFlip,
    InitFrom,
    Input,
    Model,
    NetSpec,
    Options,
    PadCrop,
    Paper,
    Plateau,
    Range,
    Recipe,
    Reported,
    Step,
    Weights,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Deep Learning Approaches for Facial Emotion Recognition: A Case Study on FER-2013",
    authors="Panagiotis Giannopoulos, Isidoros Perikos, Ioannis Hatzilygeroudis",
    year=2018,
    venue="Advances in Hybridization of Intelligent Methods, Springer",
    url="https://doi.org/10.1007/978-3-319-66790-4_1",
)

SGD_2012 = SGD(lr=0.01, momentum=0.9, weight_decay=5e-4)
CROPS = (PadCrop(padding=16), HorizontalFlip())

ALEXNET = Recipe(
    epochs=90,
    batch_size=128,
    optimizer=SGD_2012,
    schedule=Plateau(factor=0.1, patience=5, monitor="loss"),
    input=Input(size=224, channels=3, normalise="imagenet"),
    augmentation=CROPS,
)

GOOGLENET = Recipe(
    epochs=90,
    batch_size=128,
    optimizer=SGD_2012,
    schedule=Step(every=8, factor=0.96),
    input=Input(size=224, channels=3, normalise="signed"),
    augmentation=CROPS,
)

SPACE: dict[str, Choice | Range] = {
    "recipe.optimizer.lr": Range(1e-3, 1e-1, log=True),
    "recipe.optimizer.weight_decay": Range(1e-5, 1e-3, log=True),
    "model.options.dropout": Choice((0.2, 0.4, 0.5)),
}


class ClassicOptions(Options):
    """``dropout``: AlexNet's before both hidden linear layers, GoogLeNet's before its only one."""

    dropout: float = Field(0.5, ge=0, lt=1)


def _weights(name: str, file: str) -> Weights:
    return Weights(
        name=f"{name}-imagenet",
        description=f"torchvision's {name}, IMAGENET1K_V1",
        trained_on="ImageNet-1k (1.28 million pictures, 1,000 classes)",
        how_to_get=f"https://download.pytorch.org/models/{file}",
        sha256=file.removesuffix(".pth").rpartition("-")[2],
        licence="BSD-3-Clause (code); ImageNet's terms for the pictures",
    )


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """Each network twice: as it is initialised, and from ImageNet weights."""
    alex, google = _weights("alexnet", "alexnet-owt-7be5be79.pth"), _weights("googlenet", "googlenet-1378be20.pth")
    quarter = _reported("75-25", 0.65, "three quarters of the pictures for training, the rest test")
    # The listing gives AlexNet's division alone.
    unknown = _reported("not-stated", 0.652, "the split is not stated in the source document")
    yield from _pair("alexnet", ALEXNET, 0.5, alex, quarter)
    yield from _pair("googlenet", GOOGLENET, 0.4, google, unknown)


def _pair(name: str, recipe: Recipe, dropout: float, weights: Weights, claimed: Reported) -> Iterator[Model]:
    started = recipe.model_copy(
        update={
            "epochs": 30,
            "optimizer": SGD_2012.model_copy(update={"lr": 1e-3}),
            "init_from": InitFrom(weights=weights.name),
        }
    )
    for variant, chosen in (("", recipe), ("imagenet", started)):
        yield Model(
            name=name,
            variant=variant,
            build=f"ferbench_imagenet_classics.network:build_{name}",
            options=ClassicOptions(dropout=dropout),
            recipe=chosen,
            weights=(weights,),
            reference=NetSpec(classes=7, channels=3, size=224),
            search_space=SPACE,
            small={"recipe.input.size": 64},
            description=f"torchvision's {name}, " + ("from ImageNet weights." if variant else "from scratch."),
            paper=PAPER,
            reported=() if variant else (claimed,),
            tags=frozenset() if variant else frozenset({"fer2013-paper"}),
        )


def _reported(protocol: str, value: float, caveat: str) -> Reported:
    return Reported(
        dataset="fer2013",
        protocol=protocol,
        split="test",
        metric="accuracy",
        value=value,
        locator="Results, as cited in later tables",
        classes=7,
        selection="not stated",
        caveat=f"{caveat}; not the official split",
    )
