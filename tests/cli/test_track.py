"""``ferbench track`` and ``ferbench ui``."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bench_tracking import make_store
from ferbench.tracking import target
from tests.cli.conftest import Command


@pytest.mark.parametrize("command", ["track", "ui"])
def test_without_mlflow_it_says_what_to_install(
    ferbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(target, "installed", lambda: False)
    refused = ferbench(command, "--out", tmp_path)
    assert refused.code == 2
    assert "pip install 'ferbench[mlflow]'" in refused.err


def test_track_tells_mlflow_once(ferbench: Command, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed")
    make_store(tmp_path / "out", 1)
    first = ferbench("track", "--out", tmp_path / "out", "--json").json
    assert (first["written"], list(first["experiments"]), first["left_out"]) == (3, ["bench"], [])
    assert "nothing new" in ferbench("track", "--out", tmp_path / "out").out


def test_a_server_that_is_not_there_is_a_message_and_no_traceback(
    ferbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed")
    make_store(tmp_path / "out", 1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    refused = ferbench("track", "--out", tmp_path / "out")
    assert refused.code == 2
    assert "cannot be reached" in refused.err
    assert "Traceback" not in refused.err


def test_a_folder_without_results_is_named(ferbench: Command, tmp_path: Path) -> None:
    assert "There are no results in" in ferbench("ui", "--out", tmp_path / "nothing").err
    assert ferbench("track", "--out", tmp_path / "nothing").code == 2
