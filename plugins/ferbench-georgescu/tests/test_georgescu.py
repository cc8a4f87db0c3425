"""Local learning over features and words: machines, networks, requirements and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ferbench_georgescu
import numpy as np
import pytest
import torch
from ferbench_georgescu.combined import combined, coordinates
from ferbench_georgescu.estimators import LocalLearner
from ferbench_georgescu.network import VGGF, VGGFace
from scipy import sparse
from sklearn.svm import LinearSVC

from ferbench import FitContext, Model, NetSpec, Options, Reported, SettingsError, TrainingData, TrainingError
from ferbench.nouns.requirement import requirements_of

MODELS: dict[str, Model] = {model.full_name: model for model in ferbench_georgescu.ferbench_models()}
CLASSES = ("a", "b", "c")
CONTEXT = FitContext(0, 1, CLASSES, "single-label", Options())
LOCAL: dict[str, Any] = {"neighbours": 20, "cost": 10.0, "words": 0, "step": 5, "cell": 4, "levels": 2}


def _curved(count: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Points around a circle whose class changes with every twelfth of it: no line through all tells them apart."""
    rng = np.random.default_rng(seed)
    angle = rng.random(count) * 2 * np.pi
    targets = (angle / (2 * np.pi) * 12).astype(int) % 3
    member = np.stack([np.cos(angle), np.sin(angle), np.full(count, 0.2)], axis=1).astype(np.float32)
    noise = rng.normal(0, 1, (count, 4)).astype(np.float32) * 0.01 + 1
    return {"member-01": member, "member-02": noise, "image": np.zeros((count, 1, 24, 24), np.float32)}, targets


def _striped(count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Pictures of stripes across or down, and a member that knows nothing."""
    rng = np.random.default_rng(0)
    targets = np.arange(count) % 2
    wave = 0.5 + 0.5 * np.sin(np.arange(24) + rng.random((count, 1)) * 6)
    across = np.repeat(wave[:, :, None], 24, axis=2)
    pictures = np.where(targets[:, None, None] == 0, across, across.transpose(0, 2, 1))[:, None]
    return {"member-01": rng.normal(size=(count, 6)).astype(np.float32), "image": pictures.astype(np.float32)}, targets


def _fitted(inputs: dict[str, np.ndarray], targets: np.ndarray, **changes: Any) -> LocalLearner:
    learner = LocalLearner(**LOCAL | changes)
    learner.fit(TrainingData(inputs, targets), CONTEXT)
    return learner


def test_local_machines_tell_apart_what_one_machine_for_all_cannot() -> None:
    (training, targets), (test, truth) = _curved(400, 0), _curved(100, 1)
    right = {
        neighbours: (_fitted(training, targets, neighbours=neighbours).predict(test).argmax(1) == truth).mean()
        for neighbours in (0, 20)
    }
    assert right[20] > 0.9
    assert right[0] < 0.6


def test_words_of_the_pictures_help_where_the_members_know_nothing() -> None:
    inputs, targets = _striped(80)
    training, test = ({name: x[part] for name, x in inputs.items()} for part in (slice(0, 60), slice(60, 80)))
    for neighbours in (0, 20):
        with_words = _fitted(training, targets[:60], words=12, neighbours=neighbours).predict(test)
        assert (with_words.argmax(1) == targets[60:]).mean() > 0.9
    without = _fitted(training, targets[:60]).predict(test)
    assert (without.argmax(1) == targets[60:]).mean() < 0.9


@pytest.mark.parametrize("neighbours", [0, 20])
def test_members_whose_units_have_all_died_leave_the_share_of_each_class(neighbours: int) -> None:
    inputs = {"member-01": np.zeros((40, 6), np.float32), "image": np.zeros((40, 1, 24, 24), np.float32)}
    scores = _fitted(inputs, np.arange(40) % 2, neighbours=neighbours).predict(inputs)
    assert np.allclose(scores, [[0.5, 0.5, 0.0]], atol=0.01)


@pytest.mark.parametrize("neighbours", [0, 15])
def test_it_comes_back_from_its_state_and_each_picture_stands_alone(neighbours: int) -> None:
    inputs, targets = _striped(60)
    learner = _fitted(inputs, targets, words=8, neighbours=neighbours)
    again = LocalLearner(**LOCAL | {"words": 8, "neighbours": neighbours})
    again.restore(*learner.state())
    scores = learner.predict(inputs)
    assert np.array_equal(again.predict(inputs), scores)
    assert scores.shape == (60, 3)
    assert np.allclose(scores.sum(axis=1), 1)
    assert not scores[:, 2].any(), "no training picture has the class"
    alone = learner.predict({name: x[7:8] for name, x in inputs.items()})
    assert np.allclose(alone[0], scores[7], rtol=1e-4)


def test_pictures_of_no_weight_are_no_neighbours() -> None:
    inputs, targets = _curved(200, 0)
    wrong = np.concatenate([targets, (targets + 1) % 3])
    doubled = {name: np.concatenate([x, x]) for name, x in inputs.items()}
    weights = np.repeat([1.0, 0.0], 200)
    learner = LocalLearner(**LOCAL)
    learner.fit(TrainingData(doubled, wrong, weights), CONTEXT)
    assert np.array_equal(learner.predict(inputs), _fitted(inputs, targets).predict(inputs))


def test_each_member_counts_the_same_whatever_its_scale_and_rows_have_length_one() -> None:
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=(9, 5)).astype(np.float32), rng.normal(size=(9, 300)).astype(np.float32)
    words = sparse.csr_array(np.eye(9))
    plain, scaled = combined([small, large], words), combined([small, large * 1000], words)
    assert np.allclose(plain.deep, scaled.deep, atol=1e-3)
    assert np.allclose(np.diag(plain.products(plain)), 1, atol=1e-3)
    assert np.allclose(plain.joined().toarray() @ plain.joined().toarray().T, plain.products(plain), atol=1e-6)
    assert np.isfinite(combined([np.zeros((2, 3), np.float32)], None).deep).all()


def test_a_machine_in_the_span_of_its_rows_is_the_machine_in_all_dimensions() -> None:
    rng = np.random.default_rng(1)
    rows, other = rng.normal(size=(30, 400)), rng.normal(size=(8, 400))
    labels = np.arange(30) % 3
    points, seen = coordinates(rows @ rows.T, other @ rows.T)
    assert points.shape[1] <= 30
    whole, inner = (LinearSVC(C=0.01, tol=1e-8, max_iter=100_000, random_state=0) for _ in range(2))
    expected = whole.fit(rows, labels).decision_function(other)
    assert np.allclose(inner.fit(points, labels).decision_function(seen), expected, atol=1e-4)


def test_one_class_and_coloured_or_shifted_pictures_are_refused() -> None:
    inputs, targets = _striped(20)
    with pytest.raises(TrainingError, match="two classes"):
        _fitted(inputs, np.zeros(20, int))
    with pytest.raises(SettingsError, match=r"recipe\.input\.channels"):
        _fitted(inputs | {"image": np.zeros((20, 3, 24, 24), np.float32)}, targets, words=5)
    with pytest.raises(SettingsError, match=r"recipe\.input\.normalise"):
        _fitted(inputs | {"image": inputs["image"] - 0.5}, targets, words=5)


def test_members_give_features_and_are_trained_dense_sparse_dense() -> None:
    model = MODELS["georgescu"]
    needed = requirements_of(model, model.options)
    assert [each.model for each in needed.values()] == ["ferplus-vgg13", "vgg-f"]
    assert {each.gives for each in needed.values()} == {"features"}
    for each in needed.values():
        assert [part.get("sparsity", 0) for part in each.recipe["stages"]] == [0, 0.6, 0]
    plain = model.options.model_copy(update={"sparsity": 0.0})
    assert all(not each.recipe for each in requirements_of(model, plain).values())


def test_the_variants_differ_in_the_machine_and_in_the_member_that_has_seen_faces() -> None:
    local, whole, faces = (
        MODELS[name].options.model_dump() for name in ("georgescu", "georgescu@global", "georgescu@vgg-face")
    )
    assert {key for key in local if local[key] != whole[key]} == {"neighbours", "cost"}
    assert {key for key in local if local[key] != faces[key]} == {"members"}
    assert "vgg-face" not in local["members"]


@pytest.mark.parametrize(("net", "count"), [(VGGF, 56_766_215), (VGGFace, 134_289_223)])
def test_networks_have_the_parameters_of_their_papers(net: type[torch.nn.Module], count: int) -> None:
    with torch.device("meta"):
        built = net(NetSpec(classes=7, channels=3, size=224))
    assert sum(parameter.numel() for parameter in built.parameters()) == count


@pytest.mark.parametrize(("size", "sides"), [(224, [54, 27, 27, 13, 13, 13, 13, 6]), (64, [14, 7, 7, 3, 3, 3, 3, 1])])
def test_the_stages_of_vgg_f_have_the_sizes_that_its_pictures_give(size: int, sides: list[int]) -> None:
    seen: list[int] = []
    with torch.device("meta"):
        net = VGGF(NetSpec(classes=7, channels=1, size=size), hidden=8)
        for layer in net.features:
            if isinstance(layer, torch.nn.Conv2d | torch.nn.MaxPool2d):
                layer.register_forward_hook(lambda _layer, _given, out: seen.append(out.shape[-1]))
        assert net(torch.zeros(2, 1, size, size)).shape == (2, 7)
    assert seen == sides


def test_vgg_face_has_the_names_of_its_weights_and_takes_off_the_mean_of_their_faces() -> None:
    net = VGGFace(NetSpec(classes=7, channels=3, size=32), width=8, hidden=8).eval()
    layers = [
        f"conv{stage}_{place}"
        for stage, count in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))
        for place in range(1, count + 1)
    ]
    layers += ["fc6", "fc7", "fc8"]
    assert set(net.state_dict()) == {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    seen: list[torch.Tensor] = []
    net.get_submodule("conv1_1").register_forward_pre_hook(lambda _layer, given: seen.append(given[0]))
    net(torch.ones(1, 3, 32, 32))
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx([255 - 129.1863, 255 - 104.7624, 255 - 93.5940], abs=1e-3)


@pytest.mark.parametrize(("net", "smallest"), [(VGGF, 63), (VGGFace, 32)])
def test_pictures_that_vanish_are_refused(net: type[torch.nn.Module], smallest: int) -> None:
    with torch.device("meta"):
        net(NetSpec(classes=7, channels=1, size=smallest))
        with pytest.raises(SettingsError, match=f"pictures of {smallest} pixels or more"):
            net(NetSpec(classes=7, channels=1, size=smallest - 1))


def test_every_number_of_the_papers_table_is_reported_where_it_belongs() -> None:
    """Six rows on four divisions, without and with augmentation, as the thesis prints them."""
    rows = [item for name in ("georgescu", "georgescu@global", "vgg-f", "vgg-face") for item in MODELS[name].reported]
    rows += ferbench_georgescu.ferbench_reported()
    assert (
        len(rows) == len({(item.method, item.locator, item.dataset, item.protocol, item.caveat) for item in rows}) == 48
    )
    best = {(item.dataset, item.protocol): max(rows, key=_on(item)).value for item in rows}
    assert best == {
        ("fer2013", "official"): 0.7542,
        ("ferplus", "majority"): 0.8776,
        ("affectnet", "8-class"): 0.5958,
        ("affectnet", "7-class"): 0.6331,
    }
    assert all(item.extra_data for item in rows if not item.method.startswith("VGG-13"))
    augmented = {item.value for item in rows if item.method.startswith("VGG-13") and item.caveat.startswith("augm")}
    assert augmented == {0.6651, 0.8441, 0.4175, 0.4457}


def _on(shown: Reported) -> Callable[[Reported], float]:
    return lambda item: item.value * ((item.dataset, item.protocol) == (shown.dataset, shown.protocol))
