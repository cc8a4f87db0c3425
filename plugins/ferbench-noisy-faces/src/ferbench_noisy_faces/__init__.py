"""Four methods for pictures of faces whose labels are in doubt: SCN, DAN, EAC and RUL, on one trunk.

Values are those of the authors' code; the README says where the papers differ, and which weights they begin with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from ferbench import (
    SGD,
    Adam,
    Affine,
    Choice,
    HorizontalFlip,
    InitFrom,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    ParameterGroup,
    RandomErasing,
    Range,
    Recipe,
    Step,
    Weights,
    hookimpl,
)
from ferbench_noisy_faces import papers

plugin_api = 1

ERASING = RandomErasing(p=0.5, scale=(0.02, 0.25))
FLIP = HorizontalFlip(p=0.25)
"""One of mirroring and noise, for every second picture; the noise (5.5 of 255) is left out."""

SCN_RECIPE = Recipe(
    epochs=70,
    batch_size=64,
    optimizer=Adam(lr=1e-3, weight_decay=1e-4),
    schedule=Step(every=1, factor=0.9),
    input=Input(size=224, channels=3, normalise="imagenet"),
    augmentation=(FLIP, ERASING),
)
DAN_RECIPE = SCN_RECIPE.model_copy(
    update={
        "epochs": 40,
        "batch_size": 256,
        "optimizer": SGD(lr=0.1, momentum=0.9, weight_decay=1e-4),
        "schedule": Step(every=10, factor=0.1),
        "augmentation": (HorizontalFlip(), Affine(degrees=20, translate=32 / 224, p=0.2), ERASING),
    }
)
EAC_RECIPE = SCN_RECIPE.model_copy(
    update={
        "epochs": 60,
        "batch_size": 32,
        "optimizer": Adam(lr=1e-4, weight_decay=1e-4),
        "augmentation": (ERASING,),
    }
)
RUL_RECIPE = SCN_RECIPE.model_copy(
    update={
        "epochs": 60,
        "optimizer": Adam(lr=2e-4, weight_decay=1e-4, groups=(ParameterGroup(patterns=("fc.*",), lr_factor=10),)),
    }
)
SCN_PAPER_RECIPE = SCN_RECIPE.model_copy(
    update={
        "epochs": 40,
        "batch_size": 1024,
        "optimizer": SGD(lr=0.1, momentum=0.9, weight_decay=1e-4),
        "schedule": Step(milestones=(15, 30), factor=0.1),
    }
)

Depth = Literal[18, 50]


class SCNOptions(Options):
    """``depth``: layers of the ResNet.

    ``high``: share of a batch in the group of high importance. ``margin``: between the mean importance of the groups.
    ``relabel_margin``: by which the highest probability must exceed the label's. ``relabel_epoch``: the first that
    changes labels, from 1. ``relabel``: of ``all`` pictures, or of those of ``low`` importance.
    """

    depth: Depth = 18
    high: float = Field(0.7, gt=0, lt=1)
    margin: float = Field(0.07, ge=0, le=1)
    relabel_margin: float = Field(0.2, ge=0, le=1)
    relabel_epoch: int = Field(10, ge=1)
    relabel: Literal["low", "all"] = "all"


class DANOptions(Options):
    """``depth``: layers of the ResNet. ``heads``: attention heads."""

    depth: Depth = 18
    heads: int = Field(4, ge=1)


class EACOptions(Options):
    """``depth``: layers of the ResNet. ``consistency``: weight of the attention consistency loss."""

    depth: Depth = 50
    consistency: float = Field(5.0, ge=0)


class RULOptions(Options):
    """``depth``: layers of the ResNet. ``features``: numbers of each branch. ``dropout``: before its linear layer."""

    depth: Depth = 18
    features: int = Field(64, ge=1)
    dropout: float = Field(0.4, ge=0, lt=1)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """Each method from scratch, and with the weights that its authors' code begins with."""
    scn = SCNOptions()
    yield _model("scn", "", scn, SCN_RECIPE)
    yield _model("scn", "imagenet", scn, _begun(SCN_RECIPE, papers.IMAGENET_18))
    paper = SCNOptions(margin=0.15, relabel="low")
    yield _model("scn", "paper", paper, _begun(SCN_PAPER_RECIPE, papers.MSCELEB_18, oracle=True))
    yield _model("dan", "", DANOptions(), DAN_RECIPE)
    yield _model("dan", "paper", DANOptions(), _begun(DAN_RECIPE, papers.MSCELEB_18, oracle=True))
    yield _model("eac", "", EACOptions(), EAC_RECIPE)
    yield _model("eac", "imagenet", EACOptions(), _begun(EAC_RECIPE, papers.IMAGENET_50))
    yield _model("rul", "", RULOptions(), RUL_RECIPE)
    yield _model("rul", "paper", RULOptions(), _begun(RUL_RECIPE, papers.MSCELEB_18, oracle=True))


def _begun(recipe: Recipe, weights: Weights, oracle: bool = False) -> Recipe:
    """The recipe that begins with ``weights``; ``oracle``: chosen on the test side, as the authors do."""
    selection = "oracle" if oracle else recipe.selection
    return recipe.model_copy(update={"init_from": InitFrom(weights=weights.name), "selection": selection})


ABOUT: Mapping[str, tuple[Paper, str, Mapping[str, Choice | Range]]] = {
    "scn": (
        papers.SCN,
        "Self-Cure Network: weighs each picture by its importance and relabels those that the network doubts.",
        {
            "model.options.margin": Choice((0.05, 0.07, 0.15, 0.3)),
            "model.options.relabel_margin": Choice((0.1, 0.2, 0.5)),
            "model.options.high": Choice((0.5, 0.7, 0.9)),
        },
    ),
    "dan": (
        papers.DAN,
        "Distract your Attention Network: several attention heads, kept apart, on features drawn to class centres.",
        {"model.options.heads": Choice((1, 2, 3, 4, 5, 6))},
    ),
    "eac": (
        papers.EAC,
        "Erasing Attention Consistency: mirrored faces, with parts erased, are looked at in mirrored places.",
        {"model.options.consistency": Choice((1.0, 3.0, 5.0, 7.0))},
    ),
    "rul": (
        papers.RUL,
        "Relative Uncertainty Learning: features are mixed by how uncertain each of the two pictures is.",
        {"model.options.features": Choice((32, 64, 128))},
    ),
}
"""By method: its paper, what it does, and what may be tried beside the learning rate."""


def _model(name: str, variant: str, options: Options, recipe: Recipe) -> Model:
    paper, description, space = ABOUT[name]
    shallow: dict[str, Any] = {} if recipe.init_from else {"model.options.depth": 18}
    return Model(
        name=name,
        variant=variant,
        build=f"ferbench_noisy_faces.{name}:build",
        objective=f"ferbench_noisy_faces.{name}:objective",
        options=options,
        recipe=recipe,
        weights=(papers.IMAGENET_18, papers.IMAGENET_50, papers.MSCELEB_18),
        label_kinds=("hard",),
        reference=NetSpec(classes=7, channels=3, size=224),
        search_space={"recipe.optimizer.lr": Range(1e-5, 1e-1, log=True), **space},
        small={"recipe.input.size": 32, **shallow},
        description=description,
        paper=paper,
        reported=() if variant else papers.REPORTED[name],
        tags=frozenset() if variant else frozenset({"fer2013-paper"}),
    )
