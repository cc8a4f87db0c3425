"""A real MLflow server, over HTTP: what it holds does not depend on how it was told, nor on who was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ferbench.nouns.event import CellEvent, RunEvent
from ferbench.plugins import discover
from ferbench.store.store import Store
from ferbench.tracking.observer import Observer, Writer
from ferbench.tracking.replay import Replay
from ferbench.tracking.server import free_port, served
from ferbench.tracking.target import Target
from tests.tracking.held import held

RUN, EXPERIMENT = "0001-bench", "ferbench bench"
SECONDS = 100.0
Serving = Callable[[], tuple[str, subprocess.Popen[bytes]]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


@pytest.fixture
def serve(tmp_path: Path, database_once: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """``serve()`` starts a server, always on the same port and database; it is where ferbench tracks."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    (tmp_path / "server.db").write_bytes(database_once.read_bytes())
    target, port = Target(f"sqlite:///{tmp_path / 'server.db'}", tmp_path / "artifacts"), free_port(5330)
    with ExitStack() as stack:

        def start() -> tuple[str, subprocess.Popen[bytes]]:
            address, process = stack.enter_context(served(target, port))
            monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
            return address, process

        yield start


def catch_up(out: Path) -> int:
    """``ferbench track``; how many runs it wrote."""
    return Replay(out, discover()).everything().written


def put_away(address: str, name: str) -> dict[str, dict[str, Any]]:
    """All that the server holds; the experiment makes room for another."""
    from mlflow.tracking import MlflowClient

    found = held(address, EXPERIMENT)
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    client.rename_experiment(experiment.experiment_id, name)
    return found


def wait_for_cells(address: str, count: int) -> None:
    """Return once the server holds so many whole cells."""
    from mlflow.tracking import MlflowClient

    client, deadline = MlflowClient(address), time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        query = "tags.`ferbench.kind` = 'cell' and attributes.status = 'FINISHED'"
        if experiment and len(client.search_runs([experiment.experiment_id], query)) >= count:
            return
        time.sleep(0.1)
    pytest.fail(f"The server was not told of {count} cells within {SECONDS:.0f} s.")


def test_live_interrupted_and_afterwards_hold_the_same(
    out: Path, serve: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferbench.tracking.observer.LAST_SECONDS", SECONDS)
    address, _ = serve()
    ids = [cell.id for cell in Store(out).cells]
    run, watching = RunEvent(out, RUN, "bench", tuple(ids)), Observer()
    watching.ferbench_run_started(run)
    for key in ids:
        watching.ferbench_cell_finished(CellEvent(out, RUN, key, "done", out / "cells" / key))
    watching.ferbench_run_finished(run)
    assert catch_up(out) == 0
    live = put_away(address, "live")

    writer = Writer.start(out, RUN)
    for key in ids[:4]:
        assert writer.tell(key)
    wait_for_cells(address, 2)
    os.kill(writer.process.pid, signal.SIGKILL)
    writer.stop()
    assert held(address, EXPERIMENT) != live
    catch_up(out)
    interrupted = put_away(address, "interrupted")

    assert catch_up(out) == 9
    afterwards = put_away(address, "afterwards")
    assert len(live) == 9
    assert all(entry["metrics"]["by epoch/val_loss"][29] for key, entry in live.items() if key.startswith("cell:"))
    assert all("predictions.parquet" in entry["artifacts"] for key, entry in live.items() if key.startswith("cell:"))
    assert live == interrupted == afterwards


def test_a_server_that_is_killed_costs_one_message_and_is_caught_up_with(
    out: Path, serve: Serving, capfd: pytest.CaptureFixture[str]
) -> None:
    address, process, watching = half_followed(out, serve)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    rest_is_told(out, watching)
    said = capfd.readouterr().err
    assert said.count(f"{address} cannot be reached") == said.count("`ferbench track --out") == 1
    serve()
    catches_up(out, address)


def test_a_server_that_hangs_costs_one_message_and_is_caught_up_with(
    out: Path, serve: Serving, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    address, process, watching = half_followed(out, serve)
    monkeypatch.setattr("ferbench.tracking.observer.LAST_SECONDS", 2.0)
    os.killpg(process.pid, signal.SIGSTOP)
    rest_is_told(out, watching)
    said = capfd.readouterr().err
    assert said.count("did not take everything") == said.count("`ferbench track --out") == 1
    os.killpg(process.pid, signal.SIGCONT)
    assert catch_up(out) > 0
    assert catch_up(out) == 0
    assert sum(key.startswith("cell:") for key in held(address, EXPERIMENT)) == sum(1 for _ in Store(out).cells)


def half_followed(out: Path, serve: Serving) -> tuple[str, subprocess.Popen[bytes], Observer]:
    """A run whose first cell a server holds."""
    address, process = serve()
    ids, watching = [cell.id for cell in Store(out).cells], Observer()
    watching.ferbench_run_started(RunEvent(out, RUN, "bench", tuple(ids)))
    watching.ferbench_cell_finished(CellEvent(out, RUN, ids[0], "done", out / "cells" / ids[0]))
    wait_for_cells(address, 1)
    return address, process, watching


def rest_is_told(out: Path, watching: Observer) -> None:
    """The run goes on to its end, and no cell waits for the server."""
    ids = [cell.id for cell in Store(out).cells]
    for key in ids[1:]:
        began = time.monotonic()
        watching.ferbench_cell_finished(CellEvent(out, RUN, key, "done", out / "cells" / key))
        assert time.monotonic() - began < 5
    watching.ferbench_run_finished(RunEvent(out, RUN, "bench", tuple(ids)))


def catches_up(out: Path, address: str) -> None:
    """``ferbench track`` brings the server to what it holds when told of everything afterwards."""
    assert catch_up(out) > 0
    caught_up = put_away(address, "caught up")
    catch_up(out)
    assert caught_up == put_away(address, "afterwards")
