"""Data sets that are composed of others: ``compose:A+B``, or ``compose:NAME`` as a suite defines it."""

from __future__ import annotations

from collections.abc import Callable

from ferbench.data.composing import PREFIX, compose, composition_of
from ferbench.nouns.dataset import Dataset
from ferbench.nouns.family import Family


def composed_family() -> Family:
    """The family of all composed data sets."""
    return Family(
        PREFIX,
        _make,
        "Several data sets of faces as one, over the classes that they share; each sample keeps its source.",
        examples=("A+B",),
        derives=True,
    )


def _make(argument: str, find: Callable[[str], Dataset]) -> Dataset:
    return compose(f"{PREFIX}:{argument}", composition_of(argument), find)
