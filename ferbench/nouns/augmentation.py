"""Augmentation in training and views at test, as plain data.

Every operation draws its own parameters for each sample of a batch. Operations run in the order of the recipe, on raw
pixels (0 to 255), but for :class:`RandomErasing`, which runs after normalisation as in the papers that use it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferbench.nouns.settings import Settings

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class PadCrop(Settings):
    """Pad by ``padding`` pixels on every side with zeros, then crop the former size at a random place."""

    name: Literal["pad-crop"] = "pad-crop"
    padding: int = Field(4, ge=1)


class RandomCrop(Settings):
    """Crop ``size`` × ``size`` pixels at a random place. At test, the middle is cropped unless views say otherwise."""

    name: Literal["random-crop"] = "random-crop"
    size: int = Field(gt=0)


class HorizontalFlip(Settings):
    """Mirror left and right with probability ``p``."""

    name: Literal["horizontal-flip"] = "horizontal-flip"
    p: Probability = 0.5


class Affine(Settings):
    """One warp of rotation (± ``degrees``), translation (± share of the side) and scale (``low`` to ``high``).

    Applied with probability ``p``; what leaves the picture is lost, what enters it is ``fill`` (0 to 255).
    """

    name: Literal["affine"] = "affine"
    degrees: float = Field(0.0, ge=0, le=180)
    translate: float = Field(0.0, ge=0, le=1)
    scale: tuple[Positive, Positive] = (1.0, 1.0)
    interpolation: Literal["nearest", "bilinear"] = "bilinear"
    fill: float = Field(0.0, ge=0, le=255)
    p: Probability = 1.0


class RandomErasing(Settings):
    """Overwrite a random rectangle with ``value`` (in normalised units), as torchvision's operation of this name."""

    name: Literal["random-erasing"] = "random-erasing"
    p: Probability = 0.5
    scale: tuple[Probability, Probability] = (0.02, 0.33)
    ratio: tuple[Positive, Positive] = (0.3, 3.3)
    value: float = 0.0


Augmentation = Annotated[PadCrop | RandomCrop | HorizontalFlip | Affine | RandomErasing, Field(discriminator="name")]


class SingleView(Settings):
    """Each test sample is seen once, as it is."""

    name: Literal["none"] = "none"


class FlipView(Settings):
    """Each test sample and its mirror image; the scores are averaged."""

    name: Literal["flip"] = "flip"
    mean: Literal["probability", "logit"] = "probability"


class TenCrop(Settings):
    """Four corners and the middle of ``size`` pixels, and their mirror images; the scores are averaged."""

    name: Literal["ten-crop"] = "ten-crop"
    size: int = Field(gt=0)
    mean: Literal["probability", "logit"] = "probability"


TestViews = Annotated[SingleView | FlipView | TenCrop, Field(discriminator="name")]
