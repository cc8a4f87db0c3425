"""EmoNeXt of El Boudouri and Bohi 2023, a ConvNeXt adapted to faces.

What the paper leaves open was read in the authors' code (yelboudouri/EmoNeXt); the README says which.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from ferbench import (
    EMA,
    AdamW,
    Affine,
    Cosine,
    CrossEntropy,
    EarlyStopping,
    HorizontalFlip,
    InitFrom,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    RandomCrop,
    Recipe,
    Reported,
    TenCrop,
    VerticalFlip,
    Weights,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="EmoNeXt: an Adapted ConvNeXt for Facial Emotion Recognition",
    authors="Yassine El Boudouri, Amine Bohi",
    year=2023,
    venue="MMSP",
    url="https://arxiv.org/abs/2501.08199",
)

IMAGENET = Weights(
    name="convnext-tiny-22k",
    description="the ConvNeXt-Tiny of ImageNet-22k by its authors (convnext_tiny_22k_224.pth)",
    trained_on="ImageNet-22k",
    how_to_get="download https://dl.fbaipublicfiles.com/convnext/convnext_tiny_22k_224.pth",
    licence="MIT",
)
"""The file that the authors' code names; its hash is not known here."""

LOSS_SCALE = 2.0**16
"""By what mixed precision multiplies the loss at first (``torch.amp.GradScaler``)."""

STEPS = 28_709 / 64
"""Steps of an epoch of FER2013, in which the authors' schedule counts."""

RECIPE = Recipe(
    epochs=300,
    batch_size=64,
    # The authors' schedule rises to 1e-3 whatever the learning rate on their command line (1e-4).
    # They clip gradients to a length of 1 while these still have the loss's scale: only then are they divided by it.
    optimizer=AdamW(lr=1e-3, weight_decay=0.01, clip_norm=1 / LOSS_SCALE),
    schedule=Cosine(warmup_epochs=128 / STEPS, warmup_start=0.0, restart_every=1024 / STEPS, warm_restarts=True),
    # Training goes by the objective, which smooths labels.
    loss=CrossEntropy(),
    input=Input(size=236, channels=3, normalise="unit"),
    augmentation=(
        HorizontalFlip(),
        VerticalFlip(),
        Affine(degrees=20, interpolation="nearest"),
        RandomCrop(size=224),
    ),
    tta=TenCrop(size=224, mean="logit"),
    monitor="accuracy",
    early_stopping=EarlyStopping(patience=12),
    ema=EMA(decay=0.99, every=16),
)

PRETRAINED = RECIPE.model_copy(update={"init_from": InitFrom(weights=IMAGENET.name)})

SMALL = {
    "recipe.input.size": 52,
    "recipe.augmentation.3.size": 48,
    "recipe.tta": {"name": "none"},
    # An average that follows every 16th step is still where it began after a few epochs of a thousand pictures.
    "recipe.ema": None,
    "model.options.scale": "atto",
}

CLAIM = Reported(
    dataset="fer2013",
    protocol="official",
    split="test",
    metric="accuracy",
    value=0.7334,
    locator="the paper's EmoNeXt-Tiny, as others cite it",
    classes=7,
    selection="last",
    extra_data="ImageNet-22k",
    caveat="not read in the paper itself; others who ran the authors' code report 71.4 and 71.6",
)

LARGEST = Reported(
    dataset="fer2013",
    protocol="official",
    split="test",
    metric="accuracy",
    value=0.7612,
    locator="the paper's EmoNeXt-XLarge, as others cite it",
    classes=7,
    selection="last",
    extra_data="ImageNet-22k",
    caveat="not read in the paper itself",
    method="EmoNeXt-XLarge",
    paper=PAPER,
)


class EmoNeXtOptions(Options):
    """``scale``: size of the ConvNeXt. ``drop_path``: rate of stochastic depth at the last block.

    ``attention``: weight of the penalty on attention within a batch (0: none). ``label_smoothing``: of the loss in
    training, which is the objective's own and not the recipe's.
    """

    scale: Literal["atto", "tiny", "small", "base", "large", "xlarge"] = "tiny"
    drop_path: float = Field(0.1, ge=0, lt=1)
    attention: float = Field(1.0, ge=0)
    label_smoothing: float = Field(0.2, ge=0, lt=1)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """EmoNeXt from scratch, from ImageNet-22k, and from there with the last weights, as the authors score it."""
    yield _emonext("", RECIPE, "trained from scratch")
    yield _emonext("imagenet", PRETRAINED, "from ImageNet-22k")
    last = PRETRAINED.model_copy(update={"selection": "last"})
    yield _emonext("paper", last, "from ImageNet-22k, scored with its last weights as the authors do")


@hookimpl
def ferbench_reported() -> Iterator[Reported]:
    """The largest network of the paper, which is no model of its own here."""
    yield LARGEST


def _emonext(variant: str, recipe: Recipe, words: str) -> Model:
    return Model(
        name="emonext",
        variant=variant,
        build="ferbench_emonext.network:build_emonext",
        objective="ferbench_emonext.objective:build_loss",
        options=EmoNeXtOptions(),
        recipe=recipe,
        weights=(IMAGENET,) if recipe.init_from else (),
        reference=NetSpec(classes=7, channels=3, size=224),
        label_kinds=("hard", "soft", "drawn"),
        small=SMALL,
        description=f"ConvNeXt-Tiny with a spatial transformer and squeeze-and-excitation, {words}.",
        paper=PAPER,
        reported=(CLAIM,) if variant == "paper" else (),
        tags=frozenset() if variant else frozenset({"fer2013-paper"}),
    )
