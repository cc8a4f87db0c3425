"""Finished models: scored under every protocol, marked, and never trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ferbench
from ferbench import DataError, SettingsError, StoreError, Weights
from ferbench.data.adding_weights import add_weights
from ferbench.evaluating.asked import parse_tta
from ferbench.evaluating.finished import probabilities
from ferbench.evaluating.further import Wanted, evaluate_cell, find_other
from ferbench.evaluating.predicting import predict_folder
from ferbench.plugins import discover
from ferbench.running.api import RunResult
from ferbench.running.plan import make_plan
from ferbench.running.request import Request
from ferbench.store.store import CellFolder, Store
from ferbench.suites import override
from tests.contract import PLUGIN, Contract
from tests.contract_plugin import squares
from tests.finished_models import linear_onnx, pipeline

OWN = Path(__file__).with_name("finished_plugin.py")
LEFT_OUT = ("pets", "one-shared", "unpacked", "unregistered", "outdated")
CLASSES = ("happiness", "sadness", "anger", "fear")


@pytest.fixture(scope="module")
def result(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Sound and faulty finished models; two seeds and two samplers are asked for."""
    folder = tmp_path_factory.mktemp("finished")
    linear_onnx(folder / "net.onnx", classes=4)
    linear_onnx(folder / "one.onnx", classes=4, batch=1)
    linear_onnx(folder / "soft.onnx", classes=4, softmax=True)
    for name in ("net", "one", "soft"):
        add_weights(Weights(name, "", "squares@official", "", classes=CLASSES), folder / f"{name}.onnx")
    pictures, labels, _ = squares()
    pipeline(folder / "pca.skops", pictures[:160].reshape(160, -1) / 255, np.array(CLASSES)[labels[:160]])
    add_weights(Weights("pca", "", "many squares", ""), folder / "pca.skops")
    families = ("onnx:net", "onnx:one", "onnx:soft", "sklearn:pca")
    return ferbench.run(
        "contract",
        out=folder / "out",
        plugins=[PLUGIN, OWN],
        models=["eye", "prepared", "shouting", *LEFT_OUT, *families],
        samplers=["plain", "halve"],
        seeds=2,
        limit=100,
        device="cpu",
        set={"run.threads": 1, "run.probe": False},
    )


def cell(result: RunResult, model: str) -> CellFolder:
    """The only cell of a model."""
    store = Store(result.out)
    cells = [store.cell(key) for key in store.run(result.run_id)["cells"]]
    (only,) = [each for each in cells if each.record["row"]["model"] == model]
    return only


def row(result: RunResult, model: str) -> Mapping[str, Any]:
    (only,) = [each for each in result.leaderboard.rows if each["model"] == model]
    return only


def test_a_finished_model_is_one_cell_that_trains_nothing(result: RunResult) -> None:
    eye = cell(result, "eye")
    assert (eye.state, eye.record["seed"], eye.record["row"]["limit"]) == ("done", 0, None)
    assert eye.status["train_seconds"] == 0
    assert eye.record["row"]["recipe"] == {} and eye.record["facts"]["n_train"] == 160
    assert not list(eye.path.glob("*.safetensors")) and not (eye.path / "history.csv").exists()
    assert list(eye.record["row"]["weights"]) == ["brought"] and len(eye.record["row"]["weights"]["brought"]) == 64
    assert set(eye.predictions().split) == {"val", "test"}


def test_its_classes_are_matched_and_what_was_lost_is_told(result: RunResult) -> None:
    test = cell(result, "eye").predictions().side("test")
    assert test.classes == CLASSES
    assert (test.scores[:, 3] == 0).all() and np.allclose(test.scores.sum(axis=1), 1)
    known = test.targets < 3
    assert (test.scores.argmax(axis=1) == test.targets)[known].all() and not known.all()
    assert cell(result, "eye").status["notes"] == [
        "it knows no fear: these get probability 0",
        "its disgust, contempt left out, the rest brought to a sum of one",
    ]


def test_its_row_is_ranked_and_says_what_it_is(result: RunResult) -> None:
    eye, prepared = row(result, "eye"), row(result, "prepared")
    assert (eye["kind"], eye["selection"], eye["seeds"], eye["train_seconds"]) == ("measured", "fixed", 1, 0)
    assert 1 <= eye["rank"] < prepared["rank"]
    assert eye["extra_data"] == "FER-2013 and Squares" and prepared["extra_data"] == "AffectNet"
    warning = "WARNING: possibly trained on the test side: its training data name this data set (FER-2013 and Squares)"
    assert f"{warning}; inference-only: trained elsewhere" in eye["notes"]
    assert "WARNING" not in prepared["notes"] and "inference-only" in prepared["notes"]
    assert "one seed" not in eye["notes"] and "--limit" not in eye["notes"]


def test_a_data_set_that_is_composed_of_its_training_data_warns_as_well(contract: Contract) -> None:
    request = Request("contract", ("compose:squares+demo",), ("eye",), ("plain",), plugins=(PLUGIN, OWN))
    (planned,) = make_plan(request, discover(files=[PLUGIN, OWN])).cells
    warning = "WARNING: possibly trained on the test side: its training data name squares (FER-2013 and Squares)"
    assert planned.record["facts"]["notes"][0] == warning


def test_what_cannot_be_scored_is_skipped_with_the_mend(result: RunResult) -> None:
    skipped = Store(result.out).run(result.run_id)["skipped"]
    sampled = "nothing of a finished model is trained, so a sampler makes no difference"
    told = {each["what"].partition(" ")[0]: each["why"] for each in skipped if each["why"] != sampled}
    assert {"what": "eye on squares@official", "why": sampled} in skipped
    assert told["pets"].startswith("it shares no class with the data: it tells cat, dog apart")
    assert told["one-shared"].startswith("it shares only the class happiness")
    assert told["unpacked"].endswith("package no_such_module, which is not installed: pip install no-such-package")
    assert "https://example.org/far.onnx; then `ferbench data add far-away PATH`" in told["unregistered"]
    assert "is another file than 'other'" in told["outdated"] and told["outdated"].endswith("pip install numpy==0")


def test_scores_that_are_no_probabilities_fail_the_cell(result: RunResult) -> None:
    failed = cell(result, "shouting")
    assert failed.state == "failed"
    assert "gave scores that are no probabilities for 40 of 40 samples" in failed.status["cause"]


def test_an_onnx_file_scores_as_its_graph_does_whatever_its_batch(result: RunResult) -> None:
    net = cell(result, "onnx:net")
    pictures, labels, _ = squares()
    tested = pictures[200:] / 255
    logits = np.stack([tested[:, y : y + 4, x : x + 4].sum(axis=(1, 2)) for y in (0, 4) for x in (0, 4)])
    shares = np.exp(logits.T) / np.exp(logits.T).sum(axis=1, keepdims=True)
    test = net.predictions().side("test")
    order = np.argsort(test.ids)
    assert np.allclose(test.scores[order], shares, atol=1e-5)
    assert np.allclose(cell(result, "onnx:one").predictions().scores, net.predictions().scores, atol=1e-6)
    assert net.metrics()["test"]["accuracy"] == (logits.argmax(axis=0) == labels[200:]).mean()
    assert row(result, "onnx:net")["params"] == 256
    assert "package onnxruntime" in net.record["row"]["weights"]


def test_probabilities_taken_for_logits_are_found_out(result: RunResult) -> None:
    cause = cell(result, "onnx:soft").status["cause"]
    assert "probabilities already, and not logits: give --set model.options.scores=probabilities" in cause


def test_a_pipeline_scores_as_it_does_by_itself(result: RunResult) -> None:
    pca = cell(result, "sklearn:pca")
    assert (pca.state, pca.status["notes"]) == ("done", [])
    assert pca.metrics()["test"]["accuracy"] > 0.9
    assert row(result, "sklearn:pca")["extra_data"] == "many squares"


def test_it_is_evaluated_on_other_data_and_predicts_pictures(result: RunResult, tmp_path: Path) -> None:
    eye = cell(result, "eye")
    installed = discover(files=[PLUGIN, OWN])
    found = evaluate_cell(eye, Wanted(other=find_other(installed, "people")), "cpu")
    assert found["metrics"]["test"]["accuracy"] > 0.5
    with pytest.raises(StoreError, match="it is a finished model; test-time views do not apply to it"):
        evaluate_cell(eye, Wanted(tta=parse_tta("flip")), "cpu")
    with pytest.raises(StoreError, match="it is a finished model; it has no last weights"):
        evaluate_cell(eye, Wanted(weights="last"), "cpu")
    picture = np.zeros((8, 8), np.uint8)
    picture[:4, 4:] = 200
    (tmp_path / "faces").mkdir()
    Image.fromarray(picture).save(tmp_path / "faces" / "one.png")
    assert predict_folder(eye, tmp_path / "faces", tmp_path / "scores.csv", "cpu").scored == 1
    header, line = (tmp_path / "scores.csv").read_text().splitlines()
    assert header == "path,happiness,sadness,anger,fear,prediction" and line.endswith(",sadness")


def test_weights_that_were_registered_anew_are_not_taken_for_the_former(result: RunResult, tmp_path: Path) -> None:
    linear_onnx(tmp_path / "other.onnx", classes=4, channels=3)
    net = cell(result, "onnx:net")
    kept = evaluate_cell(net, Wanted(), "cpu")
    assert kept["metrics"]["test"] == net.metrics()["test"]
    add_weights(Weights("net", "", "other squares", "", classes=CLASSES), tmp_path / "other.onnx")
    with pytest.raises(DataError, match=r"'net' are of another file .* than this cell was planned with"):
        evaluate_cell(net, Wanted(other=find_other(discover(files=[PLUGIN, OWN]), "people")), "cpu")


def test_a_finished_model_is_nothing_to_begin_with(result: RunResult) -> None:
    request = Request(
        suite="contract",
        models=("tiny",),
        overrides=(override("recipe.init_from", {"weights": "one"}),),
        plugins=(PLUGIN,),
    )
    with pytest.raises(SettingsError, match="'one' are a finished model: evaluate it as the model onnx:one"):
        make_plan(request, discover(files=[PLUGIN]))


def test_raw_pictures_have_no_preparation_to_override(result: RunResult) -> None:
    request = Request(
        suite="contract",
        models=("eye",),
        overrides=(override("recipe.input.size", 16),),
        plugins=(PLUGIN, OWN),
    )
    with pytest.raises(SettingsError, match=r"recipe.input.size: matches nothing"):
        make_plan(request, discover(files=[PLUGIN, OWN]))


def test_scores_of_another_shape_are_named() -> None:
    model = discover(only=[], files=[OWN]).model("eye")

    class Narrow:
        def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
            return np.ones((len(inputs["image"]), 1))

    with pytest.raises(ferbench.TrainingError, match=r"returned scores of shape \(2, 1\), not \(2, 5\)"):
        probabilities(model, Narrow(), {"image": np.zeros((2, 8, 8, 1))})
