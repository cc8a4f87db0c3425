"""What stands beside a leaderboard's scores: published numbers, leak-free scores, notes and captions."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from ferbench.builtin.metrics import metrics
from ferbench.nouns.metric import Metric, Scored
from ferbench.nouns.paper import Paper, Reported
from ferbench.reporting.sheet import sheet_of
from tests.reporting.boards import METRICS, USUAL, board, by_model

if TYPE_CHECKING:
    from tests.reporting.conftest import OutFolder

CLAIM = Reported("fer2013", "official", "test", "accuracy", 0.73, "Table 2")


def claiming(**changes: Any) -> dict[str, Any]:
    return {"reported": [asdict(CLAIM) | {"paper": None} | changes]}


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
    assert "reported in Luan Pham et al. (2020), Table 3" in claims["Ensemble"]["notes"]
    assert claims["net"]["variant"] == "paper"
    assert "on val" in claims["net"]["notes"] and "best of 250 epochs" in claims["net"]["notes"]
    assert all(row["rank"] is None for row in claims.values())
    assert [block.protocols for block in found.blocks] == [("official",), ("6-class",)]


def test_a_claim_that_a_model_of_the_table_makes_itself_stands_once(out: OutFolder) -> None:
    out.row("net@paper", [0.7], facts=claiming())
    out.run()
    listed = Reported("fer2013", "official", "test", "accuracy", 0.73, "Table of others", method="Net (Author)")
    for models, shown in ((("net@paper", "rest"), {"net"}), (("net",), {"net", "Net (Author)"})):
        found = board(out, reported=[replace(listed, models=models)])
        assert set(by_model(found, "reported")) == shown


def test_a_claim_of_several_variants_stands_once_and_names_the_paper_of_its_model(out: OutFolder) -> None:
    paper = asdict(Paper("A net", "Smith, Jones", 2020))
    for name, value in (("net", 0.7), ("net@paper", 0.72), ("other", 0.6)):
        out.row(name, [value], facts=claiming(paper=paper))
    out.run()
    claims = [row for row in board(out).rows if row["kind"] == "reported"]
    assert sorted((row["model"], row["variant"]) for row in claims) == [("net", ""), ("other", "")]
    assert {row["notes"] for row in claims} == {"reported in Smith et al. (2020), Table 2"}


def test_a_table_of_published_numbers_alone_has_no_columns_of_what_was_measured(out: OutFolder) -> None:
    out.row("net", [0.7])
    out.run()
    extra = [Reported("fer2013", "6-class", "test", "accuracy", 0.6, "Table 1", method="Net 1")]
    measured, apart = (sheet_of(block) for block in board(out, reported=extra).blocks)
    assert [column.header for column in apart.columns] == ["#", "method", "accuracy %", "notes"]
    assert "accuracy %\n± sd [95 % interval]" in [column.header for column in measured.columns]


def test_reported_numbers_of_protocols_that_were_not_run_share_one_table(out: OutFolder) -> None:
    out.row("net", [0.7])
    out.run()
    others = ("6-class", "paper-80-20", "6-class")
    extra = [
        Reported("fer2013", protocol, "test", "accuracy", 0.6 + i / 100, "Table 1", method=f"Net {i}")
        for i, protocol in enumerate(others)
    ]
    measured, apart = board(out, reported=extra).blocks
    assert [row["model"] for row in measured.rows] == ["net"]
    assert apart.title == "fer2013 · 6-class · paper-80-20 · reported only"
    assert [(row["model"], row["protocol"]) for row in apart.rows] == [
        ("Net 2", "6-class"),
        ("Net 1", "paper-80-20"),
        ("Net 0", "6-class"),
    ]


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


def test_a_metric_that_cannot_do_without_copies_keeps_its_full_score(out: OutFolder) -> None:
    def every_class(scored: Scored) -> float:
        if len(np.unique(scored.targets)) < len(scored.classes):
            raise ValueError("a class is missing")
        return 0.5

    hashes = np.arange(1000, 1000 + out.n)
    train = [int(hashes[i]) for i in np.flatnonzero(out.targets == 0)]
    out.table(["test"] * out.n + ["train"] * len(train), [*hashes.tolist(), *train])
    out.cell("net")
    out.run()
    (row,) = board(out, metrics=[METRICS["accuracy"], Metric("fussy", every_class)]).rows
    assert (row["fussy_mean"], row["fussy_leakfree"]) == (0.5, None)
    assert row["accuracy_leakfree"] is not None
    assert "fussy could not be computed without copies (ValueError: a class is missing)" in row["notes"]


def test_where_every_test_sample_is_a_copy_there_is_no_leak_free_score(out: OutFolder) -> None:
    hashes = list(range(out.n))
    out.table(["test"] * out.n + ["train"] * out.n, hashes * 2)
    out.cell("net")
    out.run()
    (row,) = board(out).rows
    assert row["n_leakfree"] == 0
    assert [row[f"{metric.name}_leakfree"] for metric in USUAL] == [None] * 3


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


def test_in_a_cross_validation_what_no_fold_tests_is_trained_on_too(out: OutFolder) -> None:
    hashes = [*range(out.n), 5, 6, 7]  # copies of three that fold 0 tests
    out.table(["test"] * 150 + ["train"] * 150 + ["train", "val", ""], hashes)
    for fold in range(2):
        out.cell("net", out.scores(0.7), fold=fold, folds=2, part=range(fold * 150, fold * 150 + 150))
    out.run()
    assert board(out).rows[0]["n_leakfree"] == 299


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


def test_copies_in_val_are_leaks_where_a_stage_trains_on_it(out: OutFolder) -> None:
    out.table(["test"] * out.n + ["val"] * 5, [*range(out.n), *range(5)])
    out.row("net", [0.6])
    out.row("both", [0.6], recipe={"selection": "last", "stages": [{"sides": ["train"]}, {"sides": ["train", "val"]}]})
    out.run()
    assert {name: row["n_leakfree"] for name, row in by_model(board(out)).items()} == {"net": 300, "both": 295}


def test_metrics_of_the_suite_that_are_not_installed_are_named(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.run(suite={"name": "demo", "metrics": ["accuracy", "worst-class"]})
    assert "Metrics of the suite that are not installed here: worst-class." in board(out).captions


def votes_table(out: OutFolder, votes: np.ndarray, classes: list[str] | None) -> None:
    """The data set's table with votes, and the classes that they are of."""
    out.table(["test"] * out.n, list(range(out.n)), votes=votes.tolist())
    (path,) = (out.out / "datasets").iterdir()
    metadata = {} if classes is None else {"classes": json.dumps(classes)}
    pq.write_table(pq.read_table(path).replace_schema_metadata(metadata), path)


def test_votes_are_compared_in_the_order_of_the_rows_classes(out: OutFolder) -> None:
    out.row("net", [0.7, 0.6])
    out.run()
    votes = np.eye(3)[out.targets] * 6 + 2  # 8 of 12 for the label
    known = ["neutral", "contempt", "anger", "happiness"]
    stored = np.stack([votes[:, 2], np.full(out.n, 9), votes[:, 0], votes[:, 1]], axis=1)
    votes_table(out, stored, known)
    shown = board(out, metrics=[*USUAL, METRICS["votes-kl"], METRICS["votes-cosine"]])
    row = by_model(shown)["net"]
    expected = []
    for seed, share in enumerate([0.7, 0.6]):
        scores = out.scores(share, sum(map(ord, "net")) * 10 + seed).astype(np.float64)
        shares = votes / votes.sum(axis=1, keepdims=True)
        expected.append((shares * np.log(shares / scores)).sum(axis=1).mean())
    assert row["votes-kl_mean"] == pytest.approx(np.mean(expected), rel=1e-5)
    assert row["votes-kl_ci_low"] <= row["votes-kl_mean"] <= row["votes-kl_ci_high"]
    (block,) = shown.blocks
    assert "accuracy 66.7 % is to be expected of one of them, 100.0 % of their majority" in " ".join(block.captions)


@pytest.mark.parametrize("classes", [None, ["anger", "happiness", "contempt"]])
def test_where_the_votes_classes_are_unknown_nothing_is_said_of_them(out: OutFolder, classes: list[str] | None) -> None:
    out.row("net", [0.7])
    out.run()
    votes_table(out, np.ones((out.n, 3)), classes)
    shown = board(out, metrics=[*USUAL, METRICS["votes-kl"]])
    assert by_model(shown)["net"]["votes-kl_mean"] is None
    (block,) = shown.blocks
    assert [metric.name for metric in block.metrics] == [metric.name for metric in USUAL]
    assert "annotators" not in " ".join(block.captions)
    assert not by_model(shown)["net"]["notes"].count("could not be computed")
