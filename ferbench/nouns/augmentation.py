"""Augmentation in training, as plain data.

Every operation draws its own parameters for each sample of a batch. Operations run in the order of the recipe, on raw
pixels (0 to 255), but for those of :data:`AFTER_NORMALISATION`, as in the papers that use them, and for mixing, which
comes last.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferbench.nouns.colour import (
    AutoAugment,
    AutoContrast,
    ColorJitter,
    Equalize,
    GaussianBlur,
    Posterize,
    RandAugment,
    Sharpness,
    Solarize,
)
from ferbench.nouns.geometry import (
    Affine,
    Cutout,
    HorizontalFlip,
    MultiCrop,
    PadCrop,
    Perspective,
    Probability,
    RandomCrop,
    RandomErasing,
    ResizedCrop,
    VerticalFlip,
)
from ferbench.nouns.settings import Settings


class MixUp(Settings):
    """Mix each picture and its label with another of the batch (Zhang et al. 2018): shares from Beta(alpha, alpha).

    ``each``: one share a batch, as in the paper, or one a sample. Where a recipe lists both this and CutMix, every
    batch gets one of them, drawn evenly, then applied with its ``p``.
    """

    name: Literal["mixup"] = "mixup"
    alpha: float = Field(0.2, gt=0)
    each: Literal["batch", "sample"] = "batch"
    p: Probability = 1.0


class CutMix(Settings):
    """Paste a rectangle of another picture of the batch (Yun et al. 2019); labels mix by the area left.

    The rectangle's share of the picture is 1 − λ, λ from Beta(alpha, alpha). ``each`` and ``p``: see :class:`MixUp`.
    """

    name: Literal["cutmix"] = "cutmix"
    alpha: float = Field(1.0, gt=0)
    each: Literal["batch", "sample"] = "batch"
    p: Probability = 1.0


Pixels = (
    PadCrop
    | RandomCrop
    | ResizedCrop
    | MultiCrop
    | HorizontalFlip
    | VerticalFlip
    | Affine
    | Perspective
    | ColorJitter
    | Solarize
    | Posterize
    | Equalize
    | AutoContrast
    | Sharpness
    | GaussianBlur
    | RandAugment
    | AutoAugment
)
"""Operations on raw pixels."""

AFTER_NORMALISATION = (RandomErasing, Cutout)
MIXING = (MixUp, CutMix)

Augmentation = Annotated[Pixels | RandomErasing | Cutout | MixUp | CutMix, Field(discriminator="name")]
