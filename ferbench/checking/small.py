"""Models as quick checks look at them: under the small settings that they state."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from ferbench.checking.trial import raw_size, seen_size
from ferbench.nouns.model import Model
from ferbench.running.small import under_small_settings

T = TypeVar("T")


def small_version(item: T) -> T:
    """A network of pictures under its small settings, built for the pictures that these give it; all else as it is."""
    if not isinstance(item, Model) or not item.small or item.build is None or item.modality != "image":
        return item
    recipe, options, _ = under_small_settings(item, small=True)
    size = seen_size(recipe, raw_size(recipe, recipe.input.size or item.reference.size))
    return replace(item, recipe=recipe, options=options, reference=replace(item.reference, size=size))
