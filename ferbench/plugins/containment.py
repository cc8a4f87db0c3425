"""What an import may not do to the process that loads a plugin: split it in two, or change what others compute."""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Iterator

from ferbench.plugins.quarantine import Quarantined


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
def contained(doing: str) -> Iterator[None]:
    """Refuse code that forks, and put the random generators and torch's default type back as they were."""
    with _unforked(doing), _restored():
        yield


@contextlib.contextmanager
def _unforked(doing: str) -> Iterator[None]:
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
def _restored() -> Iterator[None]:
    """Nothing is imported for it: numpy and torch are looked at where they are there already."""
    plain = random.getstate()
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    drawn = numpy.random.get_state() if numpy else None
    torch_drawn = torch.get_rng_state() if torch else None
    kind = torch.get_default_dtype() if torch else None
    try:
        yield
    finally:
        random.setstate(plain)
        if numpy:
            numpy.random.set_state(drawn)
        if torch:
            torch.set_rng_state(torch_drawn)
            torch.set_default_dtype(kind)
        elif "torch" in sys.modules:
            sys.modules["torch"].set_default_dtype(sys.modules["torch"].float32)
