"""Several data sets as one."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from ferbench.nouns.emotions import BASIC, canonical
from ferbench.nouns.settings import Settings


class Composition(Settings):
    """What a composed data set is made of: a suite's table ``[compose.NAME]``, whose data set is ``compose:NAME``.

    ``datasets``: names of data sets of pictures with one label each, ``NAME`` or ``NAME@PROTOCOL``. ``classes``: the
    emotions that are kept, by canonical names in the order of the outputs; 6, 7 or 8 for a customary set of that size;
    empty: those that all the data sets have. ``size``: height and width to which pictures are brought (None: the
    smallest side of any picture; of files, the first of each data set and side count). ``colour``: three channels, else
    grey.
    """

    datasets: tuple[str, ...] = Field(min_length=2)
    classes: tuple[str, ...] = ()
    size: int | None = Field(None, ge=8, le=1024)
    colour: bool = False

    @field_validator("classes", mode="before")
    @classmethod
    def _customary(cls, value: Any) -> Any:
        if isinstance(value, int):
            if value not in BASIC:
                raise ValueError("a number stands for a customary set of 6, 7 or 8 emotions")
            return BASIC[value]
        return value

    @field_validator("classes")
    @classmethod
    def _by_meaning(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(canonical(name) for name in value)
        if value and len(set(names)) < max(2, len(names)):
            raise ValueError("two or more classes of different meaning are needed")
        return names
