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

from ferbench.data.registry import data_root, status
from ferbench.errors import FerbenchError
from ferbench.plugins import Installed, PluginCheck, check_in_subprocess, discover
from ferbench.running.api import cuda_devices
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
            cells = sum(1 for _ in Store(out).cells)
            yield Finding("results", "ok", f"{cells} cells in {out}")
        except FerbenchError as error:
            yield Finding("results", "fail", str(error), "Use another --out.")


def _plugins(results: Sequence[PluginCheck], installed: Installed) -> Iterator[Finding]:
    infos = {info.name: info for info in installed.plugins}
    for result in results:
        info = infos.get(result.name)
        package = f"{info.package} {info.version}" if info else ""
        if info and info.state == "disabled":
            yield Finding(f"plugin {result.name}", "warn", "disabled", "Unset FERBENCH_DISABLE_PLUGINS to use it.")
        elif result.ok:
            yield Finding(f"plugin {result.name}", "ok", f"{package}, imported in {result.seconds:.1f} s")
        else:
            mend = "Mend or uninstall its package; everything else works without it."
            yield Finding(f"plugin {result.name}", "fail", result.cause, mend)


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
