"""Augmentation that moves pixels, as plain data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferbench.nouns.settings import Settings

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Grey = Annotated[float, Field(ge=0, le=255)]
Border = Literal["constant", "edge", "reflect", "symmetric"]
"""What lies outside of a picture: a fixed grey; the border pixel; the picture mirrored without or with its border."""


class PadCrop(Settings):
    """Pad by ``padding`` pixels on every side, then crop the former size at a random place."""

    name: Literal["pad-crop"] = "pad-crop"
    padding: int = Field(4, ge=1)
    border: Border = "constant"
    fill: Grey = 0.0


class RandomCrop(Settings):
    """Crop ``size`` × ``size`` pixels at a random place. At test, the middle is cropped unless views say otherwise."""

    name: Literal["random-crop"] = "random-crop"
    size: int = Field(gt=0)


class ResizedCrop(Settings):
    """Crop a random share (``scale``) of the area with a random ``ratio`` of the sides, and resize it to ``size``.

    torchvision's ``RandomResizedCrop``: a crop that does not fit after ten tries is the middle. At test, pictures are
    resized to ``size`` as a whole.
    """

    name: Literal["resized-crop"] = "resized-crop"
    size: int = Field(gt=0)
    scale: tuple[Positive, Positive] = (0.08, 1.0)
    ratio: tuple[Positive, Positive] = (3 / 4, 4 / 3)
    interpolation: Literal["nearest", "bilinear"] = "bilinear"


class MultiCrop(Settings):
    """Turn each picture into its ``count`` crops of ``size`` pixels, each with its label.

    Five: the corners and the middle; ten: their mirror images too. The batch grows by as much, as in Khaireddin and
    Chen's trainer. Operations after it treat each crop on its own.
    """

    name: Literal["multi-crop"] = "multi-crop"
    size: int = Field(gt=0)
    count: Literal[5, 10] = 10


class HorizontalFlip(Settings):
    """Mirror left and right with probability ``p``."""

    name: Literal["horizontal-flip"] = "horizontal-flip"
    p: Probability = 0.5


class VerticalFlip(Settings):
    """Mirror top and bottom with probability ``p``."""

    name: Literal["vertical-flip"] = "vertical-flip"
    p: Probability = 0.5


class Affine(Settings):
    """One warp of rotation, translation, scale, zoom and shear, applied with probability ``p``.

    ``degrees``: rotation, ±. ``translate``: share of the side, ±. ``scale``: from low to high, both axes alike.
    ``zoom``: the share of the width and of the height that is shown, each drawn for itself, so that less than 1
    enlarges: Keras's ``zoom_range``. ``shear``: degrees along x and along y, ±. ``border`` says what enters the
    picture, ``fill`` the grey (0 to 255) of a constant one. Without ``zoom`` this is torchvision's ``RandomAffine``;
    with ``whole_pixels`` false, translations are not rounded as they are there.
    """

    name: Literal["affine"] = "affine"
    degrees: float = Field(0.0, ge=0, le=180)
    translate: float = Field(0.0, ge=0, le=1)
    scale: tuple[Positive, Positive] = (1.0, 1.0)
    zoom: tuple[Positive, Positive] = (1.0, 1.0)
    shear: tuple[Annotated[float, Field(ge=0, lt=90)], Annotated[float, Field(ge=0, lt=90)]] = (0.0, 0.0)
    interpolation: Literal["nearest", "bilinear"] = "bilinear"
    border: Border = "constant"
    fill: Grey = 0.0
    whole_pixels: bool = True
    p: Probability = 1.0


class Perspective(Settings):
    """Move each corner inwards by up to half of ``distortion`` times the side: torchvision's ``RandomPerspective``."""

    name: Literal["perspective"] = "perspective"
    distortion: Probability = 0.5
    interpolation: Literal["nearest", "bilinear"] = "bilinear"
    fill: Grey = 0.0
    p: Probability = 0.5


class RandomErasing(Settings):
    """Overwrite a random rectangle with ``value`` (in normalised units), as torchvision's operation of this name.

    ``random`` fills it with noise of a standard normal distribution, each pixel its own.
    """

    name: Literal["random-erasing"] = "random-erasing"
    p: Probability = 0.5
    scale: tuple[Probability, Probability] = (0.02, 0.33)
    ratio: tuple[Positive, Positive] = (0.3, 3.3)
    value: float | Literal["random"] = 0.0


class Cutout(Settings):
    """Overwrite ``count`` squares of ``size`` pixels with ``value`` (in normalised units); DeVries and Taylor 2017.

    Their middle lies anywhere in the picture, so that part of a square may lie outside.
    """

    name: Literal["cutout"] = "cutout"
    size: int = Field(gt=0)
    count: int = Field(1, ge=1)
    value: float = 0.0
    p: Probability = 1.0
