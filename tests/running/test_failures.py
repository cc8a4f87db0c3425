"""A cell that fails is a row with a cause; nothing else is touched, and nothing that was computed is lost."""

from __future__ import annotations

import time

import pytest

from ferbench.evaluating.further import Wanted, evaluate_cell
from ferbench.running import api
from ferbench.running.launch import make_launcher
from tests.contract import Contract


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("wrong-shape", r"scores of shape (32, 5) for 32 samples and 4 classes"),
        ("diverging", r"The loss was nan in epoch 1, step 2"),
        ("raising", "ValueError: this method is broken"),
        ("hungry", "Out of memory in epoch 0, step 0, at batch size 32; 8 would fit. Set recipe.batch_size=8"),
    ],
)
def test_a_method_that_fails_is_named_with_its_cause(contract: Contract, model: str, words: str) -> None:
    result = contract.run(contract.out.with_name(f"failing-{model}"), models=[model, "nearest"], seeds=1)
    cell = contract.cell(result, model=model)
    assert cell.status["state"] == "failed"
    assert words in cell.status["cause"]
    assert cell.status["attempts"] == 1, "a method's own fault is not tried again"
    assert contract.cell(result, model="nearest").state == "done"
    assert any(words in str(failure) for failure in result.leaderboard.failures)


def test_micro_batches_make_it_fit_and_mark_the_row(contract: Contract) -> None:
    result = contract.run(models=["hungry"], seeds=1, set={"run.allow_microbatch": True})
    cell = contract.cell(result, model="hungry")
    assert cell.status["state"] == "done"
    row = next(row for row in result.leaderboard.rows if row["kind"] == "measured")
    assert "4 micro-batches a step" in row["notes"]


def test_a_process_that_is_killed_is_tried_again_and_then_fails(contract: Contract) -> None:
    result = contract.run(models=["dying"], seeds=1, set={"run.retries": 1})
    cell = contract.cell(result, model="dying")
    assert "killed by SIGKILL" in cell.status["cause"]
    assert "2 times" in cell.status["cause"]


def test_what_needs_a_failed_cell_fails_with_that_cause(contract: Contract) -> None:
    result = contract.run(contract.out.with_name("heir"), models=["heir"], seeds=1)
    assert "the required cell" in contract.cell(result, model="heir").status["cause"]
    assert "this method is broken" in contract.cell(result, model="heir").status["cause"]


def test_a_cell_that_runs_too_long_is_ended(contract: Contract) -> None:
    started = time.monotonic()
    changes = {"run.timeout_minutes": 0.05, "slow:recipe.epochs": 5000}
    result = contract.run(models=["slow"], seeds=1, set=changes)
    assert "timeout_minutes" in contract.cell(result, model="slow").status["cause"]
    assert time.monotonic() - started < 120


def test_a_metric_that_raises_costs_itself_alone(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERBENCH_TEST_BROKEN_METRIC", "1")
    monkeypatch.setattr(api, "make_launcher", make_launcher)  # the shared server has another environment
    result = contract.run(contract.out.with_name("metric"), models=["nearest"])
    cell = contract.cell(result, model="nearest")
    assert cell.status["state"] == "done"
    assert "raising" not in cell.metrics()["test"]
    assert "accuracy" in cell.metrics()["test"]
    assert any("Metric raising raised ZeroDivisionError" in fault for fault in cell.metrics()["faults"])


def test_a_failed_cell_is_tried_again_by_the_next_run(contract: Contract) -> None:
    out = contract.out.with_name("again-failing")
    first = contract.run(out, models=["raising"], seeds=1)
    second = contract.run(out, models=["raising"], seeds=1)
    assert first.failed == second.failed
    assert contract.cell(second, model="raising").status["attempts"] == 2


def test_what_was_evaluated_with_former_weights_goes_with_them(contract: Contract) -> None:
    out = contract.out.with_name("anew")
    cell = contract.cell(contract.run(out, models=["tiny"], seeds=1), model="tiny")
    kept = evaluate_cell(cell, Wanted("last"), "cpu")
    (cell.path / "predictions.parquet").unlink()
    contract.run(out, models=["tiny"], seeds=1)
    assert cell.state == "done" and cell.evaluations() == []
    assert evaluate_cell(cell, Wanted("last"), "cpu") == kept, "here the weights are the same again"


def test_a_network_that_leaks_is_told_in_its_row(contract: Contract) -> None:
    result = contract.run(models=["leaking", "tiny"], seeds=1, epochs=7)
    notes = {row["model"]: row["notes"] for row in result.leaderboard.rows}
    assert "its memory grew by about 15 MB in every epoch" in notes["leaking"]
    assert "memory" not in notes["tiny"]
    assert contract.cell(result, model="leaking").status["peak_memory_mb"] > 0
