"""Validated plain data: every mistake is named at once, with its place and the nearest valid name."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, field_serializer

from ferbench.errors import Problem, SettingsError, did_you_mean


class Settings(BaseModel):
    """Base of all settings: frozen, no unknown keys, no not-a-number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class Options(Settings):
    """Base of the options of a model or sampler. Subclass it with typed fields; they are validated and hashed."""

    @field_serializer("*", mode="wrap", when_used="json")
    def _plain(self, value: Any, plain: SerializerFunctionWrapHandler) -> Any:
        return _sorted_sets(value, plain(value))


def _sorted_sets(value: Any, plain: Any) -> Any:
    """Plain data of ``value`` with its sets in order: theirs is another one in each process, and so would the hash be.

    Settings within sort their own.
    """
    if isinstance(value, set | frozenset):
        return sorted(plain, key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, list | tuple):
        return [_sorted_sets(*pair) for pair in zip(value, plain, strict=True)]
    if isinstance(value, Mapping):
        return {key: _sorted_sets(*pair) for key, *pair in zip(plain, value.values(), plain.values(), strict=True)}
    return plain


S = TypeVar("S", bound=Settings)


def validated(kind: type[S], data: Mapping[str, Any], place: str = "", title: str | None = None) -> S:
    """Return ``kind`` made from plain data.

    Raises SettingsError that names all mistakes, each with its place below ``place``.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise SettingsError(problems_of(error, kind, place), title or "These settings cannot be used") from None


def revised(settings: S, changes: Mapping[str, Any], place: str = "") -> S:
    """Return a copy of ``settings`` with dotted keys replaced, validated as a whole.

    ``{"optimizer.lr": 0.1}`` changes one value; a table (``{"optimizer": {"name": "adam"}}``) replaces the whole part.
    Raises SettingsError that names all keys that match nothing and all values that do not fit.
    """
    data = settings.model_dump()
    problems: list[Problem] = []
    for key, value in changes.items():
        problem = _replace(data, key, value)
        if problem:
            problems.append(Problem(f"{place}.{key}" if place else key, problem))
    try:
        result = type(settings).model_validate(data)
    except ValidationError as error:
        problems.extend(problems_of(error, type(settings), place))
    if problems:
        raise SettingsError(problems)
    return result


def _replace(data: dict[str, Any], key: str, value: Any) -> str:
    node: Any = data
    parts = key.split(".")
    for depth, part in enumerate(parts):
        known = list(node) if isinstance(node, dict) else [str(i) for i in range(len(node))]
        if part not in known:
            where = f" at {'.'.join(parts[:depth])}" if depth else ""
            there = f"Known: {', '.join(known)}." if known else "There is nothing to set."
            return f"there is no {part!r}{where}.{did_you_mean(part, known)} {there}"
        index: Any = part if isinstance(node, dict) else int(part)
        if depth == len(parts) - 1:
            node[index] = value
            return ""
        if isinstance(node[index], tuple):
            node[index] = list(node[index])
        node = node[index]
        if not isinstance(node, dict | list):
            return f"{'.'.join(parts[: depth + 1])} is a single value, nothing lies below it."
    return ""


def problems_of(error: ValidationError, kind: type[BaseModel], place: str = "") -> list[Problem]:
    """Translate pydantic's errors into problems with dotted places and suggestions."""
    problems = []
    for item in error.errors(include_url=False):
        location = [str(part) for part in item["loc"]]
        where = ".".join(part for part in ([place] if place else []) + _keys(kind, location) if part)
        if item["type"] == "extra_forbidden":
            known = _fields_at(kind, location[:-1])
            message = f"unknown key.{did_you_mean(location[-1], known)}"
            message += f" Known keys: {', '.join(sorted(known))}." if known else ""
        elif item["type"] in ("union_tag_invalid", "literal_error"):
            expected = _quoted(str(item.get("ctx", {}).get("expected_tags") or item.get("ctx", {}).get("expected", "")))
            given = str(item.get("ctx", {}).get("tag", item["input"]))
            message = f"{given!r} is not one of {', '.join(expected)}.{did_you_mean(given, expected)}"
        else:
            message = item["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list, such as [1, 2]")
            if not isinstance(item["input"], dict | list | tuple | BaseModel) and item["type"] != "missing":
                message += f" (given: {item['input']!r})"
        problems.append(Problem(where, message))
    return problems


def _quoted(text: str) -> list[str]:
    return [word.strip(" '\"") for word in text.replace(" or ", ", ").split(",") if word.strip()]


def _keys(kind: Any, location: list[str]) -> list[str]:
    """The keys of ``location`` below ``kind``: pydantic puts the name of an optimizer, say, between them."""
    return [part for place, part in enumerate(location) if not _called(_kinds_at(kind, location[:place]), part)]


def _fields_at(kind: Any, location: list[str]) -> set[str]:
    """Field names of the settings class that lies at ``location`` below ``kind``."""
    return {name for candidate in _kinds_at(kind, location) for name in candidate.model_fields}


def _kinds_at(kind: Any, location: list[str]) -> set[type[BaseModel]]:
    kinds = _settings_in(kind)
    for part in location:
        if part.isdigit():
            continue
        below: set[type[BaseModel]] = set()
        for candidate in kinds:
            if part in candidate.model_fields:
                below |= _settings_in(candidate.model_fields[part].annotation)
        kinds = _called(kinds, part) or below or kinds
    return kinds


def _called(kinds: set[type[BaseModel]], name: str) -> set[type[BaseModel]]:
    """Those of ``kinds`` that a recipe names so, such as ``sgd``."""
    return {each for each in kinds if "name" in each.model_fields and each.model_fields["name"].default == name}


def _settings_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {found for part in typing.get_args(annotation) for found in _settings_in(part)}
