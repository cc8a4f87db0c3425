"""``ferbench gc``, ``diff`` and ``cell``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from ferbench.store.files import read_json, remove_tree, write_json
from ferbench.store.lease import Lease
from ferbench.store.store import Store
from ferbench.store.uses import uses_in
from tests.cli.conftest import Command, Finished
from tests.contract import Contract


def weights(finished: Finished) -> set[tuple[str, str]]:
    """Model and file name of all weights."""
    return {
        (cell.record["row"]["model"], path.name)
        for cell in Store(finished.out).cells
        for path in cell.path.glob("*.safetensors")
    }


def leftovers(finished: Finished) -> None:
    """What a training that failed, and a finished one, may leave behind."""
    for model in ("raising", "tiny"):
        resume = finished.cell(model).resume
        resume.mkdir()
        (resume / "state.pt").write_bytes(b"x" * 2_000_000)


def test_gc_says_what_it_would_free_and_deletes_only_when_told(ferbench: Command, finished: Finished) -> None:
    leftovers(finished)
    before = weights(finished)
    dry = ferbench("gc", "--out", finished.out)
    assert dry.code == 0
    assert "of a failed cell" in dry.out
    assert "4.0 MB would be freed; add --delete to do it." in dry.out
    assert weights(finished) == before
    facts = ferbench("gc", "--out", finished.out, "--json").json
    assert set(facts) == {"deleted", "bytes", "items"}
    assert facts["deleted"] is False
    assert all(set(item) == {"path", "why", "bytes"} for item in facts["items"])
    assert "Freed 4.0 MB." in ferbench("gc", "--out", finished.out, "--delete").out
    assert not finished.cell("raising").resume.exists()
    assert "Nothing to free." in ferbench("gc", "--out", finished.out).out


def test_ranked_rows_keep_their_chosen_weights_and_all_predictions_stay(ferbench: Command, finished: Finished) -> None:
    board = ferbench("leaderboard", "--out", finished.out, "--json").json
    assert ferbench("gc", "--out", finished.out, "--delete").code == 0
    kept = {("tiny", "best.safetensors"), ("student", "best.safetensors"), ("nearest", "best.safetensors")}
    assert weights(finished) == kept
    assert ferbench("leaderboard", "--out", finished.out, "--json").json == board
    ferbench("gc", "--out", finished.out, "--keep", "none", "--delete")
    assert weights(finished) == set()
    assert ferbench("leaderboard", "--out", finished.out, "--json").json == board


def test_uses_of_the_test_side_outlive_gc_and_cells_and_count_evaluations(
    ferbench: Command, finished: Finished
) -> None:
    store, cell = Store(finished.out), finished.cell("tiny")
    trained = Counter(use.kind for use in uses_in(store))
    assert trained == {"training": sum(each.state == "done" for each in store.cells)}
    flip = ("evaluate", cell.id, "--out", finished.out, "--tta", "flip", "--device", "cpu")
    assert [ferbench(*flip).code, ferbench(*flip).code] == [0, 0]
    assert Counter(use.kind for use in uses_in(store)) == {**trained, "evaluation": 1}, "the second was read, not made"
    ferbench("gc", "--out", finished.out, "--keep", "none", "--delete")
    remove_tree(cell.path)
    assert Counter(use.kind for use in uses_in(store)) == {**trained, "evaluation": 1}


def test_a_required_cell_keeps_its_weights_although_its_row_cannot_rank(
    ferbench: Command, contract: Contract, tmp_path: Path
) -> None:
    result = contract.run(tmp_path / "out", models=["student"], seeds=1, limit=60, epochs=1)
    assert not result.failed
    ferbench("gc", "--out", tmp_path / "out", "--delete")
    assert weights(Finished(tmp_path / "out", result.run_id)) == {("tiny", "best.safetensors")}


def test_a_cell_that_is_being_trained_is_left_alone(ferbench: Command, finished: Finished) -> None:
    leftovers(finished)
    with Lease(finished.cell("raising").path):
        ferbench("gc", "--out", finished.out, "--delete")
    assert finished.cell("raising").resume.exists()
    assert not finished.cell("tiny").resume.exists()


def test_diff_says_why_two_ids_differ(ferbench: Command, finished: Finished) -> None:
    a, b = finished.cell("tiny", 0), finished.cell("tiny", 1)
    environment = read_json(b.path / "environment.json")
    write_json(b.path / "environment.json", environment | {"threads": 64})
    facts = ferbench("diff", a.id[:8], b.id, "--out", finished.out, "--json").json
    assert facts == {
        "a": a.id,
        "b": b.id,
        "identity": {"seed": [0, 1]},
        "environment": {"threads": [environment["threads"], 64]},
    }
    shown = ferbench("diff", a.id[:8], b.id, "--out", finished.out)
    assert shown.code == 0
    assert "seed: 0 → 1" in shown.out
    assert "no difference" in ferbench("diff", a.id, a.id, "--out", finished.out).out


def test_diff_says_of_a_cell_that_never_ran_that_nothing_is_known(ferbench: Command, finished: Finished) -> None:
    (finished.cell("tiny", 1).path / "environment.json").unlink()
    ids = finished.cell("tiny", 0).id, finished.cell("tiny", 1).id
    assert f"not known: {ids[1]} never ran" in ferbench("diff", *ids, "--out", finished.out).out


def test_diff_needs_cells_that_are_there(ferbench: Command, finished: Finished) -> None:
    refused = ferbench("diff", "zzz", "", "--out", finished.out)
    assert refused.code == 2
    assert "No cell in" in refused.err
    assert "7 cells in" in ferbench("diff", "", "", "--out", finished.out).err


def test_cell_trains_the_cell_in_a_folder(ferbench: Command, finished: Finished) -> None:
    cell = finished.cell("nearest")
    before = cell.predictions().scores
    for name in ("predictions.parquet", "status.json", "metrics.json"):
        (cell.path / name).unlink()
    assert ferbench("cell", cell.path).code == 0
    assert cell.state == "done"
    assert cell.predictions().scores.tolist() == before.tolist()
    assert json.loads((cell.path / "metrics.json").read_text())["test"]["accuracy"] > 0.5


def test_cell_tells_by_its_exit_code_how_it_ended(ferbench: Command, finished: Finished, tmp_path: Path) -> None:
    from ferbench.running.cell_codes import FAILED, HELD

    assert ferbench("cell", finished.cell("raising").path).code == FAILED
    refused = ferbench("cell", tmp_path)
    assert refused.code == 2
    assert "it has no cell.json" in refused.err
    with Lease(finished.cell("tiny").path), pytest.MonkeyPatch.context() as patch:
        patch.setattr("ferbench.store.lease.SILENT_SECONDS", 0.0)
        assert ferbench("cell", finished.cell("tiny").path).code == HELD
