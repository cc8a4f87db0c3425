"""Which views at test a recipe and its data can give; nothing here needs torch."""

from __future__ import annotations

from collections.abc import Sequence

from ferbench.errors import Problem, SettingsError
from ferbench.nouns.augmentation import MIXING, Augmentation
from ferbench.nouns.emotions import Modality
from ferbench.nouns.geometry import MultiCrop
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.views import SingleView, TestViews


def views_misfit(tta: TestViews, inputs: Sequence[str], modality: Modality) -> str:
    """Why a network with these inputs cannot be shown several views of a sample; empty if it can."""
    if isinstance(tta, SingleView):
        return ""
    if modality != "image":
        return f"{tta.name} views are of pictures, and the data are {modality}"
    if len(inputs) > 1:
        return f"{tta.name} views are of one picture, and the model takes {', '.join(inputs)}"
    return ""


def drawn_augmentation(recipe: Recipe, place: str = "recipe.tta") -> tuple[Augmentation, ...]:
    """The augmentation that random views draw: that of the last stage, mixing left out.

    Raises SettingsError where nothing is left to draw, or one operation makes several pictures of each.
    """
    last = recipe.planned_stages()[-1].augmentation or ()
    chosen = tuple(op for op in last if not isinstance(op, MIXING))
    if not chosen:
        why = "random views are draws of the recipe's augmentation, and it has none; choose other views"
        raise SettingsError([Problem(place, why)])
    if any(isinstance(op, MultiCrop) for op in chosen):
        why = "random views cannot be drawn from multi-crop, which makes several pictures of each; take its crops as"
        raise SettingsError([Problem(place, f"{why} views: five-crop or ten-crop")])
    return chosen
