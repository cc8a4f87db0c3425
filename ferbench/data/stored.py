"""Parsed data sets in the cache: written once, opened as memory maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ferbench.data import cache
from ferbench.data.cache import Meta
from ferbench.data.places import dataset_root
from ferbench.errors import DataError
from ferbench.nouns.dataset import Dataset, Parsed, Samples

if TYPE_CHECKING:
    import numpy as np


FIRST = "1"
"""The version of a data set that names none."""


@dataclass(frozen=True)
class Loaded:
    """A data set that is ready for use.

    ``inputs``: uint8 [n, ...] by name, memory-mapped; or ``files`` below ``root`` for a streamed set. ``protocols``
    are those that this copy offers. ``partial`` is empty for a good copy. ``source`` is the name of the download;
    ``notes`` are what its reader said of it; ``corrupted`` the files that it could not read, "file: why".
    """

    dataset: Dataset
    samples: Samples
    inputs: dict[str, np.ndarray] | None
    files: tuple[str, ...] | None
    root: Path
    fingerprint: str
    protocols: tuple[str, ...]
    partial: str
    source: str = ""
    notes: tuple[str, ...] = ()
    corrupted: tuple[str, ...] = ()


def keep(
    dataset: Dataset, parsed: Parsed, source: Path | None, identity: Callable[[], Mapping[str, str | int]]
) -> Meta:
    from ferbench.data import fingerprint
    from ferbench.data.parsed import checked

    parsed = checked(dataset, parsed)
    if parsed.files is not None:
        import numpy as np

        if source is not None and not source.is_dir():
            raise DataError(f"{dataset.name!r} reads its files one by one: unpack {source}, and add the folder.")
        shapes = {}
        boxes = parsed.samples.columns.get("box")
        hashes = fingerprint.file_hashes(dataset, source or dataset_root(dataset), parsed.files, boxes)
        contents = {"files": np.asarray(parsed.files)}
    else:
        inputs = dict(parsed.inputs or {})
        hashes = fingerprint.pixel_hashes(inputs)
        shapes = {name: values.shape[1:] for name, values in inputs.items()}
        contents = {f"input {name}": values for name, values in inputs.items()}
    samples = replace(parsed.samples, hashes=hashes)
    meta = Meta(
        dataset=dataset.name,
        version=dataset.version,
        fingerprint=fingerprint.fingerprint(samples, dataset.classes, shapes, _decoder(dataset, parsed)),
        samples=len(samples.ids),
        protocols=parsed.protocols or (),
        partial=parsed.partial,
        notes=parsed.notes,
        source=dict(identity()),
        root=str(source) if source and parsed.files is not None else "",
        corrupted=parsed.corrupted,
    )
    return cache.write(dataset_root(dataset), meta, {**contents, **_roles(samples)})


def _decoder(dataset: Dataset, parsed: Parsed) -> str:
    """The version of a data set whose files are hashed, and not what ``decode`` makes of them.

    Empty for the first one, as which all such data sets began.
    """
    hashed = parsed.files is not None and not dataset.embedded
    return f"decoded by version {dataset.version}" if hashed and dataset.version != FIRST else ""


def _roles(samples: Samples) -> dict[str, np.ndarray]:
    arrays = {"ids": samples.ids, "targets": samples.targets, "hashes": samples.hashes, "origin": samples.origin}
    arrays |= {f"group {name}": values for name, values in samples.groups.items()}
    arrays |= {f"column {name}": values for name, values in samples.columns.items()}
    return {role: values for role, values in arrays.items() if values is not None}


def open_stored(dataset: Dataset, root: Path, meta: Meta) -> Loaded:
    if meta.root and not Path(meta.root).is_dir():
        raise DataError(f"its folder {meta.root} is gone")
    arrays = cache.read_arrays(root, meta)

    def named(kind: str) -> dict[str, np.ndarray]:
        return {role.removeprefix(kind): values for role, values in arrays.items() if role.startswith(kind)}

    samples = Samples(
        ids=arrays["ids"],
        targets=arrays["targets"],
        origin=arrays.get("origin"),
        groups=named("group "),
        columns=named("column "),
        hashes=arrays["hashes"],
    )
    return Loaded(
        dataset=dataset,
        samples=samples,
        inputs=named("input ") or None,
        files=tuple(arrays["files"].tolist()) if "files" in arrays else None,
        root=Path(meta.root) if meta.root else root,
        fingerprint=meta.fingerprint,
        protocols=offered(dataset, meta),
        partial=meta.partial,
        source=Path(str(meta.source.get("path", ""))).name,
        notes=meta.notes,
        corrupted=meta.corrupted,
    )


def offered(dataset: Dataset, meta: Meta) -> tuple[str, ...]:
    known = tuple(rule.name for rule in dataset.protocols)
    return tuple(name for name in meta.protocols if name in known) or known
