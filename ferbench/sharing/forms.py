"""The form of what a pack holds. It may come from anyone: what is not of this form is refused."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ferbench.errors import DataError
from ferbench.nouns.emotions import Task

FORMAT, SCHEMA = "ferbench-pack", 1
MANIFEST = "ferbench-pack.json"
DEPTH = 40
KEPT_HERE = ("merged", "files")
"""Keys of ``status.json`` that each store writes for itself: they never travel, and a stranger's are not believed."""

Name = Annotated[str, Field(max_length=200)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{20}$")]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
Plain = dict[str, Any]


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Moment = Annotated[str, AfterValidator(_moment)]


class Form(BaseModel):
    """Base: types as they are in JSON, no unknown keys, no not-a-number."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class Open(Form):
    """A form that may hold further plain data, which nothing but a table's footnote ever shows."""

    model_config = ConfigDict(extra="allow")


class SuiteForm(Open):
    """What a leaderboard needs of a suite."""

    name: Name
    metrics: list[Name] = []


class Manifest(Form):
    """``ferbench-pack.json``, the first file of a pack."""

    format: Literal["ferbench-pack"]
    version: Literal[1] = Field(alias="schema")
    ferbench: Name
    cells: list[Digest] = Field(min_length=1)
    suite: SuiteForm
    rows: dict[Digest, Name]


class RowForm(Open):
    """A row key; which keys it has, :class:`ferbench.identity.RowKey` says."""

    dataset: Name
    fingerprint: Fingerprint
    protocol: Name
    sampler: Name
    model: Name
    variant: Name
    division: Name
    sampler_options: Plain
    model_options: Plain
    recipe: Plain
    weights: dict[Name, Name]
    limit: int | float | None
    small: bool = False


class FactsForm(Open):
    """What the table shows beside the results."""

    kind: Literal["imported"] = "imported"
    task: Task
    classes: list[Name] = Field(min_length=1)
    ranking: Name
    unit: Literal["sample", "subject", "clip", "trial"]
    n_train: int
    n_val: int
    n_test: int
    notes: list[str]
    partial: str
    synthetic: bool
    deterministic: bool
    floor: bool
    estimator: bool
    modified: list[Name] = []
    sampler_modified: list[Name] = []
    extra_data: str
    epochs: int | None = None
    recipe_epochs: int | None = None
    params: int | None = None
    reported: list[Plain] = []


class CellForm(Form):
    """``cell.json``."""

    version: Literal[1] = Field(alias="schema")
    row_id: Digest
    row: RowForm
    engine: int
    id: Digest
    label: Annotated[str, Field(max_length=1000)]
    seed: int = Field(ge=0)
    fold: int = Field(ge=0)
    folds: int = Field(ge=1)
    requires: dict[Name, Digest]
    sources: dict[Name, Name]
    plugins: list[Name]
    plugin_files: list[Name]
    metric_plugins: list[Name] = []
    metric_files: list[Name] = []
    facts: FactsForm
    run: Plain


class StatusForm(Open):
    """``status.json`` of a cell that has ended."""

    state: Literal["done", "failed"]
    cause: str = ""
    started: Moment = ""
    ended: Moment = ""
    seconds: float | None = None
    notes: list[str] = []
    params: int | None = None
    flops: int | float | None = None
    train_seconds: float | None = None
    images_per_second: float | None = None


class EnvironmentForm(Open):
    """``environment.json``."""

    device: Name = ""
    device_name: Name = ""
    machine: Name = ""
    versions: dict[Name, Name] = {}


class EvaluationForm(Form):
    """``evaluation.json``; a further evaluation's id is computed over all of it but ``seen`` and ``left_out``."""

    weights: Literal["best", "last"]
    tta: Plain
    dataset: Name
    protocol: Name
    fingerprint: Fingerprint
    seen: dict[Name, int] = {}
    left_out: dict[Name, int] = {}


class MetricsForm(Open):
    """``metrics.json``: those of ``train`` are kept as they are, since predictions of it are not."""

    train: dict[Name, float | None] = {}
    chosen_epoch: int | None = None


F = TypeVar("F", bound=Form)


def read_form(kind: type[F], path: Path, label: str) -> dict[str, Any]:
    """The JSON object in ``path``, if it has the form ``kind``. Raises DataError that names what is wrong where."""
    value = read_plain(path, label)
    check_version(value, kind, label)
    try:
        kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{label} is refused: {where}: {first['msg']}.") from None
    return value


def check_version(value: dict[str, Any], kind: type[Form], label: str) -> None:
    """Raise DataError for a file of another schema."""
    if "version" in kind.model_fields and value.get("schema") != SCHEMA:
        raise DataError(
            f"{label} was written with schema {value.get('schema')!r}, and this ferbench reads {SCHEMA}. "
            "Use the ferbench that wrote it, or a newer one."
        )


def read_plain(path: Path, label: str) -> dict[str, Any]:
    """A JSON object without keys that stand twice, numbers that are not finite, or control characters.

    Raises DataError.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_real, parse_int=_whole
        )
    except FileNotFoundError:
        raise DataError(f"{label} is missing.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{label} is no JSON that can be read: {error}.") from None
    if not isinstance(value, dict):
        raise DataError(f"{label} is refused: it holds no object.")
    for depth, text in _texts(value):
        if depth > DEPTH or not is_clean(text):
            raise DataError(f"{label} is refused: it is nested too deep, or holds control characters.")
    return value


def _texts(value: Any) -> Iterator[tuple[int, str]]:
    """All texts of plain data, keys too, with how deep they lie; of anything else an empty one."""
    waiting = [(0, value)]
    while waiting:
        depth, item = waiting.pop()
        yield depth, item if isinstance(item, str) else ""
        inner = [*item, *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else []
        waiting += [(depth + 1, each) for each in inner]


def is_clean(text: str) -> bool:
    """Whether a text holds no control characters (by which a terminal could be told to do something)."""
    return text.isprintable() or not any(
        unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in "\n\t" for character in text
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):  # 1e999, which JSON allows and no file of a store can hold
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def _whole(text: str) -> int:
    _real(text)  # what is computed with is a float
    return int(text)
