"""Registered data sets: ``add`` a download once, ``load`` it from then on as a memory map."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ferbench.data import cache
from ferbench.data.cache import Meta
from ferbench.data.places import data_root, dataset_root
from ferbench.data.stored import Loaded, keep, offered, open_stored
from ferbench.errors import DataError, MissingDataError, PluginError
from ferbench.nouns.dataset import Dataset, Parsed, Read, ReadContext
from ferbench.nouns.reference import resolve

READER = "reader"
"""The key of :attr:`Meta.source` whose value is a hash of the code that read the download."""

BASE = "built on "
"""Begins a key of :attr:`Meta.source`, before the folder of a data set on which this one was built."""


@dataclass(frozen=True)
class Registered:
    """The outcome of ``add``. ``already``: the same download had been added before, nothing was done."""

    dataset: str
    fingerprint: str
    samples: int
    protocols: tuple[str, ...]
    partial: str
    notes: tuple[str, ...]
    root: Path
    already: bool = False
    corrupted: tuple[str, ...] = ()


def add(
    dataset: Dataset,
    path: Path | str,
    allow_partial: bool = False,
    find: Callable[[str], Dataset] | None = None,
    reader: str = "",
) -> Registered:
    """Check a download (file, archive or folder) and keep it, parsed. The same again is no error, and quick.

    ``find`` returns an installed data set by its name, for those that build on another one. ``reader`` is a hash of the
    code that reads it: by other code the same download is read again. Raises DataError that names what is wrong with
    the download; one that is incomplete or altered passes with ``allow_partial``, which marks every row made from it.
    """
    if dataset.embedded:
        raise DataError(f"{dataset.name!r} is made on first use; there is nothing to add.")
    source = Path(path).expanduser().absolute()
    if not source.exists():
        raise DataError(f"There is no file or folder {source}. Check the path.")
    from ferbench.data.fingerprint import source_identity

    try:
        # The hash of a large file takes as long as its parsing; a thread of its own makes them overlap.
        with ThreadPoolExecutor(1) as background:
            identity = background.submit(source_identity, source)
            known = _usable(dataset)
            if known and known.source.get("sha256") == identity.result()["sha256"]:
                in_place = (not known.root or known.root == str(source)) and _base_unchanged(known)
                same_code = known.version == dataset.version and known.source.get(READER, "") == reader
                if in_place and same_code and (allow_partial or not known.partial):
                    return _registered(dataset, known, already=True)
            base: dict[str, str] = {}
            context = ReadContext(allow_partial, lambda name: _registered_other(name, find, base))
            parsed = resolve(dataset.read)(source, context)
            if parsed.partial and not allow_partial:
                raise DataError(_refusal(dataset, source, parsed.partial))
            made_by = {READER: reader} if reader else {}
            return _registered(dataset, keep(dataset, parsed, source, lambda: {**identity.result(), **base, **made_by}))
    except OSError as error:
        raise DataError(f"{error.filename or source} cannot be read: {error.strerror or error}.") from error


def load(dataset: Dataset) -> Loaded:
    """Return a registered data set; an embedded one is made when it is used for the first time.

    Raises MissingDataError that says how to get it, DataError when what is registered is damaged.
    """
    root = dataset_root(dataset)
    try:
        meta = cache.read_meta(root)
        if meta and meta.version != dataset.version:
            raise DataError(f"{root} was written by version {meta.version} of the data set, now {dataset.version}")
        if meta and (not dataset.bases or _bases_unchanged(dataset, meta)):
            return open_stored(dataset, root, meta)
    except DataError as error:
        if not dataset.embedded:
            raise DataError(
                f"The registered copy of {dataset.name!r} cannot be used: {error}. "
                f"Add it again: ferbench data add {dataset.name} PATH"
            ) from None
    if not dataset.embedded:
        raise MissingDataError(_how_to_get(dataset))
    parsed, base = make(dataset)
    return open_stored(
        dataset, root, keep(dataset, parsed, None, lambda: {"path": "", "bytes": 0, "sha256": "", **base})
    )


def make(dataset: Dataset) -> tuple[Parsed, dict[str, str]]:
    """An embedded data set as its ``read`` makes it, and the fingerprints of its bases for :attr:`Meta.source`.

    What is made from an incomplete copy is marked as that copy is. Raises MissingDataError where a base is not there.
    """
    bases = {base.name: base for base in dataset.bases}
    found: dict[str, str] = {}

    def find(name: str) -> Dataset:
        if name not in bases:
            raise PluginError(f"{dataset.name!r} reads {name!r}, which its `bases` do not name.")
        return bases[name]

    parsed = resolve(dataset.read)(None, ReadContext(registered=lambda name: _registered_other(name, find, found)))
    partial = {base.name: load(base).partial for base in dataset.bases}
    marks = "; ".join(f"{name}: {mark}" for name, mark in partial.items() if mark)
    return replace(parsed, partial=parsed.partial or marks), found


def _usable(dataset: Dataset) -> Meta | None:
    try:
        meta = cache.read_meta(dataset_root(dataset))
        if meta:
            cache.check(dataset_root(dataset), meta)
    except DataError:
        return None
    return meta


def _registered_other(name: str, find: Callable[[str], Dataset] | None, base: dict[str, str]) -> Parsed:
    """Load a data set on which another one builds, and note its fingerprint in ``base``."""
    if find is None:
        return ReadContext().registered(name)
    other = find(name)
    loaded = load(other)
    base[f"{BASE}{dataset_root(other).name}"] = loaded.fingerprint
    files = None if loaded.files is None else tuple(str(loaded.root / file) for file in loaded.files)
    return Parsed(
        loaded.samples, loaded.inputs, files, loaded.protocols, loaded.partial, loaded.notes, loaded.corrupted
    )


def read_again(dataset: Dataset, find: Callable[[str], Dataset]) -> Parsed | None:
    """What ``read`` makes of a registered download now; None where that is gone. ``find`` as in :func:`add`."""
    if dataset.embedded:
        return make(dataset)[0]
    meta = cache.read_meta(dataset_root(dataset))
    source = Path(str(meta.source.get("path", ""))) if meta else Path()
    if meta is None or not source.name or not source.exists():
        return None
    read: Read = resolve(dataset.read)
    return read(source, ReadContext(bool(meta.partial), lambda name: _registered_other(name, find, {})))


def _bases_unchanged(dataset: Dataset, known: Meta) -> bool:
    """Whether a data set made from others is still what they would make; those made from others in turn first."""
    for base in dataset.bases:
        load(base)
    return _base_unchanged(known)


def _base_unchanged(known: Meta) -> bool:
    """Whether the data sets on which this one was built are still registered as they were then."""
    base = {role.removeprefix(BASE): value for role, value in known.source.items() if role.startswith(BASE)}
    for folder, fingerprint in base.items():
        try:
            now = cache.read_meta(data_root() / "datasets" / folder)
        except DataError:
            return False
        if now is None or now.fingerprint != fingerprint:
            return False
    return True


def _registered(dataset: Dataset, meta: Meta, already: bool = False) -> Registered:
    return Registered(
        dataset=dataset.name,
        fingerprint=meta.fingerprint,
        samples=meta.samples,
        protocols=offered(dataset, meta),
        partial=meta.partial,
        notes=meta.notes,
        root=dataset_root(dataset) / meta.fingerprint,
        already=already,
        corrupted=meta.corrupted,
    )


def _refusal(dataset: Dataset, source: Path, partial: str) -> str:
    return (
        f"{source.name} is not a good copy of {dataset.name!r}: {partial}. Get another copy; or go on with this one by "
        f"`ferbench data add {dataset.name} {source} --allow-partial`, which marks every row made from it."
    )


def _how_to_get(dataset: Dataset) -> str:
    return "\n".join(
        [
            f"The data set {dataset.name!r} is not on this machine.",
            f"  What it is:       {dataset.description}",
            f"  Licence:          {dataset.licence or 'not stated'}",
            f"  Where to get it:  {dataset.how_to_get or 'not stated'}",
            f"  Then run:         ferbench data add {dataset.name}{'' if dataset.place else ' PATH'}",
            "To try ferbench without any download: ferbench run --suite demo",
        ]
    )
