"""The Residual Masking Network of Pham et al. 2020, and the ResNet34 that it is built on.

What the paper leaves open was read in the authors' code (phamquiluan/ResidualMaskingNetwork); the README says which.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from ferbench import (
    Affine,
    CrossEntropy,
    EarlyStopping,
    HorizontalFlip,
    InitFrom,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Plateau,
    RAdam,
    RandomViews,
    Recipe,
    Reported,
    Weights,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Facial Expression Recognition Using Residual Masking Network",
    authors="Luan Pham, The Huynh Vu, Tuan Anh Tran",
    year=2020,
    venue="ICPR",
    url="https://doi.org/10.1109/ICPR48806.2021.9411919",
)

IMAGENET = Weights(
    name="resnet34-333f7ec4",
    description="torchvision's ResNet34 of ImageNet (resnet34-333f7ec4.pth, 84 MB)",
    trained_on="ImageNet-1k",
    how_to_get="download https://download.pytorch.org/models/resnet34-333f7ec4.pth",
    sha256="333f7ec4",
    licence="BSD-3-Clause",
)
"""The file that the authors' code names."""

RECIPE = Recipe(
    epochs=50,
    batch_size=48,
    # The authors' RAdam shrinks weights apart from the gradient, as AdamW does.
    optimizer=RAdam(lr=1e-4, weight_decay=1e-3, decoupled=True),
    schedule=Plateau(factor=0.1, patience=2, min_lr=1e-6, monitor="accuracy"),
    loss=CrossEntropy(),
    input=Input(size=224, channels=3, normalise="unit"),
    augmentation=(HorizontalFlip(), Affine(degrees=30)),
    tta=RandomViews(count=10),
    monitor="accuracy",
    early_stopping=EarlyStopping(patience=8),
)

PRETRAINED = RECIPE.model_copy(update={"init_from": InitFrom(weights=IMAGENET.name)})

SMALL = {
    "recipe.input.size": 48,
    "recipe.tta": {"name": "none"},
    # The recipe's rate, made for ImageNet's weights and fifty epochs, shows nothing in a few.
    "recipe.optimizer.lr": 1e-3,
    "model.options.width": 8,
}

ELSEWHERE = (
    ("VGG19", 0.7080),
    ("EfficientNet-b2b", 0.7080),
    ("GoogLeNet", 0.7197),
    ("Inception-v3", 0.7272),
    ("BAM-ResNet50", 0.7314),
    ("DenseNet121", 0.7316),
    ("ResNet152", 0.7322),
    ("CBAM-ResNet50", 0.7339),
    ("Residual Masking Network and six others, summed", 0.7682),
)
"""Further accuracies of the authors' table, which have no model here."""

CAVEAT = "begins with ImageNet weights; ten random views at test; val accuracy as a mean of batch means"


VEMO = Reported(
    dataset="vemo",
    protocol="not-stated",
    split="a division that is not stated",
    metric="accuracy",
    value=0.6594,
    locator="README of the authors' code, VEMO",
    extra_data="ImageNet-1k",
    caveat="begins with ImageNet weights",
)


class RMNOptions(Options):
    """``width``: channels of the first stage. ``hidden``: outputs of a linear layer before the last; 0 for none.

    ``dropout``: before the last linear layer.
    """

    width: int = Field(64, ge=4)
    hidden: int = Field(0, ge=0)
    dropout: float = Field(0.4, ge=0, lt=1)


class ResNetOptions(Options):
    """``width``: channels of the first stage."""

    width: int = Field(64, ge=4)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The network with each of its heads, the ResNet34 without masks, and both from ImageNet's weights."""
    yield _rmn("", "trained from scratch")
    yield _rmn("imagenet", "its trunk from ImageNet, as in the paper")
    yield _rmn("no-dropout", "without dropout, trained from scratch", RMNOptions(dropout=0.0))
    yield _rmn("hidden", "with a hidden linear layer of 128, trained from scratch", RMNOptions(hidden=128, dropout=0.5))
    for variant, words in (("", "trained from scratch"), ("imagenet", "from ImageNet's weights")):
        yield Model(
            name="rmn-resnet34",
            build="ferbench_rmn.network:build_resnet34",
            options=ResNetOptions(),
            description=f"ResNet34 in the pipeline of the Residual Masking Network, {words}.",
            **_common(variant, _reported(0.7242, "ResNet34")),
        )


@hookimpl
def ferbench_reported() -> Iterator[Reported]:
    """Networks of the authors' table that have no model here, and one of others that they compare with."""
    for method, value in ELSEWHERE:
        yield _reported(value, "table of results", method=f"{method} (Pham et al. 2020)", paper=PAPER)
    yield Reported(
        dataset="fer2013",
        protocol="official",
        split="test",
        metric="accuracy",
        value=0.734,
        locator="comparison with others",
        classes=7,
        selection="not stated",
        caveat="as this paper cites it",
        method="CNN-SIFT",
        paper=PAPER,
    )


def _rmn(variant: str, words: str, options: RMNOptions | None = None) -> Model:
    return Model(
        name="rmn",
        build="ferbench_rmn.network:build_rmn",
        options=options or RMNOptions(),
        description=f"ResNet34 with a U-Net that weighs the channels behind each stage, {words}.",
        **_common(variant, _reported(0.7414, "Residual Masking Network"), VEMO),
    )


def _common(variant: str, *claims: Reported) -> dict[str, Any]:
    """What all models share; the authors' numbers belong to the one that begins as theirs did."""
    pretrained = variant == "imagenet"
    return {
        "variant": variant,
        "recipe": PRETRAINED if pretrained else RECIPE,
        "weights": (IMAGENET,) if pretrained else (),
        "reference": NetSpec(classes=7, channels=3, size=224),
        "small": SMALL,
        "paper": PAPER,
        "reported": claims if pretrained else (),
        "tags": frozenset() if variant else frozenset({"fer2013-paper"}),
    }


def _reported(value: float, row: str, **named: Any) -> Reported:
    return Reported(
        dataset="fer2013",
        protocol="official",
        split="test",
        metric="accuracy",
        value=value,
        locator=f"README of the authors' code, {row}",
        classes=7,
        extra_data="ImageNet-1k",
        caveat=CAVEAT,
        **named,
    )
