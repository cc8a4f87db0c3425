"""The store survives kills, damage and foreign folders."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferbench import StoreError
from ferbench.store.files import read_json, write_json, write_text, write_with
from ferbench.store.predictions import Predictions, read_predictions, write_predictions
from ferbench.store.store import CellFolder, Store


def test_a_file_is_old_or_new_but_never_a_part(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_json(path, {"a": 1})

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_with(path, fail)
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["facts.json"], "no temporary file is left"


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "cannot be written"), (errno.EROFS, "cannot be written")],
)
def test_faults_of_the_disk_say_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def broken(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreError, match=words):
        write_text(tmp_path / "x.txt", "text")


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("I am a file")
    with pytest.raises(StoreError, match="file in its way"):
        Store(tmp_path / "out", create=True)


def test_not_a_number_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})


def test_damaged_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(StoreError, match="damaged"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' + "1" * 5000 + "}"], ids=["deep", "long"])
def test_json_that_python_does_not_read_is_damaged_too(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        read_json(tmp_path / "x.json")


def test_another_schema_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results"):
        Store(tmp_path)
    write_json(tmp_path / "store.json", {"schema": 99})
    with pytest.raises(StoreError, match="schema 99"):
        Store(tmp_path, create=True)


def test_cells_and_runs_are_found(tmp_path: Path) -> None:
    store = Store(tmp_path, create=True)
    for name in ("aaa1", "aaa2", "b"):
        write_json(store.cell(name).path / "cell.json", {"id": name})
    assert [cell.id for cell in store.cells] == ["aaa1", "aaa2", "b"]
    assert store.find("b").record == {"id": "b"}
    for prefix in ("aaa", "c"):
        with pytest.raises(StoreError, match="begins with"):
            store.find(prefix)
    store.write_run({"id": "0001-x", "cells": []})
    store.write_run({"id": "0002-a", "cells": ["b"]})
    assert store.run()["cells"] == ["b"]
    with pytest.raises(StoreError, match="0001-x, 0002-a"):
        store.run("0003")


def test_a_cell_that_says_running_but_is_held_by_nobody_is_planned(tmp_path: Path) -> None:
    cell = CellFolder(tmp_path / "c")
    assert cell.state == "planned"
    cell.set_status("running", started="now")
    assert cell.state == "planned"
    cell.set_status("failed", cause="boom")
    assert cell.status == {"state": "failed", "cause": "boom", "started": "now"}


def test_done_without_predictions_is_not_done(tmp_path: Path) -> None:
    cell = CellFolder(tmp_path / "c")
    cell.set_status("done")
    assert cell.status["state"] == "planned"


def test_history_keeps_numbers_exactly(tmp_path: Path) -> None:
    cell = CellFolder(tmp_path / "c")
    cell.write_history([{"epoch": 0, "loss": 0.1 + 0.2}, {"epoch": 1, "loss": 1e-9, "extra": 3}])
    rows = cell.history()
    assert float(rows[0]["loss"]) == 0.1 + 0.2
    assert (rows[0]["extra"], rows[1]["extra"]) == ("", "3")


@pytest.mark.parametrize("hard", [True, False])
def test_predictions_read_back_the_same(tmp_path: Path, hard: bool) -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((4, 2), np.float32)
    targets = np.array([0, 1, 1, 0]) if hard else rng.random((4, 2), np.float32)
    before = Predictions(np.array(["val", "val", "test", "test"]), np.array(list("abcd")), targets, scores, ("x", "y"))
    path = tmp_path / "predictions.parquet"
    write_predictions(path, before)
    after = read_predictions(path)
    assert after.classes == ("x", "y")
    np.testing.assert_array_equal(after.scores, scores)
    np.testing.assert_array_equal(after.targets, targets)
    assert after.side("test").ids.tolist() == ["c", "d"]


def test_damaged_predictions_are_named(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    path.write_bytes(b"PAR1 not at all")
    with pytest.raises(StoreError, match="damaged"):
        read_predictions(path)
    with pytest.raises(StoreError, match="missing"):
        read_predictions(tmp_path / "gone.parquet")


SOUND = {"split": ["test"] * 2, "id": ["a", "b"], "label": [0, 1], "p_x": [0.1, 0.2], "p_y": [0.9, 0.8]}


@pytest.mark.parametrize(
    "change",
    [
        {"p_x": None, "p_y": None},
        {"id": None},
        {"label": None, "t_x": [1.0, 0.0]},
        {"label": [0, None]},
        {"label": [0, 7]},
        {"label": [0, -1]},
        {"p_x": ["a", "b"]},
    ],
    ids=str,
)
def test_a_table_of_another_form_is_no_predictions(tmp_path: Path, change: dict[str, list[object] | None]) -> None:
    path = tmp_path / "predictions.parquet"
    pq.write_table(pa.table(SOUND), path)
    assert read_predictions(path).classes == ("x", "y")
    pq.write_table(pa.table({name: values for name, values in (SOUND | change).items() if values is not None}), path)
    with pytest.raises(StoreError, match="damaged"):
        read_predictions(path)


def test_a_result_that_was_changed_after_its_cell_finished_is_noticed(tmp_path: Path) -> None:
    folder = Store(tmp_path, create=True).cell("c1")
    write_json(folder.path / "cell.json", {"id": "c1"})
    write_json(folder.path / "metrics.json", {"test": {"accuracy": 0.1}})  # of an attempt that was killed
    folder.set_status("running", files={})
    weights = folder.path / "best.safetensors"
    weights.write_bytes(b"weights")
    folder.seal("best.safetensors")
    write_json(folder.path / "metrics.json", {"test": {"accuracy": 0.5}})
    folder.finish(seconds=1.0)
    assert (folder.changed(), folder.damaged()) == ([], [])
    assert folder.metrics()["test"] == {"accuracy": 0.5}

    write_json(folder.path / "metrics.json", {"test": {"accuracy": 0.9}})
    weights.write_bytes(b"others")
    assert folder.changed() == [folder.path / "metrics.json", weights]
    assert folder.damaged() == [folder.path / "metrics.json"]
    with pytest.raises(StoreError, match=r"is not what the cell wrote.*`ferbench run` with its suite"):
        folder.metrics()
    with pytest.raises(StoreError, match=r"`ferbench run --fresh` with its suite"):
        folder.verify("best.safetensors")
