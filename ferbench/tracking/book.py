"""One experiment of MLflow, in which every entry stands once."""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ferbench.errors import TrackingError
from ferbench.tracking.entry import DIGEST_TAG, KEY_TAG, KIND_TAG, STORE_TAG, Content, Entry, Point
from ferbench.tracking.target import Target

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run
    from mlflow.tracking import MlflowClient

METRICS_A_CALL, OTHERS_A_CALL = 900, 90
PAGE = 1000
PARENT_TAG, SOURCE_TAG = "mlflow.parentRunId", "mlflow.source.name"
LOCAL_SCHEME = "mlflow-artifacts:/"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


@dataclass
class Known:
    """What MLflow already has of an entry."""

    id: str
    name: str
    status: str
    artifacts: str
    tags: dict[str, str] = field(default_factory=dict)
    params: frozenset[str] = frozenset()
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The digest of the entry when it was last written whole; empty before."""
        return self.tags.get(DIGEST_TAG, "")


class Book:
    """Writes entries; those that MLflow already has as they are cost nothing.

    ``name`` is the experiment's, ``store`` tells the runs of one folder of results from those of others.
    """

    def __init__(self, client: MlflowClient, target: Target, name: str, store: str) -> None:
        self.client, self.target, self.store = client, target, store
        self.id = self._experiment(name)
        self.known: dict[str, Known] = {}
        self.written = 0

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is None:
            location = LOCAL_SCHEME + re.sub(r"[^\w-]+", "-", name) if self.target.artifacts else None
            made: str = self.client.create_experiment(name, location, EXPERIMENT_TAGS)
            return made
        if found.lifecycle_stage == "deleted":
            raise TrackingError(
                f"The experiment {name!r} was deleted in MLflow. Bring it back with `mlflow experiments restore "
                f"--experiment-id {found.experiment_id}`, or free its name with `mlflow gc`."
            )
        identity: str = found.experiment_id
        return identity

    def read(self) -> None:
        """Learn what MLflow has, in as few calls as it takes; of two runs with one key the less complete one goes."""
        self.known.clear()
        token = None
        while True:
            page = self.client.search_runs([self.id], f"tags.`{STORE_TAG}` = '{self.store}'", 1, PAGE, None, token)
            for run in page:
                self._learn(run)
            token = page.token
            if not token:
                return

    def _learn(self, run: Run) -> None:
        tags = dict(run.data.tags)
        found = Known(
            id=run.info.run_id,
            name=run.info.run_name or "",
            status=run.info.status,
            artifacts=run.info.artifact_uri or "",
            tags=tags,
            params=frozenset(run.data.params),
            metrics=dict(run.data.metrics),
        )
        twin = self.known.get(tags.get(KEY_TAG, ""))
        if twin is not None:
            worse = found if twin.digest else twin
            self.client.delete_run(worse.id)
            if worse is found:
                return
        self.known[tags.get(KEY_TAG, "")] = found

    def write(self, entry: Entry) -> None:
        """Make MLflow's run what ``entry`` says. A changed cell is made anew: its curves belong to one training."""
        known = self.known.get(entry.key)
        parent = self.known[entry.parent].id if entry.parent else ""
        if known is not None and known.digest == entry.digest and known.status == entry.status:
            if known.tags.get(PARENT_TAG, "") != parent:
                self._log(known, {}, {PARENT_TAG: parent}, ())
            return
        self.written += 1
        if known is not None and entry.kind == "cell":
            self.client.delete_run(known.id)
            known = None
        if known is None:
            known = self.open(entry)
        self._attach(known, entry.files)
        params = {name: text for name, text in entry.params.items() if name not in known.params}
        points = _changed(known, entry.points)
        tags = {**_tags(entry, parent, self.store), DIGEST_TAG: entry.digest}
        self._drop(known, set(known.tags) - set(tags))
        self._log(known, params, {name: text for name, text in tags.items() if known.tags.get(name) != text}, points)
        if known.name != entry.name:
            self.client.update_run(known.id, name=entry.name)
        if known.status != entry.status:
            self._set_status(known, entry)

    def open(self, entry: Entry) -> Known:
        """Make a run that is to be filled: it counts as unfinished until it is."""
        parent = self.known[entry.parent].id if entry.parent else ""
        tags = _tags(entry, parent, self.store)
        run = self.client.create_run(self.id, entry.start or None, tags, entry.name)
        known = Known(run.info.run_id, entry.name, "RUNNING", run.info.artifact_uri or "", dict(tags))
        self.known[entry.key] = known
        return known

    def attach(self, key: str, files: Mapping[str, Content], mark: str) -> None:
        """Attach further files to a known entry, once: ``mark`` is the tag that says so."""
        known = self.known[key]
        if files and mark not in known.tags:
            self._attach(known, files)
            self._log(known, {}, {mark: "yes"}, ())
            self.written += 1

    def mark(self, key: str, tag: str, text: str) -> None:
        """Set one tag of a known entry where it differs."""
        if self.known[key].tags.get(tag) != text:
            self._log(self.known[key], {}, {tag: text}, ())

    def describe(self, tags: Mapping[str, str]) -> None:
        """Set tags of the experiment itself where they differ."""
        there = self.client.get_experiment(self.id).tags
        for name, text in tags.items():
            if there.get(name) != text:
                self.client.set_experiment_tag(self.id, name, text)

    def _set_status(self, known: Known, entry: Entry) -> None:
        if entry.status == "RUNNING":
            self.client.update_run(known.id, status="RUNNING")
        else:
            self.client.set_terminated(known.id, entry.status, entry.end)
        known.status = entry.status

    def _drop(self, known: Known, names: Iterable[str]) -> None:
        """Remove tags of ours that no longer hold; those that MLflow or a person set stay, as do marks of files."""
        for name in names:
            if name in ("notes", "interval", "paper", "cause"):
                self.client.delete_tag(known.id, name)
                del known.tags[name]

    def _log(self, known: Known, params: Mapping[str, str], tags: Mapping[str, str], points: Iterable[Point]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        metrics: list[Metric] = [Metric(p.key, p.value, now if p.time is None else p.time, p.step) for p in points]
        told = [Param(name, text) for name, text in params.items()]
        while len(metrics) > METRICS_A_CALL or len(told) > OTHERS_A_CALL:
            self.client.log_batch(known.id, metrics=metrics[:METRICS_A_CALL], params=told[:OTHERS_A_CALL])
            metrics, told = metrics[METRICS_A_CALL:], told[OTHERS_A_CALL:]
        labels = [RunTag(name, text) for name, text in tags.items()]
        if len(metrics) + len(told) + len(labels) > METRICS_A_CALL:
            self.client.log_batch(known.id, metrics=metrics)
            metrics = []
        if metrics or told or labels:
            self.client.log_batch(known.id, metrics=metrics, params=told, tags=labels)
        known.tags |= tags

    def _attach(self, known: Known, files: Mapping[str, Content]) -> None:
        if not files:
            return
        if self.target.artifacts and known.artifacts.startswith(LOCAL_SCHEME):
            _place(files, self.target.artifacts / known.artifacts.removeprefix(LOCAL_SCHEME).lstrip("/"))
            return
        with tempfile.TemporaryDirectory(prefix="ferbench-track-") as folder:
            _place(files, Path(folder))
            self.client.log_artifacts(known.id, folder)


def _tags(entry: Entry, parent: str, store: str) -> dict[str, str]:
    ours = {KEY_TAG: entry.key, KIND_TAG: entry.kind, STORE_TAG: store, SOURCE_TAG: "ferbench"}
    return {**entry.tags, **ours, **({PARENT_TAG: parent} if parent else {})}


def _changed(known: Known, points: Iterable[Point]) -> list[Point]:
    """Points that MLflow has not; a number that no longer holds becomes not-a-number, as MLflow forgets none."""
    points = list(points)
    new = [point for point in points if known.metrics.get(point.key) != point.value]
    gone = set(known.metrics) - {point.key for point in points}
    return new + [Point(name, math.nan) for name in sorted(gone) if not math.isnan(known.metrics[name])]


def _place(files: Mapping[str, Content], folder: Path) -> None:
    """Put files into a folder: linked where the file system can, as files of the store are never written into."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif callable(content):
            path.write_bytes(content())
        else:
            try:
                os.link(content, path)
            except OSError:
                shutil.copyfile(content, path)
