"""All that MLflow holds of ferbench, told without the ids and moments that MLflow gives by itself."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient


def held(uri: str, experiment: str = "") -> dict[str, dict[str, Any]]:
    """Runs by ferbench's key, each with tags, parameters, curves and the digests of its artifacts.

    ``experiment``: a name; without one, all experiments. Files come over the same way as a reader would get them.
    """
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    ids = [found.experiment_id for found in client.search_experiments() if experiment in ("", found.name)]
    runs = list(client.search_runs(ids, "tags.`ferbench.kind` != ''", max_results=10_000))
    keys = {run.info.run_id: run.data.tags["ferbench.key"] for run in runs}
    assert len(set(keys.values())) == len(runs)
    return {keys[run.info.run_id]: _told(client, run, keys) for run in runs}


def _told(client: MlflowClient, run: Run, keys: Mapping[str, str]) -> dict[str, Any]:
    tags = dict(run.data.tags)
    parent = keys.get(tags.pop("mlflow.parentRunId", ""))
    return {
        "run": (run.info.run_name, run.info.status, run.info.start_time, run.info.end_time, parent),
        "tags": tags,
        "params": dict(run.data.params),
        "metrics": {name: _history(client, run, name) for name in run.data.metrics},
        "artifacts": dict(_artifacts(client, run)),
    }


def _history(client: MlflowClient, run: Run, name: str) -> list[tuple[int, float, int]]:
    """Steps, values and, in curves, times: elsewhere the time is the moment of writing."""
    points = client.get_metric_history(run.info.run_id, name)
    return sorted((p.step, p.value, p.timestamp if name.startswith("by epoch") else 0) for p in points)


def _artifacts(client: MlflowClient, run: Run) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        if client.list_artifacts(run.info.run_id):
            client.download_artifacts(run.info.run_id, "", folder)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                yield str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()
