"""Files of finished models: checked when they are registered, and refused where they could do harm."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import joblib
import numpy as np
import onnx
import pytest
import skops.io
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ferbench import DataError, SettingsError, UnknownNameError, Weights
from ferbench.data.adding_weights import add_weights
from ferbench.data.provenance import described
from ferbench.data.weights import RegisteredWeights, load_weights, status_of
from ferbench.plugins import discover
from tests.finished_models import NAMES, linear_onnx, pipeline, with_data_at


def add(path: Path, *classes: str, name: str = "mine") -> RegisteredWeights:
    return add_weights(described(name, path, {}, "some faces", classes), path)[0]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    linear_onnx(path)
    return path


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    pixels = np.random.default_rng(0).random((60, 64)).astype(np.float32)
    return pixels, np.array(NAMES)[np.arange(60) % 3]


def test_an_onnx_file_is_kept_as_it_is_with_what_it_takes_and_gives(net: Path) -> None:
    meta = add(net, *NAMES)
    assert (meta.format, meta.classes, meta.parameters, meta.tensors) == ("onnx", NAMES, 192, 1)
    assert meta.interface["scores"] == "logits"
    assert (meta.interface["input"]["size"], meta.interface["input"]["channels"]) == (8, 1)
    assert meta.path.suffix == ".onnx" and status_of("mine").meta == meta
    again, already = add_weights(described("mine", net, {}, "some faces", NAMES), net)
    assert (again, already) == (meta, True)
    model = discover().model("onnx:mine")
    assert (model.classes, model.recipe.input.size, model.extra_data) == (NAMES, 8, "")
    assert model.weights[0].trained_on == "some faces"
    with pytest.raises(DataError, match=r"'mine' are a finished model \(onnx\), not tensors"):
        load_weights("mine", meta.sha256)


def test_what_a_file_does_not_say_stands_on_the_card_beside_it(net: Path) -> None:
    card = net.parent / "net.onnx.toml"
    card.write_text('trained_on = "AffectNet"\nclasses = ["happy", "sad", "angry"]\nscores = "probabilities"\n')
    with card.open("a") as stream:
        stream.write('[input]\nnormalise = "imagenet"\n')
    meta, _ = add_weights(described("mine", net, {}), net)
    assert (meta.trained_on, meta.classes, meta.interface["scores"]) == ("AffectNet", NAMES, "probabilities")
    assert meta.interface["input"]["normalise"] == "imagenet"
    assert discover().model("onnx:mine").options.model_dump() == {"scores": "probabilities"}
    card.write_text("[input]\nsize = 99\n")
    with pytest.raises(DataError, match=r"says input.size = 99, and the file itself takes 8"):
        add(net, *NAMES)
    card.write_text('class = "happy"')
    with pytest.raises(SettingsError, match="unknown key"):
        add(net, *NAMES)


def test_every_score_needs_a_name(net: Path) -> None:
    with pytest.raises(DataError, match=r"gives 3 scores, and it does not say what they mean.*--classes a,b,c"):
        add(net)
    with pytest.raises(DataError, match=r"gives 3 scores, and 2 are named: happy, sad"):
        add(net, "happy", "sad")


def test_data_beside_an_onnx_file_are_kept_within_it_and_belong_to_its_identity(net: Path) -> None:
    whole = add(net, *NAMES)
    model = onnx.load(str(net))
    onnx.save(model, str(net), save_as_external_data=True, location="net.data", size_threshold=0)
    first = add(net, *NAMES)
    assert first.notes == ("its data (net.data) are kept within it",)
    assert first.sha256 != whole.sha256 and first.path.read_bytes() == whole_bytes(whole, first)
    content = (net.parent / "net.data").read_bytes()
    (net.parent / "net.data").write_bytes(content[:-1] + b"\1")
    assert add(net, *NAMES).sha256 != first.sha256


def whole_bytes(whole: RegisteredWeights, kept: RegisteredWeights) -> bytes:
    """The kept file, if it loads without anything beside it."""
    assert not whole.path.exists(), "the former file of that name is gone"
    model = onnx.load(str(kept.path))
    assert model.graph.initializer[0].raw_data
    return kept.path.read_bytes()


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "sub/net.data", "..", "", "a\\b"])
def test_data_outside_of_its_own_folder_are_never_read(net: Path, location: str) -> None:
    with_data_at(net, location)
    with pytest.raises(DataError, match="outside of its own folder, so it is not read"):
        add(net, *NAMES)
    assert status_of("mine").state == "missing"


def test_data_behind_a_link_or_nowhere_are_refused(net: Path) -> None:
    with_data_at(net, "net.data")
    with pytest.raises(DataError, match=r"keeps its data in 'net.data', which is not beside it"):
        add(net, *NAMES)
    (net.parent / "net.data").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="outside of its own folder"):
        add(net, *NAMES)
    (net.parent / "net.data").unlink()
    (net.parent / "net.data").write_bytes(b"short")
    with pytest.raises(DataError, match="cannot be"):
        add(net, *NAMES)


def test_data_of_inner_tensors_are_found_too(net: Path) -> None:
    model = onnx.load(str(net))
    hidden = helper.make_tensor("hidden", TensorProto.FLOAT, [1], [0.0])
    hidden.ClearField("float_data")
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="../secret")
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=hidden))
    net.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="outside of its own folder"):
        add(net, *NAMES)


def test_graphs_that_do_not_turn_pictures_into_scores_are_refused(net: Path) -> None:
    net.write_bytes(net.read_bytes()[:40])
    with pytest.raises(DataError, match=r"damaged ONNX file|cannot be run by onnxruntime"):
        add(net, *NAMES)
    model = linear_onnx(net)
    model.graph.node[0].domain = "unknown.domain"
    net.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="cannot be run by onnxruntime"):
        add(net, *NAMES)
    model = linear_onnx(net)
    shape = model.graph.input[0].type.tensor_type.shape
    shape.dim[1].dim_value, shape.dim[2].dim_value = 8, 1
    net.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=r"one input float \[n, channels, size, size\] is wanted"):
        add(net, *NAMES)


def test_a_pipeline_says_its_classes_and_its_pictures_itself(
    tmp_path: Path, rows: tuple[np.ndarray, np.ndarray]
) -> None:
    path = tmp_path / "lda.skops"
    pipeline(path, *rows)
    meta = add(path)
    assert (meta.format, meta.classes) == ("skops", tuple(sorted(NAMES)))
    assert (meta.interface["input"]["size"], meta.interface["input"]["channels"]) == (8, 1)
    assert discover().model("sklearn:mine").recipe.input.size == 8
    numbers = make_pipeline(LogisticRegression()).fit(rows[0][:, :48], np.arange(60) % 3)
    skops.io.dump(numbers, path)
    with pytest.raises(DataError, match="it does not say what they mean"):
        add(path)
    meta = add(path, *NAMES)
    assert (meta.interface["input"]["size"], meta.interface["input"]["channels"], meta.classes) == (4, 3, NAMES)


def test_pipelines_that_could_run_code_are_refused(tmp_path: Path, rows: tuple[np.ndarray, np.ndarray]) -> None:
    path = tmp_path / "evil.skops"
    evil = make_pipeline(FunctionTransformer(os.system), LogisticRegression())
    skops.io.dump(evil, path)
    with pytest.raises(DataError, match=r"holds posix.system, which may run code when it is restored, so it is not"):
        add(path)
    joblib.dump(LogisticRegression().fit(*rows), tmp_path / "model.joblib")
    with pytest.raises(DataError, match=r"is a pickle.*skops.io.dump\(joblib.load\('model.joblib'\), 'model.skops'\)"):
        add(tmp_path / "model.joblib")
    assert status_of("mine").state == "missing"


def test_pipelines_without_probabilities_or_pictures_are_refused(
    tmp_path: Path, rows: tuple[np.ndarray, np.ndarray]
) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(RidgeClassifier().fit(*rows), path)
    with pytest.raises(DataError, match=r"RidgeClassifier, which gives no probabilities.*CalibratedClassifierCV"):
        add(path)
    skops.io.dump(LogisticRegression().fit(rows[0][:, :63], rows[1]), path)
    with pytest.raises(DataError, match="takes 63 features, which are no square picture"):
        add(path)
    skops.io.dump(LogisticRegression(), path)
    with pytest.raises(DataError, match="or is not fitted"):
        add(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", "[]")
    with pytest.raises(DataError, match="cannot be read by skops"):
        add(path)


def test_an_unpacked_size_beyond_reason_is_refused(
    tmp_path: Path, rows: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.skops"
    pipeline(path, *rows)
    monkeypatch.setattr("ferbench.data.finished.SKOPS_BYTES", 1000)
    with pytest.raises(DataError, match=r"claims to hold .* more than 1,000 are not read"):
        add(path)


def test_names_of_the_families_are_those_of_registered_files_of_their_kind(net: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"onnx:mine names no registered onnx file.*data add mine FILE.onnx"):
        discover().model("onnx:mine")
    add(net, *NAMES)
    with pytest.raises(UnknownNameError, match=r"sklearn:mine names no registered skops file \('mine' is onnx\)"):
        discover().model("sklearn:mine")
    with pytest.raises(UnknownNameError, match="Did you mean 'mine'"):
        discover().model("onnx:mime")


def test_what_a_package_brings_is_never_registered(net: Path) -> None:
    brought = Weights("brought", "a file", "faces", "pip install it", packaged="numpy/py.typed")
    with pytest.raises(DataError, match=r"never registered, a package brings it: install a file: pip install it"):
        described("brought", net, {"brought": brought})
