"""The models of the core: what they declare, and the small network."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from ferbench import builtin
from ferbench.errors import SettingsError
from ferbench.nouns.model import Model, NetSpec
from ferbench.nouns.optimizers import SGD
from ferbench.nouns.reference import resolve
from ferbench.nouns.schedules import OneCycle
from ferbench.nouns.settings import revised

EVERY = [model for model in builtin.ferbench_models() if isinstance(model, Model)]
MODELS: dict[str, Model] = {model.name: model for model in EVERY if not model.variant}
FACES = NetSpec(classes=7, channels=1, size=48)


def _small_cnn(spec: NetSpec = FACES, **options: object) -> nn.Module:
    torch.manual_seed(0)
    chosen = revised(MODELS["small-cnn"].options, options)
    network: nn.Module = resolve(MODELS["small-cnn"].build)(spec, **chosen.model_dump())
    return network


def test_the_promised_names_are_there_and_join_both_suites() -> None:
    assert list(MODELS) == ["small-cnn", "logistic-regression", "knn", "majority"]
    assert all({"demo", "fer2013"} <= model.tags for model in MODELS.values())


def test_the_plain_sampler_leaves_the_training_split_as_it_is() -> None:
    from ferbench.nouns.sampler import Sample

    (sampler,) = builtin.ferbench_samplers()
    assert sampler.name == "plain"
    assert resolve(sampler.sample)(None, None) == Sample()


def test_only_the_majority_is_a_floor_and_only_the_network_needs_several_seeds() -> None:
    assert [name for name, model in MODELS.items() if model.floor] == ["majority"]
    assert [name for name, model in MODELS.items() if not model.deterministic] == ["small-cnn"]


@pytest.mark.parametrize("name", list(MODELS))
def test_recipe_and_options_come_back_from_plain_data(name: str) -> None:
    model = MODELS[name]
    assert type(model.recipe).model_validate(model.recipe.model_dump()) == model.recipe
    assert type(model.options).model_validate(model.options.model_dump()) == model.options


def test_the_network_has_eight_convolutions_and_439991_parameters() -> None:
    network = _small_cnn()
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == 8
    assert sum(parameter.numel() for parameter in network.parameters()) == 439_991


def test_one_picture_costs_0059_gflop() -> None:
    network, work = _small_cnn().eval(), []

    def count(module: nn.Module, _: object, output: torch.Tensor) -> None:
        work.append(2 * module.get_parameter("weight").numel() * output.shape[2] * output.shape[3])

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    network(torch.zeros(1, 1, 48, 48))
    assert round(sum(work) / 1e9, 3) == 0.059


@pytest.mark.parametrize(
    ("spec", "width"),
    [(FACES, 8), (NetSpec(classes=2, channels=3, size=64), 16), (NetSpec(classes=6, channels=1, size=8), 4)],
)
def test_it_fits_any_classes_channels_size_and_width(spec: NetSpec, width: int) -> None:
    logits = _small_cnn(spec, width=width)(torch.rand(3, spec.channels, spec.size, spec.size))
    assert logits.shape == (3, spec.classes)


def test_every_parameter_of_the_network_learns() -> None:
    network = _small_cnn(width=8)
    nn.functional.cross_entropy(network(torch.rand(7, 1, 48, 48)), torch.arange(7)).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().any()] == []


def test_dropout_acts_in_training_only() -> None:
    network = _small_cnn(width=4, dropout=0.9)
    x = torch.rand(4, 1, 48, 48)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_pictures_below_eight_pixels_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: small-cnn needs pictures of 8 pixels or more"):
        _small_cnn(NetSpec(classes=7, channels=1, size=6))


@pytest.mark.parametrize("options", [{"width": 1}, {"dropout": 1.0}, {"widht": 16}])
def test_options_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        revised(MODELS["small-cnn"].options, options)


def test_the_networks_recipe_is_one_cycle_of_nesterov_momentum_for_any_number_of_epochs() -> None:
    recipe = MODELS["small-cnn"].recipe
    assert recipe.optimizer == SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    assert recipe.with_epochs(10).schedule == recipe.schedule == OneCycle()
    assert [operation.name for operation in recipe.augmentation] == ["pad-crop", "horizontal-flip"]
    assert recipe.tta.name == "flip"


def test_naming_the_models_imports_neither_torch_nor_numpy() -> None:
    code = "import sys; from ferbench import builtin; [list(hook()) for hook in (builtin.ferbench_models,"
    code += "builtin.ferbench_samplers, builtin.ferbench_suites)]; print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
