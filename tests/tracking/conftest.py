"""Stores of made-up cells, and MLflow as it finds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.bench_tracking import make_store
from ferbench.plugins import discover
from ferbench.tracking.replay import Replay, Replayed

pytest.importorskip("mlflow", reason="MLflow is not installed")


@pytest.fixture(autouse=True)
def tracked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a server or a setting of the person who runs it."""
    for name in (
        "MLFLOW_TRACKING_URI",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("FERBENCH_DISABLE_PLUGINS", "")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Two rows of made-up cells: five seeds and one."""
    make_store(tmp_path / "out", 6)
    return tmp_path / "out"


@pytest.fixture(scope="session")
def database_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: MLflow takes seconds to make one."""
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def replay(out: Path, database_once: Path) -> Callable[..., Replayed]:
    """``replay()`` tells MLflow of everything in ``out``."""
    (out / "mlflow.db").write_bytes(database_once.read_bytes())
    return lambda weights=False: Replay(out, discover(), weights).everything()
