"""Augmentation that changes the values of pixels, and policies that mix it with geometry, as plain data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ferbench.nouns.geometry import Grey, Probability
from ferbench.nouns.settings import Settings

Strength = Annotated[float, Field(ge=0)]


class ColorJitter(Settings):
    """Change brightness, contrast, saturation and hue, in random order: torchvision's ``ColorJitter``.

    Each factor is drawn from 1 ± its value (at least 0), the hue's turn from ± its value (at most 0.5). Saturation and
    hue do nothing to grey pictures.
    """

    name: Literal["color-jitter"] = "color-jitter"
    brightness: Strength = 0.0
    contrast: Strength = 0.0
    saturation: Strength = 0.0
    hue: float = Field(0.0, ge=0, le=0.5)
    p: Probability = 1.0


class Solarize(Settings):
    """Invert all pixels that are at least ``threshold``."""

    name: Literal["solarize"] = "solarize"
    threshold: Grey = 128.0
    p: Probability = 0.5


class Posterize(Settings):
    """Keep the highest ``bits`` of each pixel."""

    name: Literal["posterize"] = "posterize"
    bits: int = Field(4, ge=1, le=8)
    p: Probability = 0.5


class Equalize(Settings):
    """Spread the histogram of each channel evenly, as PIL's ``equalize``."""

    name: Literal["equalize"] = "equalize"
    p: Probability = 0.5


class AutoContrast(Settings):
    """Stretch each channel to 0 … 255."""

    name: Literal["auto-contrast"] = "auto-contrast"
    p: Probability = 0.5


class Sharpness(Settings):
    """Blend with a smoothed copy by ``factor``: 0 is smoothed, 1 the same, above it sharper."""

    name: Literal["sharpness"] = "sharpness"
    factor: float = Field(2.0, ge=0)
    p: Probability = 0.5


class GaussianBlur(Settings):
    """Blur with a ``kernel`` of odd size and a standard deviation drawn from ``sigma`` (pixels)."""

    name: Literal["gaussian-blur"] = "gaussian-blur"
    kernel: Literal[3, 5, 7, 9, 11] = 3
    sigma: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.1, 2.0)
    p: Probability = 0.5


class RandAugment(Settings):
    """``operations`` drawn from fourteen, each of ``magnitude`` out of ``bins``: torchvision's ``RandAugment``."""

    name: Literal["rand-augment"] = "rand-augment"
    operations: int = Field(2, ge=1)
    magnitude: int = Field(9, ge=0)
    bins: int = Field(31, ge=2)
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    fill: Grey = 0.0

    @model_validator(mode="after")
    def _within(self) -> RandAugment:
        if self.magnitude >= self.bins:
            raise ValueError(f"magnitude {self.magnitude} is none of {self.bins} bins; set it to 0 to {self.bins - 1}")
        return self


class AutoAugment(Settings):
    """One of a learnt policy's 25 pairs of operations (Cubuk et al. 2019): torchvision's ``AutoAugment``."""

    name: Literal["auto-augment"] = "auto-augment"
    policy: Literal["imagenet", "cifar10", "svhn"] = "imagenet"
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    fill: Grey = 0.0
