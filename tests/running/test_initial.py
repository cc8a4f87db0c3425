"""Trainings that begin with registered weights, or with a required cell."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ferbench import NetSpec, SettingsError, TrainingError, UnknownNameError, Weights
from ferbench.data.adding_weights import add_weights
from ferbench.data.provenance import described
from ferbench.data.weights import weights_root
from ferbench.evaluating.further import Wanted, evaluate_cell
from ferbench.evaluating.setup import Setup
from ferbench.nouns.initial import InitFrom
from ferbench.plugins import discover
from ferbench.running.api import RunResult
from ferbench.running.beginning import begin
from ferbench.running.plan import make_plan
from ferbench.running.planned import Plan
from ferbench.running.request import Request
from ferbench.store.store import CellFolder
from ferbench.suites import override
from tests.contract import PLUGIN, Contract
from tests.contract_plugin import CLASSES, Tiny

SPEC = NetSpec(classes=4, channels=1, size=8)

START = {"weights": "tiny-start"}


@pytest.fixture(scope="module")
def start(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Weights of the network ``tiny`` for four classes, registered as ``tiny-start``."""
    torch.manual_seed(11)
    state = dict(Tiny(SPEC, 8).state_dict())
    path = tmp_path_factory.mktemp("weights") / "start.pth"
    torch.save({"state_dict": state}, path)
    add_weights(Weights("tiny-start", "", "many squares", "", classes=CLASSES), path)
    return state


@pytest.fixture(scope="module")
def begun(contract: Contract, start: Mapping[str, torch.Tensor]) -> RunResult:
    """A transfer, a linear probe, a student that goes on from its teacher, and weights that fit nowhere."""
    return contract.run(
        contract.out.with_name("begun"),
        models=["tiny", "tiny@wide", "staged", "student"],
        seeds=1,
        set={
            "tiny:recipe.init_from": START,
            "tiny@wide:recipe.init_from": START,
            "staged:recipe.init_from": START,
            "staged:recipe.stages": [{"epochs": 2, "trainable": ["head.*"]}],
            "student:recipe.init_from": {"role": "teacher", "mode": "continue"},
        },
    )


def started(contract: Contract, begun: RunResult, model: str) -> CellFolder:
    return next(
        cell
        for cell in contract.cells(begun)
        if cell.record["row"]["model"] == model and cell.record["row"]["recipe"]["init_from"] is not None
    )


def test_a_transfer_is_part_of_the_row_and_told_in_status_notes_and_log(contract: Contract, begun: RunResult) -> None:
    cell = started(contract, begun, "tiny")
    row, status = cell.record["row"], cell.status
    assert list(row["weights"]) == ["tiny-start"] and len(row["weights"]["tiny-start"]) == 64
    assert cell.record["facts"]["extra_data"] == "many squares"
    assert status["initial"] == {
        "from": "the weights 'tiny-start'",
        "mode": "transfer",
        "counts": {"loaded": 2, "adapted": 0, "left_out": 2, "mismatched": 0, "missing": 0, "unused": 0},
    }
    note = "began with the weights 'tiny-start' (transfer): 2 tensors loaded, 2 of the last layer left out"
    assert note in status["notes"]
    log = (cell.path / "log.txt").read_text()
    assert "loaded (2): body.0.weight, body.0.bias" in log and "left out (2): head.weight, head.bias" in log
    rows = [row for row in begun.leaderboard.rows if row["model"] == "tiny" and row["extra_data"]]
    assert [row["extra_data"] for row in rows] == ["many squares"]


def test_a_linear_probe_keeps_what_was_loaded(
    contract: Contract, begun: RunResult, start: Mapping[str, torch.Tensor]
) -> None:
    cell = started(contract, begun, "staged")
    assert cell.state == "done"
    last = load_file(cell.path / "last.safetensors")
    assert torch.equal(last["body.0.weight"], start["body.0.weight"])
    assert not torch.equal(last["head.weight"], start["head.weight"])


def test_a_cell_goes_on_from_the_one_that_it_requires(contract: Contract, begun: RunResult) -> None:
    cell = started(contract, begun, "student")
    assert cell.status["initial"]["from"] == "the required cell 'teacher'"
    assert cell.status["initial"]["counts"]["loaded"] == 4
    assert cell.record["row"]["weights"] == {}
    assert cell.record["facts"]["extra_data"] == "", "it has seen the row's own training data, and nothing else"


def test_weights_of_another_architecture_fail_the_cell_with_names_of_both(contract: Contract, begun: RunResult) -> None:
    (failed,) = begun.failed
    cause = CellFolder(begun.out / "cells" / failed).status["cause"]
    assert "Nothing of the weights 'tiny-start' fits this network" in cause
    assert "body.0.weight [16, 1, 3, 3]" in cause and "body.0.weight [8, 1, 3, 3]" in cause


def test_a_finished_cell_is_scored_where_its_first_weights_are_gone(
    contract: Contract, begun: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = started(contract, begun, "tiny")
    elsewhere = tmp_path / "data"
    shutil.copytree(weights_root("x").parents[1], elsewhere)
    shutil.rmtree(elsewhere / "weights")
    monkeypatch.setenv("FERBENCH_DATA", str(elsewhere))
    kept = evaluate_cell(cell, Wanted(), "cpu")
    np.testing.assert_array_equal(cell.predictions(kept["evaluation"]).scores, cell.predictions().scores)


def test_training_continues_from_a_finished_cell_s_file(contract: Contract, begun: RunResult) -> None:
    before = started(contract, begun, "tiny")
    path = before.path / "best.safetensors"
    add_weights(described("tiny-further", path, {}), path)
    again = {"recipe.init_from": {"weights": "tiny-further", "mode": "continue"}}
    result = contract.run(
        contract.out.with_name("further"),
        datasets=["squares", "squares@two-classes"],
        models=["tiny"],
        seeds=1,
        epochs=1,
        set=again,
    )
    (cell,) = contract.cells(result)
    assert cell.record["facts"]["extra_data"] == "squares@official, many squares"
    assert cell.status["initial"]["counts"]["loaded"] == 4
    assert float(cell.history()[0]["val_score"]) >= float(before.history()[0]["val_score"])
    skipped = json.loads((result.out / "runs" / f"{result.run_id}.json").read_text())["skipped"]
    assert "two-classes" in skipped[0]["what"]
    assert "cannot continue from the weights 'tiny-further': they were trained on other classes" in skipped[0]["why"]


def setup_for(recipe: InitFrom, classes: tuple[str, ...] = CLASSES) -> Setup:
    """As much of a cell as the loading of weights looks at."""
    digest = json.loads((weights_root("tiny-start") / "meta.json").read_text())["sha256"]
    return cast(
        "Setup",
        SimpleNamespace(
            recipe=SimpleNamespace(init_from=recipe),
            record={"row": {"weights": {"tiny-start": digest}}, "requires": {}},
            model=SimpleNamespace(weights=()),
            classes=classes,
        ),
    )


def test_a_training_that_goes_on_after_a_stop_loads_nothing_again(
    start: Mapping[str, torch.Tensor], tmp_path: Path
) -> None:
    setup, folder = setup_for(InitFrom(weights="tiny-start", mode="continue")), CellFolder(tmp_path)
    net = Tiny(SPEC, 8)
    first = begin(setup, folder, net, SPEC, lambda: False)
    assert torch.equal(net.head.weight, start["head.weight"])
    resumed = Tiny(SPEC, 8)
    assert begin(setup, folder, resumed, SPEC, lambda: True) == first
    assert not torch.equal(resumed.head.weight, start["head.weight"])
    begin(setup, folder, resumed, SPEC, lambda: False)
    assert torch.equal(resumed.head.weight, start["head.weight"]), "a damaged state begins anew"


def test_a_network_that_extends_what_was_trained_says_what_is_its_own(
    start: Mapping[str, torch.Tensor], tmp_path: Path
) -> None:
    net = Tiny(SPEC, 8)
    net.own = torch.nn.Linear(2, 2)
    begun = begin(
        setup_for(InitFrom(weights="tiny-start", mode="extend")), CellFolder(tmp_path), net, SPEC, lambda: False
    )
    assert torch.equal(net.head.weight, start["head.weight"])
    assert begun.notes == ("began with the weights 'tiny-start' (extend): 4 tensors loaded, 2 of its own besides",)


@pytest.mark.parametrize("mode", ["continue", "extend"])
def test_classes_in_another_order_are_refused_also_by_the_cell(
    start: Mapping[str, torch.Tensor], tmp_path: Path, mode: Literal["continue", "extend"]
) -> None:
    setup = setup_for(InitFrom(weights="tiny-start", mode=mode), tuple(reversed(CLASSES)))
    with pytest.raises(
        TrainingError, match="cannot continue from the weights 'tiny-start': their classes come in another"
    ):
        begin(setup, CellFolder(tmp_path), Tiny(SPEC, 8), SPEC, lambda: False)


NAMING = """
from ferbench import NetSpec, Recipe, Weights

FACES = Weights("faces", "a network for faces", "a million faces", "example.org", sha256="{sha256}", licence="own")

@hookimpl
def ferbench_models():
    recipe = Recipe(init_from={{"weights": "faces"}})
    yield Model("named", build="tests.contract_plugin:build", recipe=recipe, weights=(FACES,), extra_data="{extra}")
    yield Model("heir-of-faces", build="tests.contract_plugin:build", requires={{"start": "named"}},
                recipe=Recipe(init_from={{"role": "start"}}))
"""


def planned(*models: str, **recipe: Any) -> Plan:
    """Plan these models (default: ``tiny``) with parts of their recipes replaced."""
    models = models or ("tiny",)
    changes = tuple(override(f"recipe.{key}", value) for key, value in recipe.items())
    request = Request("contract", datasets=("squares",), models=models, plugins=(PLUGIN,), overrides=changes)
    return make_plan(request, discover(files=[PLUGIN]))


def test_weights_that_are_missing_skip_their_models_and_what_requires_them(
    contract: Contract, install: Callable[..., Path]
) -> None:
    install("naming", NAMING.format(sha256="", extra=""))
    plan = planned("tiny", "named", "heir-of-faces")
    assert {cell.record["row"]["model"] for cell in plan.cells} == {"tiny"}
    why = (
        "the weights 'faces' are not on this machine: get a network for faces (licence: own): example.org; "
        "then `ferbench data add faces PATH`"
    )
    assert {item.what: item.why for item in plan.skipped} == {
        "named on squares@official": why,
        "heir-of-faces on squares@official": why,
    }
    with pytest.raises(SettingsError, match=r"nothing to run:\n.*ferbench data add faces PATH"):
        planned("named")


def test_what_weights_have_seen_is_extra_data_of_the_row_and_of_its_heirs(
    contract: Contract, install: Callable[..., Path], start: Mapping[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "faces.pth"
    torch.save(dict(start), path)
    meta, _ = add_weights(Weights("faces", "", "told otherwise", ""), path)
    install("naming", NAMING.format(sha256=meta.sha256, extra="a video"))
    try:
        plan = planned("named", "heir-of-faces")
        found = {cell.record["row"]["model"]: cell.record for cell in plan.cells}
        assert found["named"]["row"]["weights"] == {"faces": meta.sha256}
        assert found["named"]["facts"]["extra_data"] == "a video, a million faces"
        assert found["heir-of-faces"]["facts"]["extra_data"] == "a video, a million faces"
        torch.save({"other": torch.ones(1)}, path)
        add_weights(Weights("faces", "", "told otherwise", ""), path)
        with pytest.raises(SettingsError, match="the registered weights 'faces' are not the published file"):
            planned("named")
    finally:
        shutil.rmtree(weights_root("faces"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"weights": "tiny-stort"}, "there are no weights 'tiny-stort'. Did you mean 'tiny-start'.*--trained-on"),
        ({"role": "teacher"}, "recipe.init_from.role: the model requires no 'teacher'. It requires no cells"),
        ({}, "either registered weights or the role of a required cell"),
        ({"weights": "a", "role": "b"}, "and not both"),
    ],
)
def test_a_source_that_is_not_there_is_named(
    contract: Contract, start: Mapping[str, torch.Tensor], source: dict[str, str], words: str
) -> None:
    with pytest.raises((UnknownNameError, SettingsError), match=words):
        planned(init_from=source)


def test_a_role_that_is_misspelt_is_named(contract: Contract) -> None:
    with pytest.raises(SettingsError, match=r"requires no 'techer'. Did you mean 'teacher'.*It requires: teacher"):
        planned("student", init_from={"role": "techer"})


def test_other_weights_make_another_row(contract: Contract, start: Mapping[str, torch.Tensor]) -> None:
    plain = planned().cells[0].record
    begun = planned(init_from=START).cells[0].record
    assert plain["row"]["weights"] == {} and plain["row_id"] != begun["row_id"]


def test_views_that_a_recipe_cannot_give_are_named_when_a_run_is_planned(contract: Contract) -> None:
    with pytest.raises(SettingsError, match=r"tiny: recipe.tta: random views are draws of the recipe's augmentation"):
        planned(augmentation=[], tta={"name": "random"})
    assert planned(tta={"name": "random"}).cells[0].record["row"]["recipe"]["tta"]["count"] == 10
