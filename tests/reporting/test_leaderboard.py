"""The leaderboard follows the protocol rules, from the files of a store alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ferbench.builtin.metrics import metrics
from ferbench.errors import StoreError, UnknownNameError
from ferbench.nouns.metric import Metric, Scored
from ferbench.nouns.paper import Paper, Reported
from ferbench.reporting.board import Leaderboard
from ferbench.reporting.leaderboard import build

if TYPE_CHECKING:
    from tests.reporting.conftest import OutFolder

METRICS = {metric.name: metric for metric in metrics()}
USUAL = [METRICS[name] for name in ("accuracy", "balanced-accuracy", "macro-f1")]
CLAIM = Reported("fer2013", "official", "test", "accuracy", 0.73, "Table 2")


def board(out: OutFolder, **more: Any) -> Leaderboard:
    return build([out.out], more.pop("metrics", USUAL), **more)


def by_model(found: Leaderboard, kind: str = "measured") -> dict[str, dict[str, Any]]:
    return {row["model"]: row for row in found.rows if row["kind"] == kind}


def claiming(**changes: Any) -> dict[str, Any]:
    return {"reported": [asdict(CLAIM) | {"paper": None} | changes]}


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
        "rank kind dataset protocol sampler model variant seeds folds n_test n_leakfree selection "
        "accuracy_mean accuracy_std accuracy_ci_low accuracy_ci_high accuracy_leakfree train_accuracy "
        "params flops train_seconds images_per_second extra_data reported delta notes"
    )
    assert all(tuple(row) == found.columns for row in found.rows)


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
    assert found.columns[12] == "macro-f1_mean"


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
    [({"limit": 500}, "first 500 samples"), ({"facts": {"partial": "no test side"}}, "partial copy")],
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


def test_the_delta_is_shown_where_everything_agrees(out: OutFolder) -> None:
    out.row("net", [0.7, 0.7], facts=claiming())
    out.run()
    row = by_model(board(out))["net"]
    assert row["reported"] == 0.73
    assert row["delta"] == pytest.approx(-0.03)
    assert "no delta" not in row["notes"]


@pytest.mark.parametrize(
    ("claim", "row", "reason"),
    [
        ({"protocol": "merged-test"}, {}, "reported under protocol merged-test"),
        ({"split": "PublicTest"}, {}, "reported on PublicTest"),
        ({"classes": 7}, {}, "reported for 7 classes, here 3"),
        ({"selection": "oracle"}, {}, "reported with selection oracle, here best-val"),
        ({"extra_data": "ImageNet"}, {}, "reported with extra data (ImageNet)"),
        ({}, {"facts": {"modified": ["optimizer.lr"]}}, "the recipe is modified"),
        ({}, {"facts": {"partial": "half"}}, "the copy of the data is partial"),
        ({}, {"limit": 100}, "trained on a part of the data"),
        ({}, {"sampler": "oversample"}, "sampler oversample is not the recipe's"),
        ({}, {"facts": {"extra_data": "MS-Celeb-1M"}}, "extra data were used here"),
    ],
)
def test_the_delta_is_blank_with_the_reason_where_something_differs(
    out: OutFolder, claim: dict[str, Any], row: dict[str, Any], reason: str
) -> None:
    facts = claiming(**claim) | row.pop("facts", {})
    out.row("net", [0.7], facts=facts, **row)
    out.run()
    found = by_model(board(out))["net"]
    assert found["reported"] == 0.73
    assert found["delta"] is None
    assert f"no delta: {reason}" in found["notes"]


def test_a_shortened_training_is_a_try_out(out: OutFolder) -> None:
    facts = {"modified": ["epochs"], "epochs": 3, "recipe_epochs": 80}
    out.row("net", [0.7], facts=facts)
    out.run()
    row = by_model(board(out))["net"]
    assert "try-out: 3 epochs instead of the recipe's 80" in row["notes"]
    assert row["rank"] == 1


def test_changed_settings_are_named_with_their_values(out: OutFolder) -> None:
    facts = {"modified": ["optimizer.lr", "options.depth"]}
    out.row("net", [0.7], facts=facts, model_options={"depth": 3})
    out.run()
    assert "changed: optimizer.lr = 0.1, options.depth = 3" in board(out).rows[0]["notes"]


def test_reported_numbers_are_shown_beside_the_measured_ones(out: OutFolder) -> None:
    out.row("net@paper", [0.7], facts=claiming(split="val", caveat="best of 250 epochs"))
    out.run()
    ensemble = Reported("fer2013", "official", "test", "accuracy", 0.768, "Table 3", method="Ensemble")
    known = Paper("Masking", "Luan Pham, The Vu", 2020)
    extra = [
        Reported(**{**vars(ensemble), "paper": known}),
        Reported(**{**vars(ensemble), "metric": "macro-f1", "value": 0.75, "paper": known}),
        Reported("rafdb", "official", "test", "accuracy", 0.8, "Table 1", method="Elsewhere"),
        Reported("fer2013", "6-class", "test", "accuracy", 0.66, "README", method="Six"),
    ]
    found = board(out, reported=extra)
    claims = by_model(found, "reported")
    assert set(claims) == {"net", "Ensemble", "Six"}
    assert claims["Ensemble"]["accuracy_mean"] == 0.768
    assert claims["Ensemble"]["macro-f1_mean"] == 0.75
    assert "Table 3 of Luan Pham (2020)" in claims["Ensemble"]["notes"]
    assert claims["net"]["variant"] == "paper"
    assert "on val" in claims["net"]["notes"] and "best of 250 epochs" in claims["net"]["notes"]
    assert all(row["rank"] is None for row in claims.values())
    assert [block.protocols for block in found.blocks] == [("official",), ("6-class",)]


def test_scores_without_copied_samples_stand_beside_the_full_ones(out: OutFolder) -> None:
    scores = out.scores(0.6)
    right = scores.argmax(1) == out.targets
    copied = np.flatnonzero(right)[:60]
    hashes = np.arange(1000, 1000 + out.n)
    train = [int(hashes[i]) for i in copied]
    out.table(["test"] * out.n + ["train"] * 60, [*hashes.tolist(), *train])
    out.cell("net", scores)
    out.run()
    found = board(out)
    (row,) = found.rows
    assert (row["n_test"], row["n_leakfree"]) == (300, 240)
    assert row["accuracy_leakfree"] == pytest.approx((180 - 60) / 240)
    assert "without the 60 test samples" in found.blocks[0].captions[0]


def test_without_a_data_set_table_the_leak_free_score_is_unknown(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.run()
    (row,) = board(out).rows
    assert row["n_leakfree"] is None and row["accuracy_leakfree"] is None


def test_pixels_without_a_hash_leave_the_leak_free_score_unknown(out: OutFolder) -> None:
    out.table(["test"] * out.n, [None] * out.n)
    out.row("net", [0.6])
    out.run()
    assert board(out).rows[0]["n_leakfree"] is None


def test_samples_without_a_group_count_one_by_one(out: OutFolder) -> None:
    out.table(["test"] * out.n, list(range(out.n)), subject=[""] * out.n)
    out.cell("net", facts={"unit": "subject"})
    out.run()
    assert "rough" not in board(out).rows[0]["notes"]


def test_in_a_cross_validation_copies_across_folds_are_leaks(out: OutFolder) -> None:
    hashes = np.arange(out.n)
    hashes[200] = hashes[10]
    hashes[20] = hashes[30]
    out.table(["train"] * out.n, hashes.tolist())
    for fold in range(2):
        out.cell("net", out.scores(0.7), fold=fold, folds=2, part=range(fold * 150, fold * 150 + 150))
    out.run()
    assert board(out).rows[0]["n_leakfree"] == 298


def test_groups_are_resampled_whole(out: OutFolder) -> None:
    subjects = [f"p{index // 30}" for index in range(out.n)]
    out.table(["test"] * out.n, list(range(out.n)), subject=subjects)
    right = np.arange(out.n) < 180
    chosen = np.where(right, out.targets, (out.targets + 1) % 3)
    scores = np.eye(3, dtype=np.float32)[chosen]
    out.cell("net", scores)
    out.cell("grouped", scores, protocol="by-subject", facts={"unit": "subject"})
    out.run()
    found = by_model(board(out))
    width = {name: row["accuracy_ci_high"] - row["accuracy_ci_low"] for name, row in found.items()}
    assert width["grouped"] > 3 * width["net"]
    assert "only 10 subjects" in found["grouped"]["notes"]


def test_synthetic_data_are_marked_in_title_caption_and_notes(out: OutFolder) -> None:
    out.row("net", [0.6], facts={"synthetic": True})
    out.run()
    found = board(out)
    assert "synthetic" in found.blocks[0].title
    assert any("Synthetic data" in caption for caption in found.blocks[0].captions)
    assert "synthetic data" in found.rows[0]["notes"]


def test_mixed_environments_are_marked(out: OutFolder) -> None:
    out.cell("net", seed=0, environment={"device": "cpu", "threads": 1, "machine": "a"})
    out.cell("net", seed=1, environment={"device": "cuda", "threads": 1, "machine": "b"})
    out.run()
    assert "mixed environments: device (cpu, cuda)" in board(out).rows[0]["notes"]


def test_notes_of_plan_and_training_are_passed_on(out: OutFolder) -> None:
    out.cell("net", facts={"notes": ["subjects may stand on two sides"]}, status={"notes": ["2 micro-batches a step"]})
    out.run()
    notes = board(out).rows[0]["notes"].split("; ")
    assert "subjects may stand on two sides" in notes and "2 micro-batches a step" in notes


def test_one_seed_of_a_random_method_is_noted_but_not_of_a_deterministic_one(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.row("knn", [0.6], facts={"deterministic": True})
    out.run()
    found = by_model(board(out))
    assert "one seed" in found["net"]["notes"]
    assert found["knn"]["notes"] == ""


def test_a_metric_that_raises_costs_its_own_column_only(out: OutFolder) -> None:
    def broken(scored: Scored) -> float:
        raise ValueError("no such class")

    out.row("net", [0.6])
    out.run()
    (row,) = board(out, metrics=[METRICS["accuracy"], Metric("odd", broken)]).rows
    assert row["accuracy_mean"] == pytest.approx(0.6)
    assert row["odd_mean"] is None
    assert "odd could not be computed (ValueError: no such class)" in row["notes"]


def test_metrics_are_chosen_by_task(out: OutFolder) -> None:
    out.row("net", [0.6])
    values = np.random.default_rng(0).normal(size=(out.n, 3)).astype(np.float32)
    facts = {"task": "regression"}
    out.cell("regressor", values + 0.1, dataset="affect", facts=facts, targets=values)
    out.run(suite={"name": "mixed", "metrics": ["accuracy"]})
    found = by_model(board(out, metrics=list(metrics())))
    assert found["net"]["accuracy_mean"] == pytest.approx(0.6) and found["net"]["ccc_mean"] is None
    assert found["regressor"]["accuracy_mean"] is None
    assert 0.9 < found["regressor"]["ccc_mean"] < 1
    assert found["regressor"]["rank"] == 1


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
