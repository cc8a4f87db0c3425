"""Suite files and the command line's overrides, turned into validated settings."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench.errors import Problem, SettingsError
from ferbench.nouns.settings import Settings, revised, validated
from ferbench.nouns.suite import Suite


@dataclass(frozen=True)
class Override:
    """``SCOPE:KEY=VALUE``: ``key`` is dotted, ``scope`` a model's full name, a sampler's name, or empty for all."""

    key: str
    value: Any
    scope: str = ""

    def __str__(self) -> str:
        return f"{self.scope}:{self.key}" if self.scope else self.key


ROOTS = ("recipe", "model.options", "sampler.options", "run")
"""Where an override's key may begin."""


def parse_suite(text: str, place: str) -> Suite:
    """Read a suite from TOML. Raises SettingsError with all mistakes; ``place`` names the file in them."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([Problem(place, f"not valid TOML: {error}")], "This suite cannot be read") from None
    return validated(Suite, data, title=f"The suite {place} cannot be used")


def read_suite(path: Path) -> Suite:
    """Read a suite file. Raises SettingsError when it cannot be read or holds mistakes."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else f"it is not UTF-8 text ({error})"
        raise SettingsError([Problem(str(path), why)], "This suite cannot be read") from None
    return parse_suite(text, str(path))


def parse_override(text: str) -> Override:
    """Parse ``KEY=VALUE`` or ``MODEL:KEY=VALUE``; the value is TOML, or else a plain string.

    >>> parse_override("small-cnn:recipe.optimizer.lr=0.05")
    Override(key='recipe.optimizer.lr', value=0.05, scope='small-cnn')
    """
    left, equals, right = text.partition("=")
    if not equals or not left.strip():
        raise SettingsError([Problem(f"--set {text}", "write it as KEY=VALUE, such as recipe.optimizer.lr=0.05")])
    try:
        value: Any = tomllib.loads(f"value = {right.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = right.strip()
    return override(left.strip(), value)


def override(name: str, value: Any) -> Override:
    """Make an override from ``KEY`` or ``MODEL:KEY``. Raises SettingsError for a key that begins nowhere known."""
    scope, _, key = name.rpartition(":")
    if not any(key.startswith(f"{root}.") for root in ROOTS):
        known = ", ".join(f"{root}.*" for root in ROOTS)
        raise SettingsError([Problem(name, f"there is no such setting; keys begin with {known}")])
    if scope and key.startswith("run."):
        raise SettingsError([Problem(name, "run settings hold for the whole run; leave the model out")])
    return Override(key, value, scope)


def overrides_of(suite: Suite, extra: Sequence[Override] = ()) -> tuple[Override, ...]:
    """A suite's own overrides, followed by those of the command line (later ones win)."""
    return (*(override(name, value) for name, value in suite.set.items()), *extra)


def parse_seeds(text: str) -> tuple[int, ...]:
    """``3`` means seeds 0, 1, 2; ``0,7`` means those two, and ``7,`` that one alone."""
    try:
        numbers = [int(part) for part in text.removesuffix(",").split(",")]
    except ValueError:
        raise SettingsError([Problem("--seeds", f"{text!r} is neither a number nor a list such as 0,7")]) from None
    if min(numbers) < 0 or ("," not in text and numbers[0] == 0):
        raise SettingsError([Problem("--seeds", f"{text!r}: seeds are 0 or more, and at least one is needed")])
    return tuple(dict.fromkeys(numbers)) if "," in text else tuple(range(numbers[0]))


def parse_limit(text: str) -> int | float:
    """``2000`` means so many training samples, ``0.1`` or ``10%`` that share of them."""
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = math.inf
    if not math.isfinite(number):
        raise SettingsError([Problem("--limit", f"{text!r} is no number; give one such as 2000, or a share (0.1)")])
    shares = "%" in text or "." in text  # 100% and 1.0 are a share, and not one sample
    return int(number) if number.is_integer() and not shares else number


def under(root: str, overrides: Sequence[Override], scope: str = "") -> dict[str, Any]:
    """Keys below ``root`` (without it) of the overrides that hold for ``scope``."""
    return {
        item.key.removeprefix(f"{root}."): item.value
        for item in overrides
        if item.key.startswith(f"{root}.") and item.scope in ("", scope)
    }


def applied(settings: Settings, changes: Mapping[str, Any], place: str) -> tuple[Settings, tuple[str, ...]]:
    """Return settings with those changes that concern them, and the keys of these.

    A key that the settings do not have is left out (it may belong to another model); a value that does not fit
    raises SettingsError.
    """
    mine = {key: value for key, value in changes.items() if has_key(settings, key)}
    return (revised(settings, mine, place) if mine else settings), tuple(mine)


def has_key(settings: Settings, key: str) -> bool:
    """Whether a dotted key names something in ``settings``."""
    node: Any = settings.model_dump()
    for part in key.split("."):
        if isinstance(node, list | tuple) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return False
    return True


def dotted(settings: Settings) -> list[str]:
    """All dotted keys of ``settings``."""

    def _below(node: Any, place: str) -> list[str]:
        if not isinstance(node, dict):
            return [place]
        return [place, *(f"{place}.{key}" for name, item in node.items() for key in _below(item, name))]

    return [key for name, item in settings.model_dump().items() for key in _below(item, name)]
