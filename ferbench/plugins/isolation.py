"""Importing plugins in processes of their own, where none can stop, crash or hang the program that asks."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ferbench.errors import FerbenchError
from ferbench.plugins.discovery import discover, plugin_names

_CHILD = "import sys; from ferbench.plugins.isolation import answer; answer(*sys.argv[1:])"

HEAVY = ("torch", "numpy", "pandas", "pyarrow", "sklearn", "scipy", "PIL", "mlflow", "timm", "torchvision", "cv2")
"""Packages that take long to import: a plugin's entry module leaves them to those that it names."""


@dataclass(frozen=True)
class PluginCheck:
    """How a plugin behaved when it was imported alone; ``cause`` is empty when ``ok``, ``seconds`` is the process's.

    ``heavy`` names the packages of ``HEAVY`` that came with it.
    """

    name: str
    ok: bool
    cause: str
    seconds: float
    heavy: tuple[str, ...] = ()


def check_in_subprocess(names: Sequence[str | Path] | None = None, seconds: float = 20.0) -> list[PluginCheck]:
    """Import and check each plugin (None: all installed) in a process of its own, for ``seconds`` at most.

    A path means a plugin of one file.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(lambda name: _check(name, seconds), plugin_names() if names is None else names))


def answer(name: str, path: str) -> None:
    """Write to ``path`` why a plugin (by its name or file) is broken, empty where it is not. Runs in the process."""
    try:
        file = Path(name) if name.endswith(".py") else None
        installed = discover(only=[], files=[file]) if file else discover(only=[name])
        causes = [info.cause for info in installed.plugins if info.state == "broken"]
        cause = "; ".join(dict.fromkeys(causes))
    except FerbenchError as error:
        cause = str(error)
    finished = Path(path + ".new")
    heavy = [module for module in HEAVY if module in sys.modules]
    finished.write_text(json.dumps({"cause": cause, "heavy": heavy}), encoding="utf-8")
    finished.rename(path)


def _check(plugin: str | Path, seconds: float) -> PluginCheck:
    name = str(plugin)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ferbench-check-") as folder:
        path = Path(folder) / "answer.json"
        # -P: the current folder may hold a file that hides a module. A session of its own: all that it starts is ended.
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD, name, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        code: int | None = None
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing of it is left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    cause = _cause(said["cause"] if said else None, code, seconds)
    heavy = tuple(said["heavy"]) if said else ()
    return PluginCheck(name, not cause, cause, time.monotonic() - began, heavy)


def _cause(said: str | None, code: int | None, seconds: float) -> str:
    """Return what is wrong, from the process's answer and exit code (None: the time ran out)."""
    if code is None and said is not None:
        return said or f"its process did not end within {seconds:g} s: does importing it start a thread?"
    if code is None:
        return f"importing it took longer than {seconds:g} s"
    if said is not None:
        return said
    if code < 0:
        return f"importing it crashed the process ({signal.strsignal(-code) or -code})"
    return f"importing it ended the process (exit code {code})"
