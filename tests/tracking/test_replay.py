"""A store as MLflow shows it: each run, row and cell once, however often and however interrupted it is told."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ferbench import TrackingError
from ferbench.plugins import discover
from ferbench.store.store import Store
from ferbench.tracking.replay import Replay, Replayed

if TYPE_CHECKING:
    from mlflow.entities import Run

Replaying = Callable[..., Replayed]


def runs(out: Path, kind: str) -> list[Run]:
    """What MLflow has of a kind, the oldest first."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(ids, f"tags.`ferbench.kind` = '{kind}'", order_by=["attributes.run_name ASC"]))


def content(out: Path) -> Sequence[object]:
    """All that MLflow has, told without the ids that it gives itself."""
    found = [*runs(out, "run"), *runs(out, "result"), *runs(out, "cell")]
    names = {run.info.run_id: run.data.tags["ferbench.key"] for run in found}
    inner = ("mlflow.parentRunId", "ferbench.store")
    return sorted(
        (
            names[run.info.run_id],
            names.get(run.data.tags.get("mlflow.parentRunId", "")),
            run.info.run_name,
            run.info.status,
            run.info.end_time,
            sorted(run.data.metrics.items()),
            sorted(run.data.params.items()),
            sorted(item for item in run.data.tags.items() if item[0] not in inner),
        )
        for run in found
    )


def rows_of(out: Path, table: str) -> int:
    with sqlite3.connect(out / "mlflow.db") as database:
        return int(database.execute(f"select count(*) from {table}").fetchone()[0])


def test_a_run_has_its_rows_and_a_row_its_cells(out: Path, replay: Replaying) -> None:
    replay()
    (run,) = runs(out, "run")
    results = runs(out, "result")
    assert [result.data.tags["mlflow.parentRunId"] for result in results] == [run.info.run_id] * 2
    children = [cell.data.tags["mlflow.parentRunId"] for cell in runs(out, "cell")]
    assert sorted(children.count(result.info.run_id) for result in results) == [1, 5]


def test_a_result_has_the_numbers_of_the_leaderboard_rounded(out: Path, replay: Replaying) -> None:
    from ferbench import leaderboard

    replay()
    table = leaderboard(out)
    for result in runs(out, "result"):
        row = table[table.model == result.data.params["model"]].iloc[0]
        assert result.data.metrics["accuracy"] == pytest.approx(row["accuracy_mean"], abs=5e-5)
        assert result.data.metrics["rank"] == row["rank"]
        assert result.info.run_name == f"#{row['rank']} {row['model']} · made-up@official (synthetic)"
        assert result.data.tags["interval"] == f"{row['accuracy_ci_low']:.3f} – {row['accuracy_ci_high']:.3f}"


def test_a_cell_has_its_curves_settings_and_files(out: Path, replay: Replaying) -> None:
    from mlflow.tracking import MlflowClient

    replay()
    cell = runs(out, "cell")[0]
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    curve = client.get_metric_history(cell.info.run_id, "by epoch/train_loss")
    expected = [float(row["train_loss"]) for row in Store(out).cell(cell.data.tags["ferbench.cell"]).history()]
    assert [point.value for point in sorted(curve, key=lambda point: point.step)] == pytest.approx(expected, abs=1e-3)
    assert cell.data.params["recipe.optimizer.lr"] == "0.1"
    assert cell.data.params["version.torch"] == "2.6"
    assert (cell.data.tags["data"], cell.data.tags["ferbench.synthetic"]) == ("synthetic", "yes")
    folder = out / "mlflow-artifacts" / cell.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    names = {path.name for path in folder.iterdir()}
    assert {"predictions.parquet", "environment.json", "confusion.json", "confusion.png"} <= names


def test_telling_it_again_changes_nothing(out: Path, replay: Replaying) -> None:
    assert replay().written == 9
    before, counts = content(out), [rows_of(out, table) for table in ("runs", "metrics", "tags", "params")]
    assert replay().written == 0
    assert content(out) == before
    assert [rows_of(out, table) for table in ("runs", "metrics", "tags", "params")] == counts


def test_live_and_afterwards_give_the_same(out: Path, replay: Replaying, tmp_path: Path) -> None:
    other = tmp_path / "live"
    shutil.copytree(out, other)
    replay()
    live = Replay(other, discover())
    for cell in Store(other).cells:
        live.cell("0001-bench", cell.id)
    live.everything()
    assert content(other) == content(out)


def test_what_was_cut_off_half_way_is_made_whole(out: Path, replay: Replaying, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_terminated", _broken)
        with pytest.raises(TrackingError, match="cut off"):
            replay()
    whole = replay()
    assert whole.written == 9
    assert {run.info.status for run in runs(out, "cell")} == {"FINISHED"}
    assert len(runs(out, "cell")) == 6


def _broken(*arguments: object, **more: object) -> None:
    raise RuntimeError("cut off")


def test_a_cell_that_is_trained_again_replaces_the_old_one(out: Path, replay: Replaying) -> None:
    replay()
    folder = next(Store(out).cells)
    folder.write_history([{"epoch": 0, "train_loss": 0.5, "seconds": 1.0}])
    folder.set_status("done", ended="2026-01-02T00:00:00+00:00")
    replay()
    cell = next(run for run in runs(out, "cell") if run.data.tags["ferbench.cell"] == folder.id)
    assert cell.data.metrics["by epoch/train_loss"] == 0.5
    assert len(runs(out, "cell")) == 6


def test_a_failed_cell_says_why(out: Path, replay: Replaying) -> None:
    folder = next(Store(out).cells)
    folder.set_status("failed", cause="loss is not finite")
    replay()
    failed = [cell for cell in runs(out, "cell") if cell.info.status == "FAILED"]
    assert [cell.data.tags["cause"] for cell in failed] == ["loss is not finite"]
    assert [run.info.status for run in runs(out, "run")] == ["FAILED"]


def test_weights_come_on_request_only(out: Path, replay: Replaying) -> None:
    folder = next(Store(out).cells)
    (folder.path / "best.safetensors").write_bytes(b"weights")
    replay()
    assert list(out.glob("mlflow-artifacts/**/*.safetensors")) == []
    assert replay(weights=True).written == 1
    assert [path.read_bytes() for path in out.glob("mlflow-artifacts/**/best.safetensors")] == [b"weights"]
    assert replay(weights=True).written == 0


def test_a_damaged_cell_is_left_out_and_named(out: Path, replay: Replaying) -> None:
    folder = next(Store(out).cells)
    (folder.path / "cell.json").write_text("{", encoding="utf-8")
    assert [str(folder.path / "cell.json") in fault for fault in replay().faults] == [True]
    assert len(runs(out, "cell")) == 5


def test_results_may_be_moved(out: Path, replay: Replaying, tmp_path: Path) -> None:
    replay()
    out.rename(tmp_path / "elsewhere")
    assert Replay(tmp_path / "elsewhere", discover()).everything().written == 0


def test_merged_cells_say_where_they_come_from(out: Path, replay: Replaying) -> None:
    folder = next(Store(out).cells)
    folder.set_status("done", merged={"pack": "results.tar.gz", "labels": "", "code": "", "remarks": []})
    replay()
    tags = {run.data.tags["ferbench.cell"]: run.data.tags.get("merged from") for run in runs(out, "cell")}
    assert {key for key, pack in tags.items() if pack == "results.tar.gz"} == {folder.id}


def test_a_database_is_made_whole_or_not_at_all(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic.runtime.migration import HeadMaintainer

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(HeadMaintainer, "update_to_step", stopped)  # between a table and the note that it is there
        with pytest.raises(KeyboardInterrupt):
            Replay(out, discover())
    assert not list(out.glob("*mlflow*"))
    Replay(out, discover()).everything()
    assert len(runs(out, "run")) == 1
