"""ViT, DeiT, ConvNeXt and ConViT, trained on FER2013 from scratch as a report from Kancheepuram describes.

The report gives settings in tables 3.2 to 3.4 and kinds of augmentation without magnitudes; what it leaves open was
chosen here, and the README marks it so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from ferbench import (
    Adam,
    AdamW,
    Affine,
    Choice,
    CrossEntropy,
    CutMix,
    DefaultInit,
    HorizontalFlip,
    InitFrom,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Plateau,
    RandAugment,
    RandomErasing,
    Recipe,
    Reported,
    TruncatedNormalInit,
    Weights,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Multi Modal Emotion Recognition",
    authors="B. Bavesh",
    year=2022,
    venue="B.Tech. project, IIITDM Kancheepuram",
)
REFERENCE = NetSpec(classes=7, channels=1, size=224)
Rate = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]

FLIP, ROTATION, ERASING = HorizontalFlip(p=0.5), Affine(degrees=30), RandomErasing()
"""The report says that these worked best, without magnitudes."""

CUTMIX = CutMix(alpha=1.0, p=0.5)

VIT = Recipe(
    epochs=85,
    batch_size=64,
    optimizer=Adam(lr=3e-4, weight_decay=1e-4),
    schedule=Plateau(factor=0.75, patience=5),
    loss=CrossEntropy(),
    init=TruncatedNormalInit(sd=0.02),
    input=Input(size=224, channels=1, normalise="unit"),
    augmentation=(FLIP, ROTATION, ERASING),
    val_batch_size=64,
)
DEIT = VIT.model_copy(
    update={
        "epochs": 145,
        "optimizer": AdamW(lr=1.5e-4, weight_decay=1e-4),
        "augmentation": (FLIP, ROTATION, ERASING, CUTMIX),
    }
)
CONVNEXT = VIT.model_copy(
    update={
        "epochs": 110,
        "optimizer": AdamW(lr=1e-4, weight_decay=1e-4),
        "augmentation": (FLIP, ROTATION, RandAugment(), ERASING, CUTMIX),
    }
)
# timm begins ConViT's first layers as convolutions; drawing all weights anew would undo what the method is.
CONVIT = DEIT.model_copy(update={"init": DefaultInit()})


def _tried(recipe: Recipe, *names: str) -> Choice:
    """The optimizers that the report says were tried, at the rate and decay of its table: it gives no others."""
    given = {"lr": recipe.optimizer.lr, "weight_decay": recipe.optimizer.weight_decay}
    return Choice(tuple({"name": name, **given} for name in names))


LATER = ("sgd", "adam", "adamw", "radam")
"""Those of DeiT and ConvNeXt; with ViT the report tried the first two."""

INITS = Choice(({"name": "truncated-normal"}, {"name": "xavier"}, {"name": "he"}))

SMALL_TRANSFORMER = {
    "recipe.input.size": 48,
    "model.options.patch": 8,
    "model.options.width": 64,
    "model.options.depth": 3,
    "model.options.heads": 4,
}
SMALL_CONVNEXT = {
    "recipe.input.size": 48,
    "model.options.depths": (1, 1, 2, 1),
    "model.options.widths": (16, 32, 64, 128),
}


IMAGENET = Weights(
    name="convnext-imagenet",
    description="timm's convnext_tiny.fb_in1k",
    trained_on="ImageNet-1k",
    how_to_get="model.safetensors from https://huggingface.co/timm/convnext_tiny.fb_in1k",
    licence="Apache-2.0",
)
"""Liu et al.'s weights in timm's names of parameters. No checksum was published with the file."""


class VitOptions(Options):
    """``patch``: side in pixels. ``width``, ``depth``, ``heads``: of the encoder; ViT-B's.

    ``dropout``: behind the position embedding and in every block. ``drop_path``: stochastic depth of the last block,
    rising from 0 at the first.
    """

    patch: Count = 16
    width: Count = 768
    depth: Count = 12
    heads: Count = 12
    dropout: Rate = 0.0
    drop_path: Rate = 0.0


class ConvitOptions(Options):
    """As :class:`VitOptions`, by default ConViT-B's.

    ``local_layers``: how many begin as convolutions, ``locality``: how sharply.
    """

    patch: Count = 16
    width: Count = 768
    depth: Count = 12
    heads: Count = 16
    local_layers: int = Field(10, ge=0)
    locality: float = Field(1.0, gt=0)
    drop_path: Rate = 0.1


class ConvnextOptions(Options):
    """``depths`` and ``widths`` of the four stages; ConvNeXt-T's. ``drop_path``: as in :class:`VitOptions`."""

    depths: tuple[Count, Count, Count, Count] = (3, 3, 9, 3)
    widths: tuple[Count, Count, Count, Count] = (96, 192, 384, 768)
    drop_path: Rate = 0.0


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The four methods; ViT without augmentation, and ConvNeXt from ImageNet's weights."""
    yield from _vits()
    yield from _convnexts()
    yield _model(
        name="deit",
        build="ferbench_vit_convnext.network:build_vit",
        options=VitOptions(drop_path=0.1),
        recipe=DEIT,
        search_space={"recipe.optimizer": _tried(DEIT, *LATER), "recipe.init": INITS},
        small=SMALL_TRANSFORMER,
        description="ViT-B as DeiT trains it, without distillation: AdamW, CutMix, stochastic depth.",
        reported=tuple(
            _reported(split, value, "section 3.3.2.2", "90 % on the training side")
            for split, value in (("val", 0.516), ("test", 0.521))
        ),
    )
    yield _model(
        name="convit",
        build="ferbench_vit_convnext.network:build_convit",
        options=ConvitOptions(),
        recipe=CONVIT,
        small=SMALL_TRANSFORMER | {"model.options.width": 128, "model.options.local_layers": 1},
        description="Transformer whose first layers begin as convolutions; the report names it without settings.",
    )


def _vits() -> Iterator[Model]:
    vit = _model(
        name="vit",
        build="ferbench_vit_convnext.network:build_vit",
        options=VitOptions(),
        recipe=VIT,
        search_space={"recipe.optimizer": _tried(VIT, "sgd", "adam"), "recipe.init": INITS},
        small=SMALL_TRANSFORMER,
        description="ViT-B with patches of 16 pixels, trained on faces alone.",
        reported=(_reported("val", 0.52, "section 3.3.1.2"), _reported("test", 0.54, "section 3.3.1.2")),
    )
    yield vit
    yield replace(
        vit,
        variant="no-augmentation",
        recipe=VIT.model_copy(update={"augmentation": (), "init": DefaultInit()}),
        description="ViT-B without augmentation and with timm's own initial weights: the report's baseline.",
        reported=(_reported("val", 0.40, "section 3.3.1.2"),),
        tags=frozenset(),
    )


def _convnexts() -> Iterator[Model]:
    doubt = (
        "99.18 % on the training side; said to be from scratch; users get 71.4 to 71.6 % with a network like it and "
        "ImageNet-22k's weights"
    )
    convnext = _model(
        name="convnext",
        build="ferbench_vit_convnext.network:build_convnext",
        options=ConvnextOptions(),
        recipe=CONVNEXT,
        search_space={"recipe.optimizer": _tried(CONVNEXT, *LATER)},
        small=SMALL_CONVNEXT,
        description="ConvNeXt-T: a convolutional network built like a transformer.",
        reported=(
            _reported("val", 0.6701, "section 3.3.4.2", doubt),
            _reported("test", 0.702, "section 3.3.4.2", doubt),
        ),
    )
    yield convnext
    yield replace(
        convnext,
        variant="imagenet",
        recipe=CONVNEXT.model_copy(
            update={
                "init": DefaultInit(),
                "init_from": InitFrom(weights=IMAGENET.name),
                "input": Input(size=224, channels=3, normalise="imagenet"),
            }
        ),
        weights=(IMAGENET,),
        reference=replace(REFERENCE, channels=3),
        description="ConvNeXt-T with ImageNet's weights to begin with; not in the report.",
        reported=(),
        tags=frozenset(),
    )


def _model(**facts: Any) -> Model:
    return Model(reference=REFERENCE, paper=PAPER, tags=frozenset({"fer2013-paper"}), **facts)


def _reported(split: str, value: float, locator: str, caveat: str = "") -> Reported:
    parts = ("one run; how the weights were chosen is not said", caveat)
    return Reported(
        dataset="fer2013",
        protocol="official",
        split=split,
        metric="accuracy",
        value=value,
        locator=locator,
        classes=7,
        selection="not stated",
        caveat="; ".join(part for part in parts if part),
    )
