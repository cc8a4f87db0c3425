"""The table of a data set's samples that a run keeps beside its cells."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferbench.data import attributes
from ferbench.data.folds import SIDES, Sides, make_sides
from ferbench.data.stored import Loaded
from ferbench.errors import DataError, StoreError

if TYPE_CHECKING:
    import numpy as np


UNCHECKED = "unchecked"
"""In the metadata of a table that was brought from elsewhere, where the data set was not there to check it."""

COUNTS = "counts"
"""In the metadata of a table: how many samples of each class a side has, ``{protocol: {side: [count, …]}}``."""


def is_unchecked(path: Path) -> bool:
    """Whether there is no table that can be read, or only one that was brought and never checked against the data."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return UNCHECKED.encode() in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return True


ATTRIBUTE = "attribute_"
"""Begins the columns of registered attributes."""


def _attributes_of(path: Path) -> str:
    import pyarrow.parquet as pq

    return ((pq.read_schema(path).metadata or {}).get(b"attributes_digest") or b"").decode()


def write_table(loaded: Loaded, path: Path, used: Collection[str] = ()) -> None:
    """Write ``path`` (parquet), a row for each sample of the data set; a good one that was written here is kept.

    One whose attributes are not those that are registered now is written anew, and one where a protocol of those
    ``used`` divides otherwise than it does now: a data set's code may change, and its fingerprint does not.

    Columns: ``id``; ``target`` (index, or list of numbers, in the data set's own classes); ``split_<protocol>`` for
    each protocol that the copy offers (``train``, ``val``, ``test``, empty where it drops the sample; fold 0; null
    where the copy cannot be divided that way); the data set's groups and columns; ``origin`` (its own split);
    ``source`` (file); ``brightness`` (mean grey value, of pictures in memory); ``pixel_hash`` (uint64, equal for
    identical pixels); ``attribute_<name>`` (the slice of each registered attribute, empty where it is not known). The
    file's metadata name the data set's ``classes`` (a JSON list), in whose order ``votes`` stand, the class counts of
    each side (``COUNTS``), and the ``attributes`` with their slices in order. Raises StoreError when the disk refuses.
    """
    known = attributes.registered(loaded)
    if not is_unchecked(path) and _attributes_of(path) == attributes.digest(known) and _divides(path, loaded, used):
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    sides = _sides(loaded, loaded.protocols)
    columns = _columns(loaded, sides) | {f"{ATTRIBUTE}{name}": attribute.names for name, attribute in known.items()}
    table = pa.table({name: _column(values) for name, values in columns.items()})
    counts = {name: _class_counts(each) for name, each in sides.items() if each is not None}
    about = {"attributes": attributes.described(known), "attributes_digest": attributes.digest(known)} if known else {}
    metadata = {"classes": json.dumps(loaded.dataset.classes), COUNTS: json.dumps(counts)}
    table = table.replace_schema_metadata(metadata | about)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        try:
            pq.write_table(table, name, compression="zstd")
            Path(name).chmod(0o644)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror or error}). Choose another --out.") from error


def _columns(loaded: Loaded, sides: Mapping[str, Sides | None]) -> dict[str, Any]:
    samples = loaded.samples
    count = len(samples.ids)
    columns: dict[str, Any] = {"id": samples.ids, "target": samples.targets}
    for name, each in sides.items():
        columns[f"split_{name}"] = [None] * count if each is None else _names(each, count)
    facts: Mapping[str, np.ndarray] = {**samples.groups, **samples.columns}
    columns |= {name: values for name, values in facts.items() if name not in columns}
    if samples.origin is not None:
        columns["origin"] = samples.origin
    columns.setdefault("source", loaded.files if loaded.files is not None else [loaded.source] * count)
    if loaded.inputs is not None and loaded.dataset.modality != "eeg":
        columns.setdefault(attributes.BRIGHTNESS, attributes.mean_brightness(loaded))
    columns["pixel_hash"] = samples.hashes
    return columns


def _divides(path: Path, loaded: Loaded, used: Collection[str]) -> bool:
    """Whether a table has the sides, and their class counts, that these protocols make now."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    counts = json.loads((schema.metadata or {}).get(COUNTS.encode(), b"{}"))
    for name, sides in _sides(loaded, used).items():
        if f"split_{name}" not in schema.names:
            return False
        wanted = [None] * len(loaded.samples.ids) if sides is None else _names(sides, len(loaded.samples.ids)).tolist()
        column = pq.read_table(path, columns=[f"split_{name}"])[f"split_{name}"]
        if column.to_pylist() != wanted or counts.get(name) != (None if sides is None else _class_counts(sides)):
            return False
    return True


def _sides(loaded: Loaded, names: Collection[str]) -> dict[str, Sides | None]:
    """The sides of each protocol's first fold; None where the copy cannot be divided so: its cells say why."""
    rules = {rule.name: rule for rule in loaded.dataset.protocols}
    found: dict[str, Sides | None] = {}
    for name in names:
        try:
            found[name] = make_sides(loaded, rules[name], 0)
        except DataError:
            found[name] = None
    return found


def _names(sides: Sides, count: int) -> np.ndarray:
    import numpy as np

    names = np.full(count, "", dtype="<U5")
    for side in SIDES:
        names[sides.rows[side]] = side
    return names


def _class_counts(sides: Sides) -> dict[str, list[int]]:
    """Samples of each class by side, of hard labels alone."""
    import numpy as np

    hard = [side for side in SIDES if sides.kinds[side] == "hard"]
    return {side: np.bincount(sides.targets[side], minlength=len(sides.classes)).tolist() for side in hard}


def _column(values: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    if isinstance(values, np.ndarray) and values.ndim == 2:
        return pa.array(list(values))
    if isinstance(values, list | tuple) and all(value is None for value in values):
        return pa.array(values, type=pa.string())
    return pa.array(values)
