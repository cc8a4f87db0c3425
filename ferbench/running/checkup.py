"""What would stop a run on this machine, and the mend."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ferbench.data.places import data_root
from ferbench.data.status import status
from ferbench.errors import FerbenchError
from ferbench.plugins import Installed, PluginCheck, check_in_subprocess, discover
from ferbench.plugins.discovery import SLOW_SECONDS
from ferbench.running.devices import cuda_devices
from ferbench.running.launch import make_launcher
from ferbench.store.store import Store

LOW_DISK_GB = 5.0
PLUGIN_SECONDS = 20.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``fail`` stops runs, ``warn`` may surprise."""

    what: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    mend: str = ""


def examine(out: Path) -> Iterator[Finding]:
    """Look at the interpreter, torch, devices, folders, plugins and data sets, one finding each."""
    yield _python()
    yield from _torch()
    yield _folder("data folder", data_root())
    yield from _out(out)
    results = check_in_subprocess(None, PLUGIN_SECONDS)
    installed = discover(only=[result.name for result in results if result.ok])  # the others stay outside
    yield from _plugins(results, installed)
    yield from _datasets(installed)


def _python() -> Finding:
    return Finding(
        "Python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}, {os.cpu_count()} cores"
    )


def _torch() -> Iterator[Finding]:
    launcher = make_launcher()
    try:
        names = cuda_devices(launcher)
    finally:
        launcher.close()
    shown = ", ".join(names) if names else "none; cells run on the CPU"
    yield Finding("CUDA devices", "ok", shown)
    from importlib import metadata

    try:
        yield Finding("torch", "ok", metadata.version("torch"))
    except metadata.PackageNotFoundError:
        yield Finding("torch", "fail", "not installed", "pip install torch")


def _folder(what: str, path: Path) -> Finding:
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        return Finding(what, "fail", f"{path}: {error.strerror}", "Mend its permissions, or name another folder.")
    free = shutil.disk_usage(path).free / 1e9
    if free < LOW_DISK_GB:
        return Finding(what, "warn", f"{path}: {free:.1f} GB free", "Free some space: `ferbench gc`.")
    return Finding(what, "ok", f"{path}: {free:.0f} GB free")


def _out(out: Path) -> Iterator[Finding]:
    existing = next(path for path in (out, *out.absolute().parents) if path.exists())
    yield _folder("results folder", existing)
    if (out / "store.json").exists():
        try:
            yield from _results(Store(out))
        except FerbenchError as error:
            yield Finding("results", "fail", str(error), "Use another --out.")


def _results(store: Store) -> Iterator[Finding]:
    """Count the cells, and name what does not belong there or is no longer what a cell wrote."""
    cells = list(store.cells)
    yield Finding("results", "ok", f"{len(cells)} cells in {store.out}")
    for cell in cells:
        files = [path.name for path in cell.damaged() or cell.changed()]
        if files:
            fresh = " --fresh" if any(name.endswith(".safetensors") for name in files) else ""
            detail = f"{', '.join(files)} cannot be read, or was changed after the cell finished"
            yield Finding(f"cell {cell.id}", "fail", detail, f"`ferbench run{fresh}` with its suite makes it anew.")
    folder = store.out / "cells"
    known = {cell.id for cell in cells}
    strange = sorted(path.name for path in folder.iterdir() if path.name not in known) if folder.exists() else []
    if strange:
        detail = f"{', '.join(strange[:5])}{' …' if len(strange) > 5 else ''} in {folder}: no cell of ferbench"
        yield Finding("strange files", "warn", detail, "Nothing reads them; look who wrote them, and remove them.")


def _plugins(results: Sequence[PluginCheck], installed: Installed) -> Iterator[Finding]:
    infos = {info.name: info for info in installed.plugins}
    for result in results:
        info = infos.get(result.name)
        package = f"{info.package} {info.version}" if info else ""
        what, loaded = f"plugin {result.name}", f"{package}, imported in {result.loading:.1f} s"
        without = f"FERBENCH_DISABLE_PLUGINS={result.name} leaves it out"
        if info and info.state == "disabled":
            yield Finding(what, "warn", "disabled", "Unset FERBENCH_DISABLE_PLUGINS to use it.")
        elif not result.ok or (info and info.state == "broken"):
            cause = result.cause or (info.cause if info else "")
            yield Finding(
                what, "fail", cause, f"Mend or uninstall its package; everything else works without it. {without}."
            )
        elif result.loading > SLOW_SECONDS:
            yield Finding(what, "warn", loaded, f"Every command waits for it; {without}.")
        elif result.remarks:
            yield Finding(what, "warn", f"{loaded}; {'; '.join(result.remarks)}", f"Tell its author; {without}.")
        else:
            yield Finding(what, "ok", loaded)


def _datasets(installed: Installed) -> Iterator[Finding]:
    for name in installed.names("datasets"):
        dataset = installed.dataset(name)
        if dataset.embedded:
            yield Finding(f"data set {name}", "ok", "embedded")
            continue
        found = status(dataset)
        command = f"ferbench data add {name} PATH"
        if found.state == "missing":
            yield Finding(f"data set {name}", "warn", "not registered", command)
        elif found.state == "damaged" or found.meta is None:
            yield Finding(f"data set {name}", "fail", found.cause, command)
        elif found.meta.partial:
            yield Finding(f"data set {name}", "warn", found.meta.partial)
        else:
            yield Finding(f"data set {name}", "ok", f"registered, {found.meta.fingerprint}")
