"""Label schemes of one data set with votes: what is planned, what trains, and what the table says of them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import ferbench
from ferbench.plugins import Installed, discover
from ferbench.running.api import RunResult, make_leaderboard
from ferbench.running.plan import make_plan
from ferbench.running.probe import probe_cell
from ferbench.running.request import Request
from ferbench.store.files import write_json
from ferbench.store.store import CellFolder, Store
from ferbench.suites import Override
from tests.contract import Contract
from tests.running.votes_plugin import read

PLUGIN = Path(__file__).with_name("votes_plugin.py")
SCHEMES = ("majority", "soft", "drawn", "accepted")


@pytest.fixture(scope="module")
def installed(contract: Contract) -> Installed:
    """The plugin beside the core."""
    return discover(files=[PLUGIN])


def skipped(installed: Installed, *models: str, overrides: tuple[Override, ...] = ()) -> dict[str, str]:
    """What a plan of these models on all schemes leaves out, and why."""
    plan = make_plan(Request("voted", models=models, plugins=(PLUGIN,), overrides=overrides), installed)
    return {item.what: item.why for item in plan.skipped}


def test_a_loss_is_planned_on_the_labels_for_which_it_has_a_form(installed: Installed) -> None:
    assert skipped(installed, "entropy", "focal", "hinge", "binary") == {
        "focal on voted@accepted": "training labels are accepted, the loss focal takes hard, soft, drawn",
        "hinge on voted@soft": "training labels are soft, the loss squared-hinge takes hard, drawn",
        "hinge on voted@accepted": "training labels are accepted, the loss squared-hinge takes hard, drawn",
        **{
            f"binary on voted@{scheme}": f"training labels are {kind}, the loss binary-cross-entropy takes multi-hot"
            for scheme, kind in zip(SCHEMES, ("hard", "soft", "drawn", "accepted"), strict=True)
        },
    }


def test_terms_and_mixing_are_planned_on_labels_for_which_they_have_a_form(installed: Installed) -> None:
    assert skipped(installed, "centred", "shrunk") == {
        "centred on voted@accepted": "training labels are accepted, the term centre takes hard, soft, drawn"
    }
    mixing = (Override("recipe.augmentation", [{"name": "mixup"}]),)
    assert skipped(installed, "entropy", overrides=mixing) == {
        "entropy on voted@accepted": "mixup mixes labels by shares, and of accepted ones each is right as a whole"
    }


def test_an_objective_of_its_own_and_an_estimator_are_judged_by_their_label_kinds(installed: Installed) -> None:
    assert skipped(installed, "own", "mean", "knn") == {
        "mean on voted@majority": "training labels are hard, the model takes drawn",
        "mean on voted@soft": "training labels are soft, the model takes drawn",
        "mean on voted@accepted": "training labels are accepted, the model takes drawn",
        "knn on voted@accepted": "training labels are accepted, the model takes hard, soft, drawn",
    }


def test_a_model_whose_required_model_does_not_fit_is_skipped(installed: Installed) -> None:
    found = skipped(installed, "heir")
    assert set(found) == {"heir on voted@soft", "heir on voted@accepted"}
    assert "it requires hinge as teacher, which does not fit: training labels are soft" in found["heir on voted@soft"]


@pytest.fixture(scope="module")
def run(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Cells of several models on all schemes."""
    models = ["entropy", "both-sides", "mean"]
    settings = {"run.threads": 1, "run.probe": False}
    out = tmp_path_factory.mktemp("voted")
    return ferbench.run("voted", out=out, plugins=[PLUGIN], models=models, device="cpu", set=settings)


def cells(run: RunResult) -> dict[tuple[str, str], CellFolder]:
    store = Store(run.out)
    folders = [store.cell(key) for key in store.run(run.run_id)["cells"]]
    return {(folder.record["row"]["model"], folder.record["row"]["protocol"]): folder for folder in folders}


def test_every_scheme_trains_and_is_tested_on_the_majority(run: RunResult) -> None:
    assert not run.failed
    found = cells(run)
    assert {protocol for model, protocol in found if model == "entropy"} == set(SCHEMES)
    for (model, scheme), folder in found.items():
        assert folder.predictions().targets.ndim == 1
        if model != "mean":
            assert folder.metrics()["test"]["accuracy"] > 0.5, (model, scheme)


def test_a_stage_joins_val_with_labels_of_another_kind(run: RunResult) -> None:
    assert [int(row["samples"]) for row in cells(run)["both-sides", "accepted"].history()] == [120, 120, 160]


def test_an_estimator_is_given_the_probabilities_of_drawn_labels(run: RunResult) -> None:
    shares = read(None, ferbench.ReadContext()).samples.columns["votes"][:120] / 10
    found = cells(run)["mean", "drawn"].predictions().scores
    np.testing.assert_allclose(found, np.tile(shares.mean(axis=0), (80, 1)), rtol=1e-5)


def test_scores_are_compared_with_votes_in_cells_and_in_the_table_alike(run: RunResult, installed: Installed) -> None:
    rows = {(row["model"], row["protocol"]): row for row in make_leaderboard([run.out], installed).rows}
    for key, folder in cells(run).items():
        told, kept = rows[key], folder.metrics()["test"]
        for name in ("votes-kl", "votes-cosine"):
            assert told[f"{name}_mean"] == pytest.approx(kept[name], rel=1e-6)
            assert told[f"{name}_ci_low"] <= told[f"{name}_mean"] <= told[f"{name}_ci_high"]
    mean = cells(run)["mean", "drawn"].metrics()["test"]
    assert mean["votes-cosine"] < cells(run)["entropy", "soft"].metrics()["test"]["votes-cosine"] <= 1


def test_the_table_says_how_well_people_agree(run: RunResult, installed: Installed) -> None:
    (block,) = make_leaderboard([run.out], installed).blocks
    (caption,) = (caption for caption in block.captions if caption.startswith("Human annotators"))
    parsed = read(None, ferbench.ReadContext())
    votes, labels = parsed.samples.columns["votes"][160:], parsed.samples.targets[160:]
    told = re.fullmatch(
        r"Human annotators: accuracy (.*) % is to be expected of one of them, (.*) % of their majority.", caption
    )
    assert told is not None
    most = votes == votes.max(axis=1, keepdims=True)
    assert float(told[1]) == pytest.approx(10 * votes[np.arange(40), labels].mean(), abs=0.051)
    assert float(told[2]) == pytest.approx(100 * (1 / most.sum(axis=1)).mean(), abs=0.051)


def test_a_trial_step_has_labels_as_the_training_will(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferbench.running.probe.SECONDS", 0.0)
    request = Request("voted", datasets=("voted@drawn",), models=("hinge",), plugins=(PLUGIN,), device="cpu")
    (cell,) = make_plan(request, installed).cells
    write_json(tmp_path / "cell.json", cell.record)
    assert probe_cell(tmp_path)["train"] > 0, "the loss takes a class for each sample, which is drawn from the votes"
