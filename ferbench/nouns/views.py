"""Views of each test sample, as plain data. The scores of all views of a sample are averaged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferbench.nouns.geometry import Border
from ferbench.nouns.settings import Settings

Mean = Literal["probability", "logit"]


class SingleView(Settings):
    """Each test sample is seen once, as it is."""

    name: Literal["none"] = "none"


class FlipView(Settings):
    """Each test sample and its mirror image."""

    name: Literal["flip"] = "flip"
    mean: Mean = "probability"


class FiveCrop(Settings):
    """Four corners and the middle of ``size`` pixels."""

    name: Literal["five-crop"] = "five-crop"
    size: int = Field(gt=0)
    mean: Mean = "probability"


class TenCrop(Settings):
    """Four corners and the middle of ``size`` pixels, and their mirror images.

    ``looks``: the looks of a training at val (and an oracle's at test) see all ten too, instead of the middle alone, so
    that weights are chosen and plateaus found by what is reported. They cost as much more.
    """

    name: Literal["ten-crop"] = "ten-crop"
    size: int = Field(gt=0)
    mean: Mean = "probability"
    looks: bool = False


class RandomViews(Settings):
    """``count`` random draws of the recipe's own augmentation (Pham et al. 2020 take ten), seeded with ``seed``."""

    name: Literal["random"] = "random"
    count: int = Field(10, ge=1)
    seed: int = Field(0, ge=0)
    mean: Mean = "probability"


class ViewGrid(Settings):
    """Every combination of these, each also with the mirror image where ``mirror`` is set.

    ``degrees``: clockwise. ``translate``: shares of the side, used both to the right and down. ``zoom``: the share of
    width and height that is shown, from the middle, so that less than 1 enlarges.
    """

    degrees: tuple[Annotated[float, Field(ge=-180, le=180)], ...] = Field((0.0,), min_length=1)
    translate: tuple[Annotated[float, Field(gt=-1, lt=1)], ...] = Field((0.0,), min_length=1)
    zoom: float = Field(1.0, gt=0)
    mirror: bool = True


class GridViews(Settings):
    """The picture itself, counted ``plain`` times, and every view of the ``grids`` once.

    A view is mirrored, enlarged, moved and turned in this order, with one interpolation; ``border`` says what enters
    the picture. Pecoraro et al. 2021 take 60 such views.
    """

    name: Literal["grid"] = "grid"
    grids: tuple[ViewGrid, ...] = Field(min_length=1)
    plain: float = Field(1.0, gt=0)
    border: Border = "edge"
    mean: Mean = "probability"


TestViews = Annotated[SingleView | FlipView | FiveCrop | TenCrop | RandomViews | GridViews, Field(discriminator="name")]
