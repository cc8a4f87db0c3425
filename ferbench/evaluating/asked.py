"""The views at test that a user asks for on a command line."""

from __future__ import annotations

import tomllib
from typing import Any

from ferbench.errors import Problem, SettingsError, did_you_mean
from ferbench.nouns.settings import validated
from ferbench.nouns.views import FiveCrop, FlipView, GridViews, RandomViews, SingleView, TenCrop, TestViews

VIEWS: dict[str, type[SingleView | FlipView | FiveCrop | TenCrop | RandomViews | GridViews]] = {
    "none": SingleView,
    "flip": FlipView,
    "five-crop": FiveCrop,
    "ten-crop": TenCrop,
    "random": RandomViews,
    "grid": GridViews,
}
SIZED = ("five-crop", "ten-crop")
MAIN = {**dict.fromkeys(SIZED, "size"), "random": "count"}
"""The setting that a bare number means."""
GRID = '{name="grid", grids=[{degrees=[0, 10]}]}'


def parse_tta(text: str) -> TestViews | None:
    """``recipe`` (None), or views by name: ``flip``, ``ten-crop:40``, ``random:count=20,seed=1,mean=logit``.

    What follows the colon are settings; a bare number is the size of a crop, or the count of random views. A table as
    a suite holds it, ``{name="grid", grids=[{degrees=[0, 10]}]}``, can say everything. Raises SettingsError for
    anything else.
    """
    if text == "recipe":
        return None
    if text.startswith("{"):
        return _from_table(text)
    name, _, argument = text.partition(":")
    kind = VIEWS.get(name)
    given = dict(_setting(part, MAIN.get(name, "")) for part in argument.split(",")) if argument else {}
    if kind is GridViews:
        raise SettingsError([Problem("--tta", f"grid views are written as a table, such as {GRID!r}.")])
    if kind is None or "" in given or (name in SIZED and "size" not in given):
        forms = f"recipe, none, flip, ten-crop:SIZE, five-crop:SIZE, random:COUNT, {GRID!r}"
        further = "with further settings after a comma, such as ten-crop:40,mean=logit"
        near = did_you_mean(name, VIEWS) if kind is None else ""
        raise SettingsError([Problem("--tta", f"{text!r} is none of {forms} ({further}).{near}")])
    return validated(kind, given, "--tta")


def _from_table(text: str) -> TestViews:
    try:
        table: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([Problem("--tta", f"{text!r} is no table such as {GRID!r}: {error}")]) from None
    given = {key: value for key, value in table.items() if key != "name"}
    kind = VIEWS.get(table.get("name", ""))
    if kind is None:
        names = ", ".join(VIEWS)
        raise SettingsError([Problem("--tta.name", f"{table.get('name')!r} is none of {names}")])
    return validated(kind, given, "--tta")


def _setting(text: str, main: str) -> tuple[str, str]:
    """``KEY=VALUE`` as a pair; a bare number belongs to the key ``main``, anything else to none."""
    key, equals, value = (part.strip() for part in text.partition("="))
    return (key, value) if equals else (main if key.isdigit() else "", key)
