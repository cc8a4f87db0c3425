"""Packs into a store: everything is checked first, then put in place, or nothing is."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq

from ferbench.data.table import is_unchecked
from ferbench.errors import DataError, StoreError
from ferbench.plugins import Installed, discover
from ferbench.running.importing import join_latest_run
from ferbench.sharing.packing import WEIGHTS
from ferbench.sharing.unpacking import Unpacked, unpack
from ferbench.sharing.verifying import Verified, Verifier
from ferbench.store.comparing import differences
from ferbench.store.files import disk_faults, is_parquet, remove_tree
from ferbench.store.lease import is_live
from ferbench.store.store import SEALED, CellFolder, Store
from ferbench.store.uses import note_cell

STAGING = ".merging"
Outcome = Literal["merged", "already here", "weights added", "checked anew", "kept ours", "in training here"]


@dataclass(frozen=True)
class MergedCell:
    """What became of one cell of a pack.

    ``labels``: why its labels could not be checked; ``code``: why its code is not known here; empty where all is well.
    ``remarks``: what was brought otherwise than it is here; ``missing``: ids of required cells that are not here.
    """

    id: str
    label: str
    pack: str
    origin: str
    outcome: Outcome
    labels: str
    code: str
    remarks: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Merged:
    """What a merge came to; ``run_id``: the run that has the cells, and whose rows the leaderboard shows."""

    out: Path
    run_id: str
    cells: tuple[MergedCell, ...]


def merge(
    files: str | Path | Sequence[str | Path], *, out: str | Path = "ferbench-runs", plugins: Sequence[str | Path] = ()
) -> Merged:
    """Check packs and put their cells into a store, as ``ferbench merge`` does: all of them, or none.

    Raises DataError for a pack that is damaged, altered, hostile, or whose samples or labels are not those of its data
    set; StoreError where a cell is here with other predictions, and where the store cannot be written.

    >>> ferbench.merge("results.tar.gz", out="ferbench-runs")  # doctest: +SKIP
    """
    installed = discover(files=[Path(name) for name in plugins])
    sources = [Path(name) for name in ([files] if isinstance(files, str | Path) else files)]
    return merge_packs(sources, Path(out), installed)


def merge_packs(sources: Sequence[Path], out: Path, installed: Installed) -> Merged:
    """See :func:`merge`."""
    if (out / "store.json").exists():
        Store(out)  # of another schema?
    with _staging(out) as staging:
        packs = [unpack(source, staging / str(index)) for index, source in enumerate(sources)]
        verified = _verified(packs, installed)
        outcomes = _outcomes(verified, out)
        _check_tables(packs, out)
        return _commit(packs, verified, outcomes, Store(out, create=True), staging)


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A folder beside the cells, for one merge at a time; what a killed one left there is removed."""
    new = not out.exists()
    with disk_faults(out):
        out.mkdir(parents=True, exist_ok=True)
        handle = (out / f"{STAGING}.lock").open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        remove_tree(out / STAGING)
        with disk_faults(out):
            (out / STAGING).mkdir()
        yield out / STAGING
    finally:
        remove_tree(out / STAGING)
        handle.close()
        if new and not (out / "store.json").exists():
            (out / f"{STAGING}.lock").unlink(missing_ok=True)
            with suppress(OSError):  # somebody else may have begun to use it
                out.rmdir()


def _verified(packs: Sequence[Unpacked], installed: Installed) -> list[Verified]:
    """All cells of all packs. Raises DataError with everything that is wrong."""
    found: list[Verified] = []
    faults: list[str] = []
    for pack in packs:
        verifier = Verifier(pack, installed, _provenance(pack))
        verifier.tables()
        for path in pack.cells:
            try:
                found.append(verifier.cell(path))
            except DataError as error:
                faults.append(str(error))
    if faults:
        more = [f"… and {len(faults) - 10} more"] if len(faults) > 10 else []
        raise DataError("\n".join([*faults[:10], *more, "Nothing was merged."]))
    return found


def _provenance(pack: Unpacked) -> dict[str, Any]:
    digest = hashlib.sha256()
    with pack.source.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return {
        "pack": pack.source.name,
        "sha256": digest.hexdigest(),
        "packed_by": pack.manifest["ferbench"],
        "merged": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _outcomes(verified: Sequence[Verified], out: Path) -> list[Outcome]:
    """What is to become of each cell. Raises StoreError for those that contradict one that is here."""
    outcomes: list[Outcome] = []
    faults: list[str] = []
    known: dict[str, CellFolder] = {}
    for cell in verified:
        key = cell.folder.id
        here = known.get(key) or CellFolder(out / "cells" / key)
        try:
            outcomes.append(_outcome(cell, here))
        except StoreError as error:
            faults.append(str(error))
            continue
        if outcomes[-1] == "merged":
            known[key] = cell.folder
    if faults:
        raise StoreError("\n".join([*faults, "Nothing was merged."]))
    return outcomes


def _outcome(cell: Verified, here: CellFolder) -> Outcome:
    if is_live(here.path / "lease.json"):
        return "in training here"
    state = here.state if (here.path / "cell.json").exists() else None
    if state != "done":
        return "already here" if state is not None and cell.folder.state == "failed" else "merged"
    if cell.folder.state == "failed":
        return "kept ours"
    if _same_predictions(cell.folder, here):
        doubts = here.status.get("merged") or {}
        if any(doubts.get(key) and doubts[key] != getattr(cell, key) for key in ("labels", "code")):
            return "checked anew"
        missing = (cell.folder.path / WEIGHTS).exists() and not (here.path / WEIGHTS).exists()
        return "weights added" if missing else "already here"
    environments = differences(here, cell.folder)["environment"]
    if environments:
        return "kept ours"
    raise StoreError(
        f"{cell.pack}: cell {cell.folder.id} ({cell.label}) is here with other predictions, although both say that "
        f"they were made in the same environment ({_described(here)} here, {_described(cell.folder)} in the pack). One "
        "of them was altered, or the method is not deterministic: train it again with `ferbench run --fresh`."
    )


def _described(folder: CellFolder) -> str:
    environment = folder.environment
    shown = [environment.get(key) for key in ("machine", "device_name", "precision")]
    return ", ".join([*map(str, filter(None, shown)), f"torch {environment.get('versions', {}).get('torch', '?')}"])


def _same_predictions(a: CellFolder, b: CellFolder) -> bool:
    first, second = a.predictions(), b.predictions()
    return first.classes == second.classes and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("split", "ids", "targets", "scores")
    )


def _check_tables(packs: Sequence[Unpacked], out: Path) -> None:
    """Raise DataError where an unchecked table of a data set is not the one of another pack, or not the one here."""
    names = ["id", "target", "pixel_hash"]
    known: dict[str, tuple[Path, str]] = {}
    for pack in packs:
        for path in sorted((pack.folder / "datasets").glob("*.parquet")):
            here = out / "datasets" / path.name
            others = [known.setdefault(path.name, (path, pack.label(path)))]
            others += [(here, str(here))] if is_parquet(here) else []
            for other, label in others if is_unchecked(path) else []:
                if not pq.read_table(other, columns=names).equals(pq.read_table(path, columns=names)):
                    raise DataError(f"{pack.label(path)} is refused: {label} holds other samples. Nothing was merged.")


def _commit(
    packs: Sequence[Unpacked], verified: Sequence[Verified], outcomes: Sequence[Outcome], store: Store, staging: Path
) -> Merged:
    """Put everything in place by renaming; the run that shows it comes last."""
    with disk_faults(store.out):
        for pack in packs:
            for path in (pack.folder / "datasets").glob("*.parquet"):
                target = store.out / "datasets" / path.name
                target.parent.mkdir(exist_ok=True)
                if is_unchecked(target):
                    path.replace(target)
        (store.out / "cells").mkdir(exist_ok=True)
        (staging / "replaced").mkdir()
        for cell, outcome in zip(verified, outcomes, strict=True):
            _place(cell, outcome, store, staging / "replaced")
    keys = [cell.folder.id for cell in verified if store.cell(cell.folder.id).path.exists()]
    first = {
        "suite": packs[-1].manifest["suite"],
        "rows": {row: name for pack in packs for row, name in pack.manifest["rows"].items()},
    }
    run_id = join_latest_run(store, list(dict.fromkeys(keys)), first)
    pairs = zip(verified, outcomes, strict=True)
    return Merged(store.out, run_id, tuple(_told(cell, outcome, store) for cell, outcome in pairs))


def _place(cell: Verified, outcome: Outcome, store: Store, replaced: Path) -> None:
    target = store.cell(cell.folder.id).path
    if outcome == "weights added":
        (cell.folder.path / WEIGHTS).rename(target / WEIGHTS)
    elif outcome == "checked anew":
        for name in ("cell.json", "metrics.json", "status.json"):
            (cell.folder.path / name).replace(target / name)
    elif outcome == "merged":
        if target.exists():
            target.rename(replaced / target.name)
        cell.folder.path.rename(target)
    placed = store.cell(cell.folder.id)
    if outcome == "merged" and placed.state == "done":
        note_cell(placed, "merge")
    if outcome in ("merged", "weights added", "checked anew") and placed.state == "done":
        placed.seal(*SEALED)


def _told(cell: Verified, outcome: Outcome, store: Store) -> MergedCell:
    missing = tuple(key for key in cell.requires if not (store.cell(key).path / "cell.json").exists())
    described = (cell.label, cell.pack, cell.origin, outcome, cell.labels, cell.code, cell.remarks, missing)
    return MergedCell(cell.folder.id, *described)
