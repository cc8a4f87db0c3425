"""A try-out in this process: the numbers of a run, a row among the stored ones, and nothing left behind."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ferbench
from ferbench import InterruptedRunError, NetSpec, PluginError, Quick, Recipe, SettingsError, TrainingError
from ferbench.evaluating.scoring import read_weights
from ferbench.running.api import RunResult
from tests import contract_plugin
from tests.contract import PLUGIN, Contract


def quick(build: Any = None, **arguments: Any) -> Quick:
    """A try-out on the suite of the contract plugin, with one thread."""
    settings: dict[str, Any] = {"suite": "contract", "plugins": [PLUGIN], "device": "cpu", "verbose": False}
    settings |= {"recipe": contract_plugin.RECIPE, "set": {"run.threads": 1}} | arguments
    return ferbench.quick(build or (lambda spec: contract_plugin.Tiny(spec, 8)), **settings)


@pytest.fixture(scope="module")
def stored(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Two rows of a data set, and one of another."""
    out = tmp_path_factory.mktemp("stored")
    contract.run(out, models=["tiny"], datasets=["people@mixed-allowed"], seeds=1)
    return contract.run(out, models=["tiny", "nearest"], seeds=1)


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_its_numbers_are_those_of_a_run_bit_by_bit(contract: Contract, stored: RunResult) -> None:
    cell = contract.cell(stored, model="tiny", dataset="squares")
    found = quick(contract_plugin.build, options={"width": 8}, out=stored.out)

    kept = cell.predictions()
    assert found.predictions["id"].tolist() == kept.ids.tolist()
    scores = found.predictions[[f"p_{name}" for name in kept.classes]].to_numpy()
    assert scores.tobytes() == kept.scores.tobytes()
    assert found.metrics["test"] == cell.metrics()["test"]
    assert found.history["train_loss"].tolist() == [float(row["train_loss"]) for row in cell.history()]
    weights = read_weights(cell.path / "best.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in found.net.state_dict().items())


def test_its_row_stands_unranked_in_its_place_among_the_stored_ones(stored: RunResult) -> None:
    before = files_of(stored.out)
    found = quick(name="mine", epochs=1, out=stored.out)

    (block,) = found.board.blocks
    assert {row["model"] for row in block.rows} == {"mine", "tiny", "nearest"}
    scores = [row["accuracy_mean"] for row in block.rows]
    assert scores == sorted(scores, reverse=True)
    assert (found.row["model"], found.row["variant"], found.row["kind"]) == ("mine", "quick", "quick")
    assert found.row["rank"] is None
    assert "quick, unranked: its code is in no installed plugin" in found.row["notes"]
    ranks = {row["model"]: row["rank"] for row in stored.leaderboard.rows}
    assert {row["model"]: row["rank"] for row in block.rows if row["kind"] != "quick"} == ranks
    assert files_of(stored.out) == before
    assert "mine@quick" in str(found) and "nearest" in str(found)


def test_it_needs_no_store_and_makes_none(contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = quick(epochs=1, seeds=(0, 3), datasets=["squares", "flags"], recipe=Recipe(epochs=2))
    assert not list(tmp_path.iterdir())
    assert [row["seeds"] for row in found.rows] == [2]  # cross-entropy does not fit several labels
    assert any("flags" in caption for caption in found.board.captions)
    assert [training.seed for training in found.trainings] == [0, 3]


def test_a_network_class_and_a_limit_do(contract: Contract, tmp_path: Path) -> None:
    class Net(nn.Sequential):
        def __init__(self, spec: NetSpec) -> None:
            super().__init__(nn.Flatten(), nn.Linear(spec.size**2, spec.classes))

    found = quick(Net, limit=40, epochs=1, out=tmp_path)
    assert isinstance(found.net, Net) and not found.net.training
    assert found.row["model"] == "net"
    assert "trained on 40 training samples only" in found.row["notes"]


def test_nothing_of_this_program_is_changed(contract: Contract, tmp_path: Path) -> None:
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    expected = (torch.rand(1).item(), np.random.rand(), random.random())
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    environment, threads = dict(os.environ), torch.get_num_threads()
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(2)
        plain = quick(epochs=1, out=tmp_path, set={"run.threads": 1, "run.deterministic": True})
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found = quick(epochs=1, out=tmp_path)
        after = (torch.get_default_dtype(), torch.get_num_threads(), dict(os.environ))
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_num_threads(threads)
    assert after == (torch.float64, 2, environment)
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == expected
    assert found.predictions.equals(plain.predictions)


@pytest.mark.parametrize(
    ("arguments", "fault", "words"),
    [
        ({"build": nn.Identity()}, SettingsError, "build: is a network; each training needs a new one"),
        ({"build": "small-cnn"}, SettingsError, "is no function or class"),
        ({"recipe": {"epochs": 3}}, SettingsError, "recipe: is dict, not a ferbench.Recipe"),
        ({"options": {"layers": object}}, SettingsError, "options.layers: is no number"),
        ({"name": "../x"}, SettingsError, "'../x' is no name"),
        ({"epochs": 0}, SettingsError, "--epochs: 0 is too few"),
        ({"set": {"recipe.nothing": 1}}, SettingsError, "matches nothing in this run"),
        ({"suite": "no-suite"}, ferbench.UnknownNameError, "There is no suite 'no-suite'"),
        ({"build": lambda spec: None}, PluginError, "returned NoneType, not a torch.nn.Module"),
        ({"build": contract_plugin.build_raising}, TrainingError, "raised ValueError: this method is broken"),
    ],
)
def test_mistakes_are_told_as_those_of_a_run(
    contract: Contract, tmp_path: Path, arguments: dict[str, Any], fault: type[Exception], words: str
) -> None:
    with pytest.raises(fault) as raised:
        quick(**{"out": tmp_path, **arguments})
    assert words in str(raised.value)


def test_an_interrupt_is_told_and_leaves_nothing(contract: Contract, tmp_path: Path) -> None:
    class Interrupted(contract_plugin.Tiny):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyboardInterrupt

    state = torch.get_rng_state()
    with pytest.raises(InterruptedRunError, match="Nothing of a quick try-out is kept"):
        quick(lambda spec: Interrupted(spec, 8), out=tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert not list(tmp_path.iterdir())


def test_its_page_holds_text_alone(contract: Contract, tmp_path: Path) -> None:
    found = quick(epochs=1, out=tmp_path)
    html = found._repr_html_()
    assert "<table>" in html and "tiny" not in html
    (row,) = found.rows
    row["notes"], row["model"] = "<script>alert(1)</script>", "<b>&"
    html = found._repr_html_()
    assert "<script" not in html and "<b>&" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_example_of_its_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "quick.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example, {"__name__": "example"})
    told = capsys.readouterr().out
    assert "epoch 2:" in told and "mynet@quick" in told
