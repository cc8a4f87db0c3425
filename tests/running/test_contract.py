"""Every part of the contract, used by a plugin in one file."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ferbench
from ferbench import DataError, SettingsError
from ferbench.evaluating.scoring import read_weights
from ferbench.plugins import discover
from ferbench.running.api import RunResult
from tests.contract import PLUGIN, Contract
from tests.contract_plugin import squares

ONE_LABEL = ["tiny", "tiny@wide", "centred", "student", "staged", "both-sides", "nearest"]


@pytest.fixture(scope="module")
def images(contract: Contract) -> RunResult:
    """Every model that takes one label, on three protocols of one data set."""
    datasets = ["squares", "squares@two-classes", "squares@soft-training"]
    return contract.run(datasets=datasets, models=ONE_LABEL, seeds=1)


def test_every_kind_of_model_learns(contract: Contract, images: RunResult) -> None:
    assert not images.failed
    for name in ONE_LABEL:
        model, _, variant = name.partition("@")
        cell = contract.cell(images, model=model, variant=variant, protocol="official")
        assert cell.metrics()["test"]["accuracy"] > 0.6, name


def test_combinations_that_do_not_fit_are_skipped_and_counted(contract: Contract, images: RunResult) -> None:
    from ferbench.store.store import Store

    skipped = {item["what"]: item["why"] for item in Store(images.out).run(images.run_id)["skipped"]}
    assert skipped == {
        "centred on squares@soft-training": "training labels are soft, the model takes hard",
        "nearest on squares@soft-training": "training labels are soft, the model takes hard",
    }


def test_a_protocol_keeps_a_subset_of_classes_by_name(contract: Contract, images: RunResult) -> None:
    cell = contract.cell(images, model="tiny", protocol="two-classes")
    predictions = cell.predictions()
    assert predictions.classes == ("anger", "happiness")
    assert set(predictions.targets.tolist()) == {0, 1}
    assert np.allclose(predictions.scores.sum(axis=1), 1, atol=1e-5)


def test_a_protocol_trains_on_other_labels_than_it_tests_on(contract: Contract, images: RunResult) -> None:
    cell = contract.cell(images, model="tiny", protocol="soft-training")
    assert cell.predictions().targets.ndim == 1
    assert cell.record["facts"]["ranking"] == "official", "val and test are the same, so the ranking is shared"


def test_a_required_cell_is_trained_once_and_shared(contract: Contract, images: RunResult) -> None:
    teacher = contract.cell(images, model="tiny", variant="", protocol="official")
    student = contract.cell(images, model="student", protocol="official")
    assert student.record["requires"] == {"teacher": teacher.id}
    assert len({cell.id for cell in contract.cells(images)}) == len(contract.cells(images))


def test_stages_change_what_learns(contract: Contract, images: RunResult) -> None:
    history = contract.cell(images, model="staged", protocol="official").history()
    assert [row["stage"] for row in history] == ["0", "0", "1", "1"]
    assert [float(row["lr"]) for row in history] == [0.05, 0.05, 0.02, 0.02]


def test_a_stage_trains_on_val_as_well_when_it_says_so(contract: Contract, images: RunResult) -> None:
    history = contract.cell(images, model="both-sides", protocol="official").history()
    assert [int(row["samples"]) for row in history] == [160, 160, 200]


def test_a_deterministic_model_runs_once_whatever_the_seeds(contract: Contract) -> None:
    result = contract.run(models=["nearest"], seeds=3)
    assert len(result.done) == 1


def test_an_estimator_is_no_pickle_and_predicts_the_same_when_restored(contract: Contract, images: RunResult) -> None:
    from ferbench.evaluating.further import Wanted, evaluate_cell, find_other

    cell = contract.cell(images, model="nearest", protocol="official")
    other = find_other(discover(files=[PLUGIN]), "squares")
    assert read_weights(cell.path / "best.safetensors")["means"].shape == (4, 64)
    kept = evaluate_cell(cell, Wanted(other=other), "cpu")
    np.testing.assert_array_equal(cell.predictions(kept["evaluation"]).scores, cell.predictions().scores)


@pytest.mark.parametrize(
    ("dataset", "model", "targets"),
    [
        ("votes", "tiny", 4),
        ("flags", "flagged", 2),
        ("values", "valued", 2),
        ("flags", "small-cnn@multi-label", 2),
        ("values", "small-cnn@regression", 2),
    ],
)
def test_other_tasks_have_their_targets_and_metrics(contract: Contract, dataset: str, model: str, targets: int) -> None:
    result = contract.run(datasets=[dataset], models=[model], seeds=1, epochs=6, set={"recipe.batch_size": 16})
    cell = contract.cell(result, dataset=dataset)
    assert cell.status["state"] == "done"
    assert cell.predictions().targets.shape == (80, targets)
    values = cell.metrics()["test"]
    assert values
    assert all(value is None or np.isfinite(value) for value in values.values() if not isinstance(value, list))
    history = cell.history()
    assert float(history[-1]["val_loss"]) < float(history[0]["val_loss"])


def test_samples_that_stream_through_workers_train_to_the_same_bytes(contract: Contract, images: RunResult) -> None:
    resident = contract.cell(images, model="tiny", variant="", protocol="official").predictions()
    for workers in (0, 2):
        result = contract.run(
            contract.out.with_name(f"streamed-{workers}"),
            datasets=["clips"],
            models=["tiny"],
            seeds=1,
            set={"run.workers": workers},
        )
        streamed = contract.cell(result, dataset="clips").predictions()
        np.testing.assert_array_equal(streamed.scores, resident.scores)


def test_folds_by_subject_leave_one_out_and_pool_in_one_row(contract: Contract) -> None:
    result = contract.run(datasets=["people@by-subject"], models=["nearest"])
    cells = contract.cells(result)
    assert [cell.record["fold"] for cell in cells] == list(range(8))
    ids = [name for cell in cells for name in cell.predictions().side("test").ids.tolist()]
    assert len(ids) == len(set(ids)) == 240
    row = next(row for row in result.leaderboard.rows if row["kind"] == "measured")
    assert (row["folds"], row["n_test"]) == (8, 240)


def test_a_protocol_that_mixes_subjects_is_refused_unless_it_says_so(contract: Contract) -> None:
    with pytest.raises(DataError, match="subject"):
        contract.run(datasets=["people@mixed"], models=["nearest"])
    result = contract.run(datasets=["people@mixed-allowed"], models=["nearest"])
    row = next(row for row in result.leaderboard.rows if row["kind"] == "measured")
    assert "subject" in row["notes"]


def test_a_sampler_changes_the_training_alone(contract: Contract) -> None:
    result = contract.run(models=["tiny"], samplers=["halve", "echo"], seeds=1)
    halved, echoed = contract.cell(result, sampler="halve"), contract.cell(result, sampler="echo")
    facts = json.loads((halved.path / "sampler.json").read_text())
    assert (facts["samples_per_epoch"], facts["weighted"]) == (80, True)
    assert facts["removed"][0]["reason"] == "every second sample"
    _, labels, _ = squares()
    for label, name in enumerate(echoed.record["facts"]["classes"]):
        own = np.flatnonzero(labels[:160] == label)
        kept = own[own % 2 == 0]
        assert facts["classes"][name]["before"] == len(own)
        assert facts["classes"][name]["after"] == len(kept)
        assert facts["classes"][name]["weight"] == pytest.approx(np.where(kept % 4 == 0, 2, 1).mean())
        assert facts["removed"][0]["classes"][name] == len(own) - len(kept)
    more = json.loads((echoed.path / "sampler.json").read_text())
    assert (more["extra"], more["relabelled"], more["changed_labels"], more["options"]) == (2, True, 0, {"copies": 2})
    added = {name: each["extra"] for name, each in more["classes"].items() if each["extra"]}
    assert sum(added.values()) == 2
    assert int(halved.history()[0]["samples"]) == 80
    assert int(echoed.history()[0]["samples"]) == 162
    seen = json.loads(contract.seen.read_text())
    held_out = set(echoed.predictions().ids.tolist())
    assert len(seen) == 160
    assert not held_out & set(seen), "a sampler is never shown val or test"


def test_options_of_a_sampler_are_shown_where_they_are_not_its_own(contract: Contract) -> None:
    result = contract.run(models=["nearest"], samplers=["echo"], seeds=1, set={"sampler.options.copies": 3})
    (row,) = [row for row in result.leaderboard.rows if row["kind"] == "measured"]
    assert row["sampler"] == "echo (copies=3)"
    assert "echo (copies=3)" in (contract.out / "leaderboard.csv").read_text()
    assert contract.cell(result, sampler="echo").record["label"].endswith(" · echo (copies=3)")


def test_a_sampler_may_use_a_required_network_but_sees_no_scores_of_val_or_test(contract: Contract) -> None:
    result = contract.run(models=["both-sides"], samplers=["trust", "peek"], seeds=1)
    limited = contract.run(models=["both-sides"], samplers=["peek"], seeds=1, limit=80)
    assert contract.cell(result, sampler="trust").state == "done"
    for side, run in (("val", result), ("test", limited)):
        status = contract.cell(run, sampler="peek").status
        assert status["state"] == "failed"
        assert f"A sampler may not see the {side} scores of a required cell" in status["cause"]


def test_limit_takes_training_samples_and_epochs_reach_requirements(contract: Contract) -> None:
    result = contract.run(models=["student"], seeds=1, limit=40, epochs=2)
    student, teacher = contract.cell(result, model="student"), contract.cell(result, model="tiny")
    for cell in (student, teacher):
        assert [row["samples"] for row in cell.history()] == ["40", "40"]
    assert student.record["facts"]["n_train"] == 40


def test_overrides_reach_the_named_models_but_not_requirements(contract: Contract) -> None:
    changes = {"recipe.optimizer.lr": 0.01, "tiny@wide:model.options.width": 12}
    result = contract.run(models=["student", "tiny@wide"], seeds=1, set=changes)
    assert contract.cell(result, model="student").record["row"]["recipe"]["optimizer"]["lr"] == 0.01
    assert contract.cell(result, model="tiny", variant="").record["row"]["recipe"]["optimizer"]["lr"] == 0.02
    wide = contract.cell(result, model="tiny", variant="wide").record
    assert wide["row"]["model_options"] == {"width": 12}
    assert wide["facts"]["modified"] == ["optimizer.lr", "options.width"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe.optimizer.lrr": 1}, "matches nothing"),
        ({"knn:recipe.epochs": 3}, "matches nothing"),
        ({"recipe.optimizer.lr": -1}, "greater than 0"),
        ({"run.threds": 1}, "Did you mean 'threads'"),
    ],
)
def test_overrides_that_fit_nothing_are_refused(contract: Contract, changes: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        contract.run(models=["tiny"], set=changes)


def test_the_oracle_sees_the_test_set_every_epoch_and_is_not_ranked(contract: Contract) -> None:
    result = contract.run(models=["tiny", "tiny@oracle"], seeds=1)
    oracle = contract.cell(result, variant="oracle")
    scores = [float(row["test_score"]) for row in oracle.history()]
    assert oracle.metrics()["chosen_epoch"] == int(np.argmax(scores))
    rows = {row["variant"]: row for row in result.leaderboard.rows if row["kind"] == "measured"}
    assert rows[""]["rank"] == 1
    assert rows["oracle"]["rank"] in (None, "")


def test_the_same_cell_gives_the_same_bytes(contract: Contract, images: RunResult) -> None:
    again = contract.run(contract.out.with_name("again"), models=["tiny"], seeds=1)
    first = contract.cell(images, model="tiny", variant="", protocol="official")
    second = contract.cell(again, model="tiny")
    assert first.id == second.id
    for name in ("predictions.parquet", "best.safetensors", "last.safetensors"):
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes(), name


def test_views_and_last_weights_are_evaluated_later_without_training(contract: Contract, images: RunResult) -> None:
    from ferbench.evaluating.asked import parse_tta
    from ferbench.evaluating.further import Wanted, evaluate_cell, find_other

    cell = contract.cell(images, model="tiny", variant="", protocol="official")
    before = (cell.path / "best.safetensors").stat().st_mtime_ns
    kept = evaluate_cell(cell, Wanted("last", parse_tta("flip")), "cpu")
    assert set(kept["metrics"]) >= {"val", "test"}
    assert cell.evaluations().count(kept["evaluation"]) == 1
    assert not np.array_equal(cell.predictions(kept["evaluation"]).scores, cell.predictions().scores)
    assert (cell.path / "best.safetensors").stat().st_mtime_ns == before
    fewer = Wanted(other=find_other(discover(files=[PLUGIN]), "squares@two-classes"))
    other = evaluate_cell(cell, fewer, "cpu")
    assert cell.predictions(other["evaluation"]).classes == ("anger", "happiness")


def test_the_leaderboard_is_a_data_frame_from_python(contract: Contract, images: RunResult) -> None:
    frame = ferbench.leaderboard(images.out, run=images.run_id)
    assert {"rank", "model", "accuracy_mean", "notes"} <= set(frame.columns)
    assert (frame["kind"] == "measured").sum() == len({c.record["row_id"] for c in contract.cells(images)})
