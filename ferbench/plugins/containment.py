"""What an import may not do to the process that loads a plugin: split it in two, or change what others compute."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from ferbench.plugins.quarantine import Quarantined
from ferbench.plugins.untouched import Core

LIBRARIES = ("KMP_", "TORCHINDUCTOR_")
"""Variables that numerical libraries set for themselves as they are imported."""


class Forks:
    """How often Python code forked this process."""

    def __init__(self) -> None:
        self.count = 0
        os.register_at_fork(after_in_parent=self.add)

    def add(self) -> None:
        """Count one."""
        self.count += 1


FORKS = Forks()


@contextlib.contextmanager
def contained(core: Core) -> Iterator[list[str]]:
    """Put back whatever code changes in this process; yield a list of what that was, filled at the end.

    Looked at are random generators, torch's default type and threads, environment variables, the current folder,
    handlers of signals, and the code of ferbench (``core``).
    """
    changed: list[str] = []
    with contextlib.ExitStack() as stack:
        for keep in (_numbers_kept, _environment_kept, _folder_kept, _signals_kept, core.kept):
            stack.enter_context(keep(changed))
        yield changed


@contextlib.contextmanager
def unforked(doing: str) -> Iterator[None]:
    """Raise Quarantined for a fork: the other process would go on with the whole program. That one ends here."""
    before, process = FORKS.count, os.getpid()
    try:
        yield
    finally:
        if os.getpid() != process:
            os._exit(0)
    if FORKS.count != before:
        raise Quarantined(f"{doing} forked the process: start others with subprocess, and when they are needed")


@contextlib.contextmanager
def _numbers_kept(changed: list[str]) -> Iterator[None]:
    """Nothing is imported for it: numpy and torch are looked at where they are there already."""
    kept: list[tuple[str, Callable[[], object], Callable[..., object]]] = [
        ("Python's random state", random.getstate, random.setstate)
    ]
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy:
        kept.append(("numpy's random state", numpy.random.get_state, numpy.random.set_state))
    if torch:
        kept.append(("torch's random state", torch.get_rng_state, torch.set_rng_state))
        kept.append(("torch's default type", torch.get_default_dtype, torch.set_default_dtype))
        kept.append(("torch's number of threads", torch.get_num_threads, torch.set_num_threads))
    before = [read() for _, read, _ in kept]
    try:
        yield
    finally:
        for (what, read, write), value in zip(kept, before, strict=True):
            if _differ(read(), value):
                changed.append(what)
                write(value)
        late = sys.modules.get("torch")
        if late and not torch and late.get_default_dtype() != late.float32:
            changed.append("torch's default type")
            late.set_default_dtype(late.float32)


def _differ(one: object, other: object) -> bool:
    """Whether two states differ: numbers, tensors, or tuples with arrays in them."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) != len(other) or any(_differ(a, b) for a, b in zip(one, other, strict=True))
    same = one == other
    return not (same.all() if hasattr(same, "all") else same)


@contextlib.contextmanager
def _environment_kept(changed: list[str]) -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        after = dict(os.environ)
        new = {name for name in after.keys() - before.keys() if not name.startswith(LIBRARIES)}
        for name in sorted(new | {name for name in before if after.get(name) != before[name]}):
            changed.append(f"the environment variable {name}")
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


@contextlib.contextmanager
def _folder_kept(changed: list[str]) -> Iterator[None]:
    before = _folder()
    try:
        yield
    finally:
        if before is not None and _folder() != before:
            changed.append("the current folder")
            os.chdir(before)


def _folder() -> Path | None:
    """The current folder; None where it was removed."""
    try:
        return Path.cwd()
    except OSError:
        return None


@contextlib.contextmanager
def _signals_kept(changed: list[str]) -> Iterator[None]:
    """Ctrl-C belongs to the program; only the main thread can set what it does."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) != handler and threading.current_thread() is threading.main_thread():
                changed.append(f"what {number.name} does")
                signal.signal(number, handler)
