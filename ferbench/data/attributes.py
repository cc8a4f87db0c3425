"""Attributes of a data set's samples (age, pose, brightness …), kept beside what is registered of it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferbench.data.cache import disk_faults, exclusive
from ferbench.data.light import brightness
from ferbench.data.places import dataset_root
from ferbench.data.slicing import Attribute
from ferbench.data.stored import Loaded
from ferbench.data.streaming import read_sample
from ferbench.errors import DataError, UnknownNameError, did_you_mean
from ferbench.nouns.dataset import DEALT_AS, Dataset
from ferbench.nouns.split import View

FILE = "attributes.parquet"
BRIGHTNESS = "brightness"


@dataclass(frozen=True)
class Kept:
    """What is registered. ``fingerprint``: the copy of the data set whose samples it is about."""

    fingerprint: str = ""
    attributes: Mapping[str, Attribute] | None = None


def kept(dataset: Dataset) -> Kept:
    """Return the attributes that are registered, for whichever copy. Raises DataError for a damaged file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = dataset_root(dataset) / FILE
    if not path.exists():
        return Kept()
    try:
        table = pq.read_table(path)
        facts = json.loads(table.schema.metadata[b"attributes"])
        found = {name: from_names(table[name].to_pylist(), **facts[name]) for name in table.column_names}
        return Kept(table.schema.metadata[b"fingerprint"].decode(), found)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is damaged ({why}). Remove it, and add the attributes again.") from None


def registered(loaded: Loaded) -> dict[str, Attribute]:
    """Return the attributes of this copy of a data set, by name; none where they are of another copy."""
    found = kept(loaded.dataset)
    return dict(found.attributes or {}) if found.fingerprint == loaded.fingerprint else {}


def outdated(loaded: Loaded) -> str:
    """What to tell a user whose registered attributes are of another copy of the data; empty where they are not."""
    found = kept(loaded.dataset)
    if not found.attributes or found.fingerprint == loaded.fingerprint:
        return ""
    return (
        f"The attributes of {loaded.dataset.name} ({', '.join(found.attributes)}) were added for another copy of the "
        "data, and are not used: add them again by `ferbench data attributes`."
    )


def register(loaded: Loaded, attributes: Mapping[str, Attribute]) -> None:
    """Keep attributes of a copy's samples; those of the same names are replaced, those of another copy dropped."""
    with exclusive(dataset_root(loaded.dataset)):
        _write(loaded.dataset, loaded.fingerprint, registered(loaded) | dict(attributes))


def remove(dataset: Dataset, names: Sequence[str]) -> tuple[str, ...]:
    """Forget attributes (``all``: every one); return their names. Raises UnknownNameError for one that is not there."""
    with exclusive(dataset_root(dataset)):
        before = kept(dataset)
        known = dict(before.attributes or {})
        gone = tuple(known) if "all" in names else tuple(dict.fromkeys(names))
        for name in gone:
            if name not in known:
                told = ", ".join(known) or "none"
                raise UnknownNameError(
                    f"{dataset.name} has no attribute {name!r}.{did_you_mean(name, known)} Known: {told}."
                )
        left = {name: attribute for name, attribute in known.items() if name not in gone}
        if left:
            _write(dataset, before.fingerprint, left)
        else:
            (dataset_root(dataset) / FILE).unlink(missing_ok=True)
    return gone


def described(attributes: Mapping[str, Attribute]) -> str:
    """Slices and rules by name as JSON, as a table's metadata keep them."""
    facts = {name: {"slices": each.slices, "rule": each.rule} for name, each in attributes.items()}
    return json.dumps(facts, ensure_ascii=False)


def digest(attributes: Mapping[str, Attribute]) -> str:
    """Hexadecimal digits that differ where slices or samples do; empty where there is no attribute."""
    if not attributes:
        return ""
    hasher = hashlib.blake2b(described(attributes).encode(), digest_size=16)
    for attribute in attributes.values():
        hasher.update(attribute.codes.astype("<i8").tobytes())
    return hasher.hexdigest()


def from_names(names: Sequence[str], slices: Sequence[str], rule: str) -> Attribute:
    """An attribute from the slice of each sample (empty: not known). Raises KeyError for one not in ``slices``."""
    place = {"": -1} | {name: code for code, name in enumerate(slices)}
    return Attribute(tuple(slices), np.array([place[name] for name in names], np.int64), rule)


def own_names(loaded: Loaded) -> tuple[str, ...]:
    """What the data set itself knows of every sample: groups, single columns, its own sides, brightness of pictures."""
    samples = loaded.samples
    single = [name for name, values in samples.columns.items() if values.ndim == 1 and name != DEALT_AS]
    names = [*samples.groups, *single, *(["origin"] if samples.origin is not None else [])]
    return tuple(dict.fromkeys([*names, *([BRIGHTNESS] if loaded.dataset.modality != "eeg" else [])]))


def own_values(loaded: Loaded, name: str) -> np.ndarray:
    """One of these facts, [n]. Raises UnknownNameError."""
    samples = loaded.samples
    values = {"origin": samples.origin, **samples.columns, **samples.groups}.get(name)
    if values is not None and values.ndim == 1:
        return values
    if name != BRIGHTNESS or loaded.dataset.modality == "eeg":
        known = own_names(loaded)
        hint = did_you_mean(name, known)
        raise UnknownNameError(
            f"{loaded.dataset.name} has no {name!r} of its own.{hint} It has: {', '.join(known) or 'nothing'}."
        )
    return mean_brightness(loaded)


def mean_brightness(loaded: Loaded) -> np.ndarray:
    """The mean grey value (0 to 255) of each picture or clip, float32 [n]; a data set that streams is read through."""
    first = loaded.dataset.inputs[0]
    if loaded.inputs is not None:
        return brightness(loaded.inputs[first])[0].astype(np.float32)
    rng = np.random.default_rng(0)
    read = (read_sample(loaded, row, View(), rng)[first] for row in range(len(loaded.samples.ids)))
    return np.array([brightness(np.asarray(picture)[None])[0][0] for picture in read], dtype=np.float32)


def _write(dataset: Dataset, fingerprint: str, attributes: Mapping[str, Attribute]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    root = dataset_root(dataset)
    table = pa.table({name: pa.array(attribute.names) for name, attribute in attributes.items()})
    table = table.replace_schema_metadata({"fingerprint": fingerprint, "attributes": described(attributes)})
    with disk_faults(root):
        handle, name = tempfile.mkstemp(prefix=".new-", dir=root)
        os.close(handle)
        try:
            pq.write_table(table, name, compression="zstd")
            Path(name).chmod(0o644)
            Path(name).replace(root / FILE)
        finally:
            Path(name).unlink(missing_ok=True)
