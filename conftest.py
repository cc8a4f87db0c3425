"""Fixtures for the tests of the core and of all plugins."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# One thread a process, also where a test starts others: torch and numpy read these when they are imported, and several
# test processes share the cores.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# A background job of a shell begins with interrupts ignored, and hands that on to all that it starts; tests send some.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


SPREAD = ("tests/checking/test_promises.py",)
"""Files of slow tests that share nothing: each of their tests goes to whatever process is free."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each file to one process, as ``--dist loadfile`` does, since its fixtures are made once; but for SPREAD."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if nodeid.startswith(SPREAD) else super()._split_scope(nodeid)

    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def shared_data_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of registered data for the whole session: the demo data are made there once, by the first who asks.

    No test ever sees the data folder of the person who runs it.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    root = folder / "shared-data"
    root.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERBENCH_DATA", str(root))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("FERBENCH_DISABLE_PLUGINS", "mlflow")  # tracking costs each run seconds; its own tests ask for it
        yield root


@pytest.fixture(scope="module", autouse=True)
def forgotten_imports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests of a file imported from their own folders is forgotten: other files use the same names."""
    yield
    folder = str(tmp_path_factory.getbasetemp())
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__dict__", {}).get("__file__")).startswith(folder):
            del sys.modules[name]


@pytest.fixture
def data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of registered data, for this test alone."""
    root = tmp_path / "data-root"
    root.mkdir()
    monkeypatch.setenv("FERBENCH_DATA", str(root))
    return root


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real data that ``FERBENCH_TEST_DATA`` names; without it the test is skipped."""
    folder = os.environ.get("FERBENCH_TEST_DATA", "")
    if not folder:
        pytest.skip("FERBENCH_TEST_DATA names no folder of real data")
    if not Path(folder).is_dir():
        pytest.fail(f"FERBENCH_TEST_DATA={folder} is not a folder")
    return Path(folder)
