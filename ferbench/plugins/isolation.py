"""Importing plugins in processes of their own, where none can stop, crash or hang the program that asks."""

from __future__ import annotations

import contextlib
import json
import logging
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
from ferbench.plugins.discovery import candidates, discover, plugin_names
from ferbench.plugins.quarantine import Quarantined, contents_of
from ferbench.training.memory import peak_memory

_CHILD = "import sys; from ferbench.plugins.isolation import answer; answer(*sys.argv[1:])"

HEAVY = ("torch", "numpy", "pandas", "pyarrow", "sklearn", "scipy", "PIL", "mlflow", "timm", "torchvision", "cv2")
"""Packages that take long to import: a plugin's entry module leaves them to those that it names."""

CALLS, CALL_SECONDS, LEAK_MB = 30, 2.0, 20.0
"""Hooks are called so often, for so long at most; sound ones need no more memory by the thirtieth call."""

LIGHT_MB = 250.0
"""More than a plugin's entry module should hold; one that imports a package of ``HEAVY`` is told of that instead."""


@dataclass(frozen=True)
class PluginCheck:
    """How a plugin behaved when it was imported alone; ``cause`` is empty when ``ok``, ``seconds`` is the process's.

    ``loading``: seconds that importing it and its hooks took. ``heavy`` names the packages of ``HEAVY`` that came with
    it. ``remarks``: what it does that a plugin should not, though it works.
    """

    name: str
    ok: bool
    cause: str
    seconds: float
    heavy: tuple[str, ...] = ()
    loading: float = 0.0
    remarks: tuple[str, ...] = ()


def check_in_subprocess(names: Sequence[str | Path] | None = None, seconds: float = 20.0) -> list[PluginCheck]:
    """Import and check each plugin (None: all installed) in a process of its own, for ``seconds`` at most.

    A path means a plugin of one file.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(lambda name: _check(name, seconds), plugin_names() if names is None else names))


def answer(name: str, path: str) -> None:
    """Write to ``path`` why a plugin (by its name or file) is broken, empty where it is not. Runs in the process."""
    logging.disable(logging.WARNING)  # what is slow is told below
    began = time.perf_counter()
    remarks: list[str] = []
    try:
        file = Path(name) if name.endswith(".py") else None
        installed = discover(only=[], files=[file]) if file else discover(only=[name])
        causes = [info.cause for info in installed.plugins if info.state == "broken"]
        cause = "; ".join(dict.fromkeys(causes))
        changed = [what for info in installed.plugins for what in info.changed]
        remarks += (
            [f"it changes {', '.join(changed)} when it is loaded, which is put back each time"] if changed else []
        )
    except FerbenchError as error:
        cause = str(error)
    loading = time.perf_counter() - began
    heavy = [module for module in HEAVY if module in sys.modules]
    if not cause and any(info.state == "ok" for info in installed.plugins):
        plugin = sys.modules[file.stem] if file else _entry_of(name)
        remarks += _remarks_on_memory(plugin, bool(heavy))
    finished = Path(path + ".new")
    told = {"cause": cause, "heavy": heavy, "loading": loading, "remarks": remarks}
    finished.write_text(json.dumps(told), encoding="utf-8")
    finished.rename(path)


def _entry_of(name: str) -> object:
    """The entry point of an installed plugin, which is imported already."""
    return next(candidate for candidate in candidates() if candidate.name == name).load()


def _remarks_on_memory(plugin: object, heavy: bool) -> list[str]:
    """Look at the peak of memory after the import, and at its rise while the hooks are called again and again."""
    remarks, held = [], peak_memory()
    if held > LIGHT_MB and not heavy:
        remarks.append(
            f"importing it takes {held:,.0f} MB of memory: keep what is large for the function that needs it"
        )
    deadline = time.perf_counter() + CALL_SECONDS
    count = 0
    while count < CALLS and time.perf_counter() < deadline:
        try:
            contents_of(plugin)
        except Quarantined as error:
            return [*remarks, f"its hooks can be called {count + 1} times and no more: {error}"]
        count += 1
    grown = peak_memory() - held
    if grown > LEAK_MB:
        remarks.append(f"its hooks leak: {grown:,.0f} MB of memory more after {count} calls")
    return remarks


def _check(plugin: str | Path, seconds: float) -> PluginCheck:
    name = str(plugin)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ferbench-check-") as folder:
        path = Path(folder) / "answer.json"
        # -P: the current folder may hold a file that hides a module. A session of its own: all that it starts is ended.
        output = (Path(folder) / "output.txt").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD, name, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        output.close()
        code: int | None = None
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing of it is left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        with Path(output.name).open(encoding="utf-8", errors="replace") as printed:
            text = " ".join(printed.read(10_000).split())
    cause = _cause(said["cause"] if said else None, code, seconds)
    spent = time.monotonic() - began
    if said is None:
        return PluginCheck(name, False, cause, spent)
    remarks = [*said["remarks"], *([f"it prints when it is loaded: {text:.80}"] if text else [])]
    return PluginCheck(name, not cause, cause, spent, tuple(said["heavy"]), said["loading"], tuple(remarks))


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
