"""The four networks: torchvision's trunk, parameters, and how each makes its scores."""

from __future__ import annotations

import subprocess
import sys

import ferbench_noisy_faces
import pytest
import torch
from ferbench_noisy_faces.dan import DAN
from ferbench_noisy_faces.eac import EAC
from ferbench_noisy_faces.rul import RUL
from ferbench_noisy_faces.scn import SCN
from torch import nn
from torchvision.models import resnet18, resnet50

from ferbench import Model, NetSpec
from ferbench.nouns.reference import resolve

MODELS = {model.full_name: model for model in ferbench_noisy_faces.ferbench_models()}
SPEC = NetSpec(classes=7, channels=3, size=32)


def _built(model: Model, spec: NetSpec) -> nn.Module:
    network: nn.Module = resolve(model.build)(spec, **model.options.model_dump())
    return network


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("scn", 11_180_616), ("dan", 19_723_733), ("eac", 23_522_375), ("rul", 14_388_615)],
)
def test_parameter_counts_are_those_of_the_readme(name: str, parameters: int) -> None:
    with torch.device("meta"):
        network = _built(MODELS[name], MODELS[name].reference)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize(("name", "theirs"), [("scn", resnet18), ("dan", resnet18), ("eac", resnet50)])
def test_published_weights_fit_the_trunk_by_name_and_shape(name: str, theirs: object) -> None:
    with torch.device("meta"):
        own = {key: value.shape for key, value in _built(MODELS[name], SPEC).state_dict().items()}
        published = {key: value.shape for key, value in theirs().state_dict().items()}  # type: ignore[operator]
    wanted = {key: shape for key, shape in published.items() if not key.startswith("fc.")}
    assert {key: own.get(key) for key in wanted} == wanted


def test_the_last_maps_are_a_thirty_second_of_the_picture_at_any_size() -> None:
    with torch.device("meta"):
        for size, side in ((224, 7), (48, 2), (33, 2), (32, 1)):
            network = RUL(NetSpec(7, 1, size), 18, 64, 0.4).eval()
            pictures = torch.empty(2, 1, size, size)
            assert network.maps(pictures).shape == (2, 512, side, side)
            assert network(pictures).shape == (2, 7)


def test_scn_multiplies_logits_by_an_importance_between_0_and_1() -> None:
    torch.manual_seed(0)
    network = SCN(SPEC, 18).eval()
    pictures = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        importance, logits = network.weighed(pictures)
        features = network.maps(pictures).mean(dim=(2, 3))
        assert bool(((importance > 0) & (importance < 1)).all())
        torch.testing.assert_close(logits, importance[:, None] * network.fc(features))
        torch.testing.assert_close(network(pictures), logits)


def test_dan_adds_the_logarithms_of_the_softmax_over_its_heads() -> None:
    torch.manual_seed(0)
    network = DAN(SPEC, 18, heads=3).eval()
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        logits, features, heads = network.attended(pictures)
        raw = torch.stack([head(network.maps(pictures)) for head in network.heads])
        for place in range(3):
            torch.testing.assert_close(heads[:, place], raw[place] - torch.logsumexp(raw, dim=0), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(logits, network.bn(network.fc(heads[:, 0] + heads[:, 1] + heads[:, 2])))
    assert (features.shape, logits.shape) == ((2, 512), (2, 7))


def test_dan_with_a_single_head_takes_it_as_it_is() -> None:
    network = DAN(SPEC, 18, heads=1).eval()
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.attended(pictures)[2][:, 0], network.heads[0](network.maps(pictures)))


def test_eac_maps_average_to_the_logits_without_bias_and_teach_the_last_layer_nothing() -> None:
    torch.manual_seed(0)
    network = EAC(SPEC, 18).eval()
    logits, attention = network.attended(torch.randn(2, 3, 64, 64))
    assert attention.shape == (2, 7, 2, 2)
    torch.testing.assert_close(attention.mean(dim=(2, 3)), logits - network.fc.bias)
    attention.sum().backward()
    assert network.fc.weight.grad is None
    assert network.layer4[-1].conv2.weight.grad.abs().sum() > 0


def test_rul_scores_without_its_uncertainties() -> None:
    torch.manual_seed(0)
    network = RUL(SPEC, 18, 64, 0.4).eval()
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        before = network(pictures)
        network.log_var[3].weight.fill_(9.0)
        torch.testing.assert_close(network(pictures), before)
        features, uncertainty = network.uncertain(pictures)
    assert (features.shape, uncertainty.shape) == ((2, 64), (2, 1))
    assert bool((uncertainty > 0).all())


def test_recipes_are_those_of_the_authors_code() -> None:
    told = {
        name: (r.epochs, r.batch_size, r.optimizer.name, r.optimizer.lr, r.optimizer.weight_decay)
        for name, r in ((name, model.recipe) for name, model in MODELS.items())
    }
    assert told["scn"] == told["scn@imagenet"] == (70, 64, "adam", 1e-3, 1e-4)
    assert told["dan"] == (40, 256, "sgd", 0.1, 1e-4)
    assert told["eac"] == (60, 32, "adam", 1e-4, 1e-4)
    assert told["rul"] == (60, 64, "adam", 2e-4, 1e-4)
    groups = MODELS["rul"].recipe.optimizer.groups
    assert [(group.patterns, group.lr_factor) for group in groups] == [(("fc.*",), 10)]
    assert {model.recipe.input.normalise for model in MODELS.values()} == {"imagenet"}


def test_only_variants_named_paper_are_chosen_on_the_test_side_and_default_ones_begin_from_scratch() -> None:
    assert {name for name, model in MODELS.items() if model.recipe.selection == "oracle"} == {
        name for name in MODELS if name.endswith("@paper")
    }
    assert {name for name, model in MODELS.items() if model.recipe.init_from is None} == {"scn", "dan", "eac", "rul"}
    for model in MODELS.values():
        if model.recipe.init_from is not None:
            assert model.recipe.init_from.weights in {weights.name for weights in model.weights}


def test_small_settings_keep_the_depth_that_first_weights_are_for() -> None:
    assert MODELS["eac"].small == {"recipe.input.size": 32, "model.options.depth": 18}
    assert MODELS["eac@imagenet"].small == {"recipe.input.size": 32}


def test_the_plugin_module_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, ferbench_noisy_faces as p; list(p.ferbench_models())"
    code += "; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
