"""What of a recipe applies to pictures, to clips and to signals; nothing here needs torch."""

from __future__ import annotations

from ferbench.nouns.augmentation import CutMix, MixUp
from ferbench.nouns.emotions import Modality
from ferbench.nouns.geometry import MultiCrop
from ferbench.nouns.recipe import Recipe

SIGNAL_NORMALISE = ("unit", "mean-std", "each")
OF_PICTURES = ("size", "channels", "equalise")
OF_CLIPS = ("train_frames", "test_frames")


def recipe_misfit(recipe: Recipe, modality: Modality) -> str:
    """Why a recipe cannot be used on data of a modality; empty if it can."""
    ops = [op for stage in recipe.planned_stages() for op in stage.augmentation or ()]
    settings = recipe.input
    if modality != "video":
        named = [f"input.{key}" for key in OF_CLIPS if getattr(settings, key)]
        if named:
            return f"{named[0]} chooses frames of clips, and the data are {modality}"
    if modality == "video":
        single = next((op for op in ops if isinstance(op, MultiCrop | CutMix)), None)
        return f"{single.name} is for single pictures, and the data are {modality}" if single else ""
    if modality == "eeg":
        unfit = next((op for op in ops if not isinstance(op, MixUp)), None)
        if unfit:
            return f"{unfit.name} changes pictures, and the data are {modality} (mixup applies to them)"
        named = [f"input.{key}" for key in OF_PICTURES if getattr(settings, key)]
        if named:
            return f"{named[0]} changes pictures, and the data are {modality}"
        if settings.normalise not in SIGNAL_NORMALISE:
            known = ", ".join(SIGNAL_NORMALISE)
            return f"input.normalise = {settings.normalise!r} is for pictures, and the data are {modality}: {known}"
    return ""
