"""Models that require others: what is planned and shared, what they are given, and what they never are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ferbench import FerbenchError, Model, Recipe, Stage
from ferbench.evaluating.further import Wanted, evaluate_cell, find_other
from ferbench.evaluating.scoring import read_weights
from ferbench.plugins import discover
from ferbench.running.api import RunResult
from ferbench.running.inheriting import inherited
from ferbench.running.records import Configured
from ferbench.store.cleaning import to_free
from ferbench.store.store import Store
from tests.contract import PLUGIN, Contract

REQUIRING = Path(__file__).parents[1] / "requirements_plugin.py"


@pytest.fixture(scope="module")
def stacked(contract: Contract) -> RunResult:
    """An estimator over out-of-fold scores of one network and features of another, two cells at a time."""
    return contract.run(models=["stacked", "on-val", "link"], seeds=1, jobs=2, plugins=[REQUIRING])


def test_one_model_is_required_twice_with_different_options(contract: Contract, stacked: RunResult) -> None:
    cell = contract.cell(stacked, model="stacked")
    by_role = {role: contract.cells(stacked)[0].path.parent / key for role, key in cell.record["requires"].items()}
    assert list(by_role) == ["a", "a/1-of-3", "a/2-of-3", "a/3-of-3", "b"]
    needed = {role: next(c for c in contract.cells(stacked) if c.path == path) for role, path in by_role.items()}
    assert {c.record["row"]["model_options"]["width"] for role, c in needed.items() if role[0] == "a"} == {4}
    assert {len(c.history()) for role, c in needed.items() if role[0] == "a"} == {2}
    assert needed["b"].record["row"]["model_options"]["width"] == 8
    assert needed["a"].record["label"].startswith("tiny (width=4, epochs=2)")


def test_required_cells_are_shared(contract: Contract, stacked: RunResult) -> None:
    features = contract.cell(stacked, model="stacked").record["requires"]["b"]
    assert contract.cell(stacked, model="on-val").record["requires"]["a"] == features
    assert contract.cell(stacked, model="link").record["requires"]["teacher"] == features


def test_out_of_fold_scores_are_of_networks_that_have_not_seen_the_sample(
    contract: Contract, stacked: RunResult
) -> None:
    stack = contract.cell(stacked, model="stacked")
    given = read_weights(stack.path / "best.safetensors")
    inner = [cell for cell in contract.cells(stacked) if cell.record["row"].get("inner")]
    parts = [cell.predictions().side("test") for cell in inner]
    ids = np.concatenate([part.ids for part in parts])
    assert len(set(ids.tolist())) == len(ids) == 160, "each training sample is held out once"
    assert not set(ids.tolist()) & set(stack.predictions().ids.tolist()), "neither val nor test is among them"
    assert [int(cell.history()[0]["samples"]) for cell in inner] == [160 - len(part.ids) for part in parts]
    scores = dict(zip(ids.tolist(), np.concatenate([part.scores for part in parts]), strict=True))
    wanted = np.stack([scores[f"square-{i:03d}"] for i in range(160)])
    np.testing.assert_array_equal(given["a"].numpy(), wanted)
    assert given["b"].shape == (160, 32), "features: what the last linear layer is given"


def test_an_estimator_predicts_from_the_whole_required_model(contract: Contract, stacked: RunResult) -> None:
    stack = contract.cell(stacked, model="stacked")
    member = next(c for c in contract.cells(stacked) if c.id == stack.record["requires"]["a"])
    np.testing.assert_array_equal(stack.predictions().scores, member.predictions().scores)
    other = find_other(discover(files=[PLUGIN, REQUIRING]), "squares")
    again = evaluate_cell(stack, Wanted(other=other), "cpu")
    np.testing.assert_allclose(stack.predictions(again["evaluation"]).scores, stack.predictions().scores, atol=1e-5)


def test_what_is_fitted_on_val_is_marked(contract: Contract, stacked: RunResult) -> None:
    given = read_weights(contract.cell(stacked, model="on-val").path / "best.safetensors")
    assert given["a"].shape == (40, 4)
    notes = {row["model"]: row["notes"] for row in stacked.leaderboard.rows if row["kind"] == "measured"}
    assert "val used for fitting" in notes["on-val"]
    assert "val used" not in notes["stacked"]


def test_the_table_names_requirements_and_leaves_inner_folds_out(contract: Contract, stacked: RunResult) -> None:
    rows = [row for row in stacked.leaderboard.rows if row["kind"] == "measured"]
    assert sorted(row["model"] for row in rows) == ["link", "on-val", "stacked", "tiny", "tiny"]
    notes = next(row["notes"] for row in rows if row["model"] == "stacked")
    assert "requires a tiny (width=4, epochs=2), out of 3 folds, its scores" in notes


def test_a_chain_is_followed_to_its_end(contract: Contract) -> None:
    changes = {"link:model.options.further": 2}
    result = contract.run(models=["link"], seeds=1, set=changes, epochs=1, plugins=[REQUIRING])
    labels = [cell.record["label"].partition(" ·")[0] for cell in contract.cells(result)]
    assert labels == ["tiny", "link", "link (further=1)", "link (further=2)"]
    notes = next(row["notes"] for row in result.leaderboard.rows if "further = 2" in (row["notes"] or ""))
    assert "requires teacher link (further=1) ← teacher link ← teacher tiny" in notes


@pytest.mark.parametrize(
    ("models", "changes", "words"),
    [
        (["circle-a"], {}, "requires itself: circle-a → circle-b → circle-a"),
        (["link"], {"link:model.options.step": 0, "link:model.options.further": 1}, "requires itself: link"),
        (["link"], {"link:model.options.step": 1, "link:model.options.further": 1}, "chain of more than 20 models"),
        (["grandheir"], {"heir:recipe.batch_size": 8}, "heir is only required by others, and --set does not reach"),
        (["misnamed"], {}, "misnamed requires as teacher: There is no model 'tinny'. Did you mean 'tiny'"),
        (["misoptioned"], {}, "Did you mean 'width'"),
        (["in-sample"], {}, "in-sample: a gives scores of the samples on which it was trained"),
    ],
)
def test_what_cannot_be_required_is_refused(
    contract: Contract, models: list[str], changes: dict[str, object], words: str
) -> None:
    with pytest.raises(FerbenchError) as refused:
        contract.run(models=models, set=changes, plugins=[REQUIRING])
    assert words in str(refused.value)


def test_a_combination_whose_requirement_does_not_fit_is_skipped(contract: Contract) -> None:
    with pytest.raises(FerbenchError, match=r"of-flags on squares@official: it requires flagged as teacher"):
        contract.run(models=["of-flags"], seeds=1, plugins=[REQUIRING])


def test_val_scores_mark_the_row_and_test_scores_are_refused(contract: Contract) -> None:
    asked = contract.run(models=["asks"], seeds=1, plugins=[REQUIRING])
    notes = contract.cell(asked, model="asks").status["notes"]
    assert any("val used for fitting (scores of teacher)" in note for note in notes)
    for side, words in (("test", "given to nothing that trains"), ("out-of-fold", "Requirement(…, out_of_fold=5)")):
        refused = contract.run(models=["asks"], seeds=1, set={"asks:model.options.side": side}, plugins=[REQUIRING])
        cause = contract.cell(refused, model="asks", model_options={"side": side}).status["cause"]
        assert words in cause


def test_a_failure_reaches_the_end_of_a_chain_with_its_cause(contract: Contract) -> None:
    out = contract.out.with_name("grandheir")
    result = contract.run(out, models=["grandheir"], seeds=1, plugins=[REQUIRING])
    assert len(result.failed) == 3
    assert "this method is broken" in contract.cell(result, model="grandheir").status["cause"]


def test_epochs_of_a_required_network_make_another_row_of_what_needs_it(contract: Contract) -> None:
    results = [contract.run(models=["on-val"], seeds=1, epochs=epochs, plugins=[REQUIRING]) for epochs in (1, 2)]
    rows = {contract.cell(result, model="on-val").record["row_id"] for result in results}
    assert len(rows) == 2


def test_a_sampler_cleans_labels_by_out_of_fold_scores(contract: Contract) -> None:
    result = contract.run(models=["nearest"], samplers=["cleaned"], seeds=1, epochs=2, plugins=[REQUIRING])
    cell = contract.cell(result, model="nearest", sampler="cleaned")
    parts = [c.predictions().side("test") for c in contract.cells(result) if c.record["row"].get("inner")]
    doubted = {str(i) for part in parts for i in part.ids[part.scores.argmax(axis=1) != part.targets]}
    (removed,) = json.loads((cell.path / "sampler.json").read_text())["removed"]
    assert set(removed["ids"]) == doubted
    assert 0 < len(doubted) < 160


def test_inner_folds_are_not_evaluated_again_and_their_weights_can_go(contract: Contract, stacked: RunResult) -> None:
    inner = [cell for cell in contract.cells(stacked) if cell.record["row"].get("inner")]
    with pytest.raises(FerbenchError, match="only serves the out-of-fold scores"):
        evaluate_cell(inner[0], Wanted(), "cpu")
    freed = {
        item.path.parent.name: item.why for item in to_free(Store(stacked.out), "ranked") if "best" in item.path.name
    }
    assert {freed[cell.id] for cell in inner} == {"of an inner fold"}


def test_stages_that_are_asked_for_are_named_by_what_was_set() -> None:
    recipe = Recipe(stages=(Stage(epochs=2), Stage(epochs=1, sparsity=0.5)))
    configured = Configured(Model("net", recipe=recipe), recipe, {}, ("stages",), ("stages",))
    assert configured.shown == "net (stages=[{'epochs': 2}, {'epochs': 1, 'sparsity': 0.5}])"


def test_what_required_cells_have_seen_marks_those_that_need_them(contract: Contract) -> None:
    result = contract.run(models=["follows-follower", "on-peeking"], seeds=1, epochs=3, plugins=[REQUIRING])
    rows = {row["model"]: row for row in result.leaderboard.rows if row["kind"] == "measured"}
    for model in ("peeking", "follower", "follows-follower", "on-peeking"):
        assert (rows[model]["rank"], rows[model]["selection"]) == (None, "oracle"), model
        assert rows[model]["extra_data"] == "AffectNet", model
    assert rows["seen-val"]["rank"] is not None
    assert "oracle: weights of teacher follower chosen on the test set" in rows["follows-follower"]["notes"]
    assert "try-out: a peeking, 3 epochs instead of 1" in rows["on-peeking"]["notes"]
    facts = contract.cell(result, model="follows-follower").record["facts"]
    assert facts["val_in"] == ["teacher follower"]


def test_notes_of_a_finished_model_reach_what_needs_it() -> None:
    row = {"model": "packaged", "variant": "", "recipe": {}}
    warning = "WARNING: possibly trained on the test side"
    shared = "60 subjects on several sides"
    facts = {"extra_data": "squares", "inference_only": True, "deterministic": True, "notes": [warning, shared]}
    configured = {"teacher": Configured(Model("packaged"), Recipe(), {}, ())}
    found = inherited({"teacher": {"row": row, "facts": facts}}, configured, [shared])
    assert found.notes == (f"teacher packaged: {warning}",)


def test_scores_of_val_that_a_required_cell_was_trained_on_are_refused(contract: Contract) -> None:
    with pytest.raises(FerbenchError, match="fitted on the scores of val that a gives, and seen-val was itself"):
        contract.run(models=["on-known-val"], seeds=1, plugins=[REQUIRING])
    asked = contract.run(models=["asks-seen-val"], seeds=1, plugins=[REQUIRING])
    assert "was trained on val" in contract.cell(asked, model="asks-seen-val").status["cause"]


def test_seeds_matter_to_a_deterministic_model_exactly_where_they_matter_to_what_it_requires(
    contract: Contract,
) -> None:
    once = contract.run(models=["on-nearest"], seeds=2, plugins=[REQUIRING])
    assert [cell.record["seed"] for cell in contract.cells(once) if not cell.record["row"].get("inner")] == [0, 0]
    (row,) = [row for row in once.leaderboard.rows if row["model"] == "on-nearest"]
    assert "one seed" not in row["notes"]
    out = contract.out.with_name("lone")
    lone = contract.run(out, models=["on-val"], seeds=[7], epochs=1, plugins=[REQUIRING])
    (row,) = [row for row in lone.leaderboard.rows if row["model"] == "on-val"]
    assert "one seed: the interval leaves out the chance of training" in row["notes"]
