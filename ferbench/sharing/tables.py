"""Parquet files of a stranger: only the columns that must be there, of their types, of a bounded size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ferbench.data.table import UNCHECKED
from ferbench.data.votes import VOTES
from ferbench.errors import DataError
from ferbench.sharing.forms import is_clean
from ferbench.store.predictions import Predictions, read_predictions

MAX_VALUES = 200_000_000
MAX_TEXT = 1 << 28
"""Characters in a column of text, repeated ones counted as often as they stand there."""


def read_strict_predictions(path: Path, label: str, classes: Sequence[str]) -> Predictions:
    """Predictions of val and test over ``classes``. Raises DataError for anything else."""
    text = _read_text(path, label, ("split", "id"))
    schema = pq.read_schema(path)
    scores = {f"p_{name}": pa.float32() for name in classes}
    hard = {"split": pa.string(), "id": pa.string(), "label": pa.int64(), **scores}
    soft = {"split": pa.string(), "id": pa.string(), **{f"t_{name}": pa.float32() for name in classes}, **scores}
    if dict(zip(schema.names, schema.types, strict=True)) not in (hard, soft) or len(set(classes)) < len(classes):
        raise DataError(f"{label} is refused: its columns are not split, id, label and p_ of {', '.join(classes)}.")
    if any(text[name].null_count for name in text.column_names):
        raise DataError(f"{label} is refused: some of its samples have no id or no side.")
    if "label" in schema.names and not _are_classes(path, len(classes)):
        raise DataError(f"{label} is refused: labels are not all within 0 to {len(classes) - 1}.")
    found = read_predictions(path)
    sides = [found.side(side) for side in ("val", "test")]
    if sum(len(side.ids) for side in sides) < len(found.ids) or not len(sides[1].ids):
        raise DataError(f"{label} is refused: it must hold samples of test, and none but those of val and test.")
    if any(len(np.unique(side.ids)) < len(side.ids) for side in sides):
        raise DataError(f"{label} is refused: samples stand in it more than once.")
    if not np.isfinite(found.scores).all() or not np.isfinite(found.targets).all():
        raise DataError(f"{label} is refused: not all of its scores and labels are finite numbers.")
    return found


def _are_classes(path: Path, count: int) -> bool:
    labels = pq.read_table(path, columns=["label"])["label"]
    bounds = pc.min_max(labels).as_py()
    return labels.null_count == 0 and (len(labels) == 0 or (bounds["min"] >= 0 and bounds["max"] < count))


def classes_in(path: Path, label: str) -> list[str]:
    """The classes that predictions have scores for. Raises DataError."""
    return [name[2:] for name in _checked(path, label).schema_arrow.names if name.startswith("p_")]


def read_strict_table(path: Path, label: str) -> pa.Table:
    """The table of a data set, see :func:`ferbench.data.table.write_table`. Raises DataError for anything else."""
    schema = _checked(path, label).schema_arrow
    types = dict(zip(schema.names, schema.types, strict=True))
    odd = [name for name, kind in types.items() if not _is_plain(kind)]
    if odd or len(types) < len(schema.names):
        raise DataError(f"{label} is refused: column {(odd or ['?'])[0]!r} holds neither text nor numbers.")
    if types.get("id") != pa.string() or types.get("pixel_hash") != pa.uint64() or "target" not in types:
        raise DataError(f"{label} is refused: it must have the columns id, target and pixel_hash.")
    if any(kind != pa.string() for name, kind in types.items() if name.startswith("split_")):
        raise DataError(f"{label} is refused: the sides of its protocols are no text.")
    texts = [name for name, kind in types.items() if kind == pa.string()]
    _read_text(path, label, texts)
    table = _read(path, label)
    ids = table["id"]
    if ids.null_count or table["pixel_hash"].null_count or pc.count_distinct(ids).as_py() < len(table):
        raise DataError(f"{label} is refused: its ids are not there, or stand more than once.")
    try:
        classes = json.loads((schema.metadata or {}).get(b"classes", b"[]"))
    except ValueError:
        classes = None
    if not isinstance(classes, list) or not all(isinstance(name, str) and is_clean(name) for name in classes):
        raise DataError(f"{label} is refused: its classes are no list of names.")
    votes = table[VOTES] if VOTES in types else None
    if votes is not None and (
        not pa.types.is_list(votes.type)
        or votes.null_count
        or pc.list_flatten(votes).null_count
        or not pc.all(pc.equal(pc.list_value_length(votes), len(classes))).as_py()
    ):
        raise DataError(f"{label} is refused: its {VOTES} are not one number for each of its classes.")
    return table.replace_schema_metadata({"classes": json.dumps(classes), UNCHECKED: "yes"})


def _checked(path: Path, label: str, dictionary: Sequence[str] = ()) -> pq.ParquetFile:
    """An open file whose own account of its size is within bounds."""
    if not path.exists():
        raise DataError(f"{label} is missing.")
    try:
        file = pq.ParquetFile(path, read_dictionary=list(dictionary))
        meta, names = file.metadata, file.schema_arrow.names
        columns = [
            meta.row_group(group).column(column)
            for group in range(meta.num_row_groups)
            for column in range(meta.num_columns)
        ]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{label} is damaged or no Parquet file: {error}") from None
    if not all(map(is_clean, names)):
        raise DataError(f"{label} is refused: the names of its columns hold control characters.")
    values = max(meta.num_rows * meta.num_columns, sum(column.num_values for column in columns))
    if values > MAX_VALUES or sum(column.total_uncompressed_size for column in columns) > 8 * MAX_VALUES:
        raise DataError(f"{label} is refused: it holds more than {MAX_VALUES:,} values.")
    return file


def _read(path: Path, label: str, columns: Sequence[str] | None = None, dictionary: Sequence[str] = ()) -> pa.Table:
    try:
        file = _checked(path, label, dictionary)
        table = file.read(columns=None if columns is None else list(columns))
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{label} is damaged: {error}") from None
    return table


def _read_text(path: Path, label: str, names: Sequence[str]) -> pa.Table:
    """Columns of text, each word once, so that a few bytes cannot stand for gigabytes."""
    schema = _checked(path, label).schema_arrow
    if any(name not in schema.names or schema.field(name).type != pa.string() for name in names):
        raise DataError(f"{label} is refused: it must have the columns of text {', '.join(names)}.")
    table = _read(path, label, names, names)
    for name in names:
        size = 0
        for chunk in table[name].chunks:
            words = chunk.dictionary
            size += pc.sum(pc.binary_length(words).take(chunk.indices)).as_py() or 0
            if not all(map(is_clean, words.to_pylist())):
                raise DataError(f"{label} is refused: {name} holds control characters.")
        if size > MAX_TEXT:
            raise DataError(f"{label} is refused: {name} holds more than {MAX_TEXT:,} characters.")
    return table


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _is_number(kind.value_type)
    return kind == pa.string() or _is_number(kind)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))
