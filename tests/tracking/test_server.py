"""A real MLflow server, over HTTP: what it holds does not depend on how it was told, nor on who was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bench_tracking import make_store
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
Held = dict[str, dict[str, Any]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


@dataclass
class Serving:
    """One server for all tests here, always on the same port and database: it takes seconds to start."""

    target: Target
    port: int
    stack: ExitStack
    address: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """The server, started where there is none."""
        if self.process is None or self.process.poll() is not None:
            self.address, self.process = self.stack.enter_context(served(self.target, self.port))
        return self.process


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rows of made-up cells, five seeds and one, that are told again and again."""
    out = tmp_path_factory.mktemp("results") / "out"
    make_store(out, 6)
    return out


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, database_once: Path) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "server.db").write_bytes(database_once.read_bytes())
    with ExitStack() as stack:
        yield Serving(Target(f"sqlite:///{folder / 'server.db'}", folder / "artifacts"), free_port(5330), stack)


@pytest.fixture(scope="module")
def expected(out: Path, serving: Serving) -> Held:
    """What a server holds that is told of everything afterwards."""
    serving.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", serving.address)
        assert catch_up(out) == 9
        return put_away(serving.address)


@pytest.fixture
def serve(expected: Held, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Serving:
    """Where ferbench tracks now: a server that runs, and knows nothing of ``out`` in its experiment."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    serving.start()
    make_room(serving.address)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", serving.address)
    return serving


def catch_up(out: Path) -> int:
    """``ferbench track``; how many runs it wrote."""
    return Replay(out, discover()).everything().written


def put_away(address: str) -> Held:
    """All that the server holds; the experiment makes room for another."""
    found = held(address, EXPERIMENT)
    make_room(address)
    return found


def make_room(address: str) -> None:
    """Give the experiment another name, if there is one."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(address)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        client.rename_experiment(experiment.experiment_id, f"put away {experiment.experiment_id}")


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
    out: Path, serve: Serving, expected: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferbench.tracking.observer.LAST_SECONDS", SECONDS)
    address = serve.address
    ids = [cell.id for cell in Store(out).cells]
    run, watching = RunEvent(out, RUN, "bench", tuple(ids)), Observer()
    watching.ferbench_run_started(run)
    for key in ids:
        watching.ferbench_cell_finished(CellEvent(out, RUN, key, "done", out / "cells" / key))
    watching.ferbench_run_finished(run)
    assert catch_up(out) == 0
    live = put_away(address)

    writer = Writer.start(out, RUN)
    for key in ids[:4]:
        assert writer.tell(key)
    wait_for_cells(address, 2)
    os.kill(writer.process.pid, signal.SIGKILL)
    writer.stop()
    assert held(address, EXPERIMENT) != live
    catch_up(out)
    interrupted = put_away(address)
    assert len(live) == 9
    assert all(entry["metrics"]["by epoch/val_loss"][29] for key, entry in live.items() if key.startswith("cell:"))
    assert all("predictions.parquet" in entry["artifacts"] for key, entry in live.items() if key.startswith("cell:"))
    assert live == interrupted == expected


def test_a_server_that_is_killed_costs_one_message_and_is_caught_up_with(
    out: Path, serve: Serving, expected: Held, capfd: pytest.CaptureFixture[str]
) -> None:
    process, watching = half_followed(out, serve)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    rest_is_told(out, watching)
    said = capfd.readouterr().err
    assert said.count(f"{serve.address} cannot be reached") == said.count("`ferbench track --out") == 1
    serve.start()
    assert catch_up(out) > 0
    assert put_away(serve.address) == expected


def test_a_server_that_hangs_costs_one_message_and_is_caught_up_with(
    out: Path,
    serve: Serving,
    expected: Held,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    process, watching = half_followed(out, serve)
    monkeypatch.setattr("ferbench.tracking.observer.LAST_SECONDS", 2.0)
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        rest_is_told(out, watching)
    finally:
        os.killpg(process.pid, signal.SIGCONT)
    said = capfd.readouterr().err
    assert said.count("did not take everything") == said.count("`ferbench track --out") == 1
    assert catch_up(out) > 0
    assert catch_up(out) == 0
    assert put_away(serve.address) == expected


def half_followed(out: Path, serve: Serving) -> tuple[subprocess.Popen[bytes], Observer]:
    """A run whose first cell a server holds."""
    ids, watching = [cell.id for cell in Store(out).cells], Observer()
    watching.ferbench_run_started(RunEvent(out, RUN, "bench", tuple(ids)))
    watching.ferbench_cell_finished(CellEvent(out, RUN, ids[0], "done", out / "cells" / ids[0]))
    wait_for_cells(serve.address, 1)
    return serve.start(), watching


def rest_is_told(out: Path, watching: Observer) -> None:
    """The run goes on to its end, and no cell waits for the server."""
    ids = [cell.id for cell in Store(out).cells]
    for key in ids[1:]:
        began = time.monotonic()
        watching.ferbench_cell_finished(CellEvent(out, RUN, key, "done", out / "cells" / key))
        assert time.monotonic() - began < 5
    watching.ferbench_run_finished(RunEvent(out, RUN, "bench", tuple(ids)))
