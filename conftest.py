"""Fixtures for the tests of the core and of all plugins."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# One thread a process, also where a test starts others: torch and numpy read these when they are imported, and several
# test processes share the cores.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# A background job of a shell begins with interrupts ignored, and hands that on to all that it starts; tests send some.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
