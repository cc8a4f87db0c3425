"""Packs: cells of a store without their weights, as one file that can be merged elsewhere."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ferbench.sharing.choosing import Chosen, choose
from ferbench.sharing.forms import FORMAT, KEPT_HERE, MANIFEST, SCHEMA
from ferbench.store.files import write_with
from ferbench.store.store import CellFolder, Store

RESULTS = ("environment.json", "metrics.json", "sampler.json", "history.csv", "predictions.parquet")
WEIGHTS = "best.safetensors"
LOG = "log.txt"
"""What a cell printed; it travels with failed ones alone, whose cause it shows, since it may name folders."""


@dataclass(frozen=True)
class Packed:
    """A pack that was written.

    ``cells``: ids. ``left_out``: labels of cells that did not go in, and why. ``missing``: ids of required cells that
    are not there, and who requires them. ``size``: bytes.
    """

    file: Path
    size: int
    cells: tuple[str, ...]
    rows: int
    tables: int
    weights: int
    left_out: tuple[tuple[str, str], ...]
    missing: dict[str, str]


def pack(
    cells: Sequence[str] = (),
    *,
    out: str | Path = "ferbench-runs",
    file: str | Path = "results.tar.gz",
    run: str | None = None,
    models: Sequence[str] = (),
    datasets: Sequence[str] = (),
    failed: bool = False,
    weights: Literal["none", "best"] = "none",
) -> Packed:
    """Write finished cells of a store into one file, as ``ferbench pack`` does; the same cells give the same bytes.

    ``cells``: beginnings of cell ids or names of a suite's rows (default: all); ``run``: an id or ``latest``.
    ``failed`` takes failed cells along, ``weights="best"`` the chosen weights. Raises UnknownNameError, StoreError.

    >>> ferbench.pack(models=["small-cnn"], file="small-cnn.tar.gz")  # doctest: +SKIP
    """
    store, path = Store(Path(out)), Path(file)
    chosen = choose(store, cells, run, models, datasets, failed)
    tables = {folder.record["row"]["fingerprint"] for folder in chosen.cells.values()}
    paths = {name: store.dataset_table(name) for name in sorted(tables) if store.dataset_table(name).exists()}
    write_with(path, lambda temporary: _write(temporary, store, chosen, paths, weights == "best"))
    return Packed(
        path,
        path.stat().st_size,
        tuple(sorted(chosen.cells)),
        len({folder.record["row_id"] for folder in chosen.cells.values()}),
        len(paths),
        sum((folder.path / WEIGHTS).exists() for folder in chosen.cells.values()) if weights == "best" else 0,
        tuple(chosen.left_out),
        dict(chosen.missing),
    )


def _write(path: Path, store: Store, chosen: Chosen, tables: Mapping[str, Path], weights: bool) -> None:
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as tar,
    ):
        _add(tar, MANIFEST, _json(_manifest(store, chosen)))
        for name, table in tables.items():
            _add(tar, f"datasets/{name}.parquet", table)
        for key in sorted(chosen.cells):
            for name, content in _files(chosen.cells[key], weights):
                _add(tar, f"cells/{key}/{name}", content)


def _manifest(store: Store, chosen: Chosen) -> dict[str, Any]:
    """What it is, its cells, and what the leaderboard needs of the latest run: its metrics, the names of its rows."""
    from ferbench import __version__

    runs = [store.run(run_id) for run_id in store.run_ids()]
    names = {row: name for run in runs for row, name in run.get("rows", {}).items()}
    here = {folder.record["row_id"] for folder in chosen.cells.values()}
    suite = runs[-1]["suite"] if runs else {"name": "packed"}
    order = {key: index for index, key in enumerate(runs[-1]["cells"] if runs else ())}
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "ferbench": __version__,
        "cells": sorted(chosen.cells, key=lambda key: (order.get(key, len(order)), key)),
        "suite": {"name": suite["name"], "metrics": suite.get("metrics", [])},
        "rows": {row: name for row, name in sorted(names.items()) if row in here},
    }


def _files(folder: CellFolder, weights: bool) -> Iterator[tuple[str, bytes | Path]]:
    """The files of a cell, without what holds on this machine alone: places of plugins, and what was merged here."""
    status = folder.status
    yield "cell.json", _json({**folder.record, "plugin_files": [], "metric_files": []})
    yield "status.json", _json({key: value for key, value in status.items() if key not in KEPT_HERE})
    wanted = [*RESULTS, *([LOG] if status["state"] == "failed" else []), *([WEIGHTS] if weights else [])]
    yield from ((name, folder.path / name) for name in wanted if (folder.path / name).exists())
    for evaluation in folder.evaluations():
        for name in ("evaluation.json", "metrics.json", "predictions.parquet"):
            yield f"evaluations/{evaluation}/{name}", folder.path / "evaluations" / evaluation / name


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False).encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    """Add a file whose time, owner and rights say nothing."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content) if isinstance(content, bytes) else content.stat().st_size, 0o644
    if isinstance(content, bytes):
        tar.addfile(info, io.BytesIO(content))
        return
    with content.open("rb") as stream:
        tar.addfile(info, stream)
