"""Which rows a leaderboard has and how they are ranked, from the files of a store alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ferbench.builtin.metrics import metrics
from ferbench.errors import StoreError, UnknownNameError
from ferbench.reporting.leaderboard import build
from tests.reporting.boards import METRICS, USUAL, board, by_model

if TYPE_CHECKING:
    from tests.reporting.conftest import OutFolder


def test_a_row_joins_the_seeds_of_a_method(out: OutFolder) -> None:
    out.row("net", [0.6, 0.7, 0.8])
    out.run()
    (row,) = board(out).rows
    assert (row["seeds"], row["folds"], row["n_test"], row["kind"]) == (3, 1, 300, "measured")
    assert row["accuracy_mean"] == pytest.approx(0.7)
    assert row["accuracy_std"] == pytest.approx(0.1)
    assert row["accuracy_ci_low"] < 0.7 < row["accuracy_ci_high"]
    assert (row["params"], row["train_seconds"], row["train_accuracy"]) == (2606599, 60.0, 0.9)


def test_the_columns_are_those_of_the_design(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.run()
    found = board(out, metrics=[METRICS["accuracy"]])
    assert " ".join(found.columns) == (
        "rank kind dataset protocol sampler model variant row seeds folds n_test n_leakfree selection "
        "accuracy_mean accuracy_std accuracy_ci_low accuracy_ci_high accuracy_leakfree train_accuracy "
        "params flops train_seconds images_per_second extra_data reported delta notes"
    )
    assert all(tuple(row) == (*found.columns, "row_id") for row in found.rows)


def test_significance_makes_the_ranks(out: OutFolder) -> None:
    out.row("good", [0.9, 0.9])
    out.row("fair", [0.6, 0.6])
    out.row("same", [0.6, 0.6])
    out.run()
    found = board(out)
    assert {name: row["rank"] for name, row in by_model(found).items()} == {"good": 1, "fair": 2, "same": 2}
    assert found.rows[0]["model"] == "good"


def test_another_metric_can_rank(out: OutFolder) -> None:
    everything_happy = np.tile(np.array([0.1, 0.8, 0.1], np.float32), (out.n, 1))
    out.targets = np.where(np.arange(out.n) % 10 < 8, 1, np.arange(out.n) % 3)
    out.cell("majority", everything_happy)
    out.row("net", [0.6])
    out.run()
    assert board(out).rows[0]["model"] == "majority"
    found = board(out, sort="macro-f1")
    assert found.rows[0]["model"] == "net"
    assert found.columns[13] == "macro-f1_mean"


def test_an_unknown_metric_to_sort_by_is_named(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.run()
    with pytest.raises(UnknownNameError, match="Did you mean 'macro-f1'"):
        board(out, sort="macro-f2")


def test_the_metrics_of_the_suite_are_shown_in_its_order(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.run(suite={"name": "demo", "metrics": ["macro-f1", "accuracy"]})
    assert [metric.name for metric in board(out, metrics=list(metrics())).metrics] == ["macro-f1", "accuracy"]
    found = board(out, metrics=list(metrics()), sort="log-loss")
    assert [metric.name for metric in found.metrics] == ["log-loss", "macro-f1", "accuracy"]


def test_folds_of_a_seed_are_pooled(out: OutFolder) -> None:
    scores = out.scores(0.7)
    for fold in range(3):
        out.cell("net", scores, fold=fold, folds=3, part=range(fold * 100, fold * 100 + 100))
    out.run()
    (row,) = board(out).rows
    assert (row["seeds"], row["folds"], row["n_test"]) == (1, 3, 300)
    assert row["accuracy_mean"] == pytest.approx(0.7)


def test_a_seed_that_lacks_a_fold_is_left_out_and_counted(out: OutFolder) -> None:
    for seed in (0, 1):
        for fold in range(2):
            state = "failed" if (seed, fold) == (1, 1) else "done"
            out.cell("net", seed=seed, fold=fold, folds=2, part=range(fold * 150, fold * 150 + 150), state=state)
    out.run()
    found = board(out)
    assert found.rows[0]["seeds"] == 1
    assert "1 of 2 seeds" in found.rows[0]["notes"]


def test_failed_cells_are_listed_with_their_cause(out: OutFolder) -> None:
    out.row("net", [0.6, 0.6])
    lost = out.cell("net", seed=2, state="failed", status={"cause": "loss is not finite at epoch 3"})
    out.cell("broken", state="failed", status={"cause": "it raised"})
    out.run()
    found = board(out)
    assert "2 of 3 seeds" in by_model(found)["net"]["notes"]
    assert "broken" not in by_model(found)
    causes = {failure.cell: failure.cause for failure in found.failures}
    assert causes[lost] == "loss is not finite at epoch 3"
    assert len(causes) == 2


def test_unfinished_cells_are_counted(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.cell("net", seed=1, state="planned")
    out.run()
    assert any("1 of 2 cells are not finished" in caption for caption in board(out).captions)


def test_newer_code_supersedes_and_is_never_mixed_with_older(out: OutFolder) -> None:
    out.row("net", [0.5, 0.5, 0.5], status={"ended": "2024-01-01T00:00:00+00:00"})
    newer = out.row("net", [0.8], sources="code-2", status={"ended": "2024-02-01T00:00:00+00:00"})
    out.run(cells=newer)
    (row,) = board(out).rows
    assert row["seeds"] == 1
    assert row["accuracy_mean"] == pytest.approx(0.8)


def test_newer_code_of_a_required_cell_supersedes_too(out: OutFolder) -> None:
    old = out.cell("teacher", out.scores(0.6))
    out.cell("student", out.scores(0.5, 1), 0, requires={"teacher": old})
    new = out.cell("teacher", out.scores(0.6), sources="code-2")
    cells = [out.cell("student", out.scores(0.7, seed), seed, requires={"teacher": new}) for seed in (0, 1)]
    out.run(cells=cells)
    (row,) = board(out).rows
    assert row["seeds"] == 2
    assert row["accuracy_mean"] == pytest.approx(0.7)


def test_results_stay_when_newer_code_only_fails(out: OutFolder) -> None:
    out.row("net", [0.6, 0.6])
    failed = out.cell("net", state="failed", sources="code-2", status={"cause": "it raised"})
    out.run(cells=[failed])
    found = board(out)
    assert found.rows[0]["seeds"] == 2
    assert [failure.cell for failure in found.failures] == [failed]


def test_the_latest_run_is_shown_unless_another_is_named(out: OutFolder) -> None:
    first = out.row("old", [0.6])
    out.run("20240101-000000", first)
    out.run("20240102-000000", out.row("new", [0.6]))
    assert list(by_model(board(out))) == ["new"]
    assert list(by_model(board(out, run="20240101-000000"))) == ["old"]
    with pytest.raises(StoreError, match="Known: 20240101-000000, 20240102-000000"):
        board(out, run="nonsense")


def test_seeds_of_an_earlier_run_belong_to_the_row(out: OutFolder) -> None:
    out.run("20240101-000000", out.row("net", [0.6, 0.6]))
    more = [out.cell("net", out.scores(0.6, 9), seed=2)]
    out.run("20240102-000000", more)
    assert board(out).rows[0]["seeds"] == 3


def test_several_folders_merge(make_out: Callable[..., OutFolder]) -> None:
    first, second = make_out("a"), make_out("b")
    first.cell("net", first.scores(0.6, 1), 0)
    second.cell("net", second.scores(0.6, 2), 1)
    second.row("other", [0.9])
    first.run()
    second.run()
    found = build([first.out, second.out], USUAL)
    assert by_model(found)["net"]["seeds"] == 2
    assert by_model(found)["other"]["rank"] == 1


def test_an_oracle_is_shown_but_never_ranked(out: OutFolder) -> None:
    out.row("net", [0.6, 0.6])
    out.row("cheat", [0.9, 0.9], recipe={"selection": "oracle"})
    out.run()
    found = board(out)
    cheat = by_model(found)["cheat"]
    assert cheat["rank"] is None
    assert "oracle" in cheat["notes"]
    assert found.rows[-1] is cheat
    assert by_model(found)["net"]["rank"] == 1


@pytest.mark.parametrize(
    ("part", "note"),
    [({"limit": 500}, "500 training samples"), ({"facts": {"partial": "no test side"}}, "partial copy")],
)
def test_rows_of_a_part_of_the_data_stand_apart(out: OutFolder, part: dict[str, Any], note: str) -> None:
    out.row("small", [0.9, 0.9], **part)
    out.row("net", [0.6, 0.6])
    out.run()
    found = board(out)
    assert len(found.blocks) == 2
    assert by_model(found)["net"]["rank"] == 1
    assert note in by_model(found)["small"]["notes"]
    assert found.rows[0]["model"] == "net"


def test_protocols_never_share_a_ranking_unless_they_declare_it(out: OutFolder) -> None:
    out.row("a", [0.9], protocol="official")
    out.row("b", [0.5], protocol="merged-test")
    out.row("c", [0.9], protocol="majority", facts={"ranking": "ferplus"})
    out.row("d", [0.5], protocol="probability", facts={"ranking": "ferplus"})
    out.run()
    found = board(out)
    assert len(found.blocks) == 3
    assert {name: row["rank"] for name, row in by_model(found).items()} == {"a": 1, "b": 1, "c": 1, "d": 2}


def test_a_row_on_other_test_samples_is_not_ranked(out: OutFolder) -> None:
    out.row("a", [0.9])
    out.row("b", [0.5])
    out.cell("odd", part=range(200))
    out.run()
    odd = by_model(board(out))["odd"]
    assert odd["rank"] is None
    assert "not those of the other rows" in odd["notes"]


def test_a_row_that_is_not_above_the_floor_says_so(out: OutFolder) -> None:
    out.row("majority", [0.5], facts={"floor": True, "deterministic": True})
    out.row("good", [0.9, 0.9])
    out.row("bad", [0.5, 0.52])
    out.run()
    found = board(out)
    assert found.blocks[0].floors == ("majority",)
    assert "not significantly above the floor (majority)" in by_model(found)["bad"]["notes"]
    assert "floor" not in by_model(found)["good"]["notes"]


def test_damaged_predictions_cost_one_seed(out: OutFolder) -> None:
    cells = out.row("net", [0.6, 0.6])
    out.run()
    (out.out / "cells" / cells[0] / "predictions.parquet").write_bytes(b"nonsense")
    found = board(out)
    assert found.rows[0]["seeds"] == 1
    assert "damaged" in found.failures[0].cause


def test_a_folder_without_results_is_named(out: OutFolder) -> None:
    shutil.rmtree(out.out)
    with pytest.raises(StoreError, match="There are no results"):
        board(out)


def test_a_run_without_a_finished_cell_gives_an_empty_table(out: OutFolder) -> None:
    out.cell("net", state="failed", status={"cause": "it raised"})
    out.run()
    found = board(out)
    assert found.rows == []
    assert len(found.failures) == 1


def test_the_same_store_gives_the_same_numbers(out: OutFolder) -> None:
    out.row("net", [0.6, 0.7])
    out.row("other", [0.65, 0.7])
    out.run()
    assert board(out).rows == board(out).rows
