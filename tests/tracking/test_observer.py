"""Tracking while a run goes on: beside it, and never in its way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.nouns.event import CellEvent, RunEvent
from ferbench.store.files import read_json, write_json
from ferbench.store.store import Store
from ferbench.tracking import observer
from ferbench.tracking.observer import Observer
from ferbench.tracking.replay import Replayed

Replaying = Callable[..., Replayed]


def followed(out: Path) -> Observer:
    """An observer of a whole run."""
    cells = tuple(cell.id for cell in Store(out).cells)
    run, watching = RunEvent(out, "0001-bench", "bench", cells), Observer()
    watching.ferbench_run_started(run)
    for key in cells:
        watching.ferbench_cell_finished(CellEvent(out, "0001-bench", key, "done", out / "cells" / key))
    watching.ferbench_run_finished(run)
    return watching


@pytest.mark.slow
def test_what_a_run_tells_needs_no_further_telling(
    out: Path, replay: Replaying, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(observer, "LAST_SECONDS", 150.0)
    followed(out)
    assert "Tracked in MLflow: `ferbench ui" in capfd.readouterr().err
    assert replay_without_new_database(out).written == 0


def replay_without_new_database(out: Path) -> Replayed:
    from ferbench.plugins import discover
    from ferbench.tracking.replay import Replay

    return Replay(out, discover()).everything()


def test_a_server_that_hangs_costs_a_bounded_time_and_one_message(
    out: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(observer, "LAST_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "100")
        began = time.monotonic()
        followed(out)
    assert time.monotonic() - began < 10
    assert capfd.readouterr().err.count("`ferbench track --out") == 1


def test_a_run_that_says_never_is_not_tracked(out: Path) -> None:
    path = out / "runs" / "0001-bench.json"
    write_json(path, {**read_json(path), "run": {"track": "never"}})
    followed(out)
    assert not (out / "mlflow.db").exists()


def test_without_mlflow_a_run_goes_on_with_one_line(
    out: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(observer, "installed", lambda: False)
    followed(out)
    assert capfd.readouterr().err.splitlines() == [
        "Not tracked: MLflow is not installed (`pip install 'ferbench[mlflow]'`)."
    ]


def test_the_writer_ends_with_a_run_that_is_killed(out: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from ferbench.tracking.observer import Writer;"
        "print(Writer.start(Path(sys.argv[1]), '0001-bench').process.pid, flush=True); time.sleep(100)"
    )
    run = subprocess.Popen([sys.executable, "-c", program, str(out)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    writer = int(run.stdout.readline())
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    deadline = time.monotonic() + 30
    while _lives(writer) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _lives(writer)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
