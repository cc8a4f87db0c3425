"""Tang's network: size, the machine on top, and pixels that are standardised over the training pictures."""

from __future__ import annotations

import ferbench_tang_svm
import pytest
import torch
from ferbench_tang_svm.network import PixelStandardisation, TangSVM
from torch import nn

from ferbench import L2, CrossEntropy, NetSpec, RandomViews, SettingsError, SquaredHinge
from ferbench.running.small import under_small_settings
from ferbench.training.schedule import LearningRate

MODELS = {model.full_name: model for model in ferbench_tang_svm.ferbench_models()}


def test_the_network_has_the_five_million_parameters_that_others_count() -> None:
    with torch.device("meta"):
        net = TangSVM(NetSpec(7, 1, 42))
    assert sum(parameter.numel() for parameter in net.parameters()) == 4_867_943


def test_two_stages_then_3072_units_then_a_margin_for_each_class() -> None:
    net, x, seen = TangSVM(NetSpec(7, 1, 42)).eval(), torch.zeros(2, 1, 42, 42), []
    for stage in net.stages:
        x = stage(x)
        seen.append(tuple(x.shape[1:]))
    assert seen == [(32, 19, 19), (32, 7, 7)]
    assert net.hidden(x).shape == (2, 3072)
    assert TangSVM(NetSpec(6, 3, 16), hidden=5).eval()(torch.zeros(2, 3, 16, 16)).shape == (2, 6)


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: tang-svm needs pictures of 16 pixels or more"):
        TangSVM(NetSpec(7, 1, 15))


def test_each_pixel_is_standardised_over_all_training_pictures_that_were_seen() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(240, 1, 4, 4) * torch.arange(1, 17).reshape(1, 1, 4, 4) + 3
    layer = PixelStandardisation(16)
    for batch in torch.split(pictures, 60):
        layer(batch)
    out = layer.eval()(pictures)
    assert float(out.mean(0).abs().max()) < 0.05
    assert torch.allclose(out.std(0), torch.ones(1, 4, 4), atol=0.05)


def test_a_picture_is_standardised_alike_in_any_company_and_evaluation_learns_nothing() -> None:
    layer = PixelStandardisation(4)
    layer(torch.rand(8, 1, 2, 2))
    layer(torch.rand(1, 1, 2, 2))  # a last batch of one has no variance, and is passed over
    layer.eval()
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    x = torch.rand(5, 1, 2, 2)
    assert torch.equal(layer(x)[:1], layer(x[:1]))
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())
    assert bool(torch.isfinite(layer(x)).all())


def test_the_machine_has_its_own_loss_and_norm_and_the_softmax_twin_has_neither() -> None:
    machine, softmax = MODELS["tang-svm"], MODELS["tang-svm@softmax"]
    assert machine.recipe.loss == SquaredHinge()
    (term,) = machine.recipe.terms
    assert isinstance(term, L2)
    with torch.device("meta"):
        assert isinstance(TangSVM(machine.reference).get_submodule(term.patterns[0].removesuffix(".weight")), nn.Linear)
    assert softmax.recipe.loss == CrossEntropy()
    assert softmax.recipe.terms == ()
    assert softmax.recipe.augmentation == machine.recipe.augmentation
    assert machine.label_kinds == ("hard", "drawn")


@pytest.mark.parametrize("name", ["tang-svm", "tang-svm@softmax"])
def test_it_is_trained_for_as_many_steps_and_its_rate_falls_as_in_the_authors_code(name: str) -> None:
    """``fe_cv_48.m``: 1 / (1 + t / 20,000) in 50,000 steps, a tenth for the last third, a hundredth for the sixth."""
    recipe = MODELS[name].recipe
    each = -(-28_709 // recipe.batch_size)
    assert recipe.batch_size == 256
    assert recipe.epochs * each == pytest.approx(50_000, rel=0.005)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    optimizer.param_groups[0]["lr_factor"] = 1.0
    rate = LearningRate(recipe.schedule, optimizer, 1.0, recipe.epochs * each, recipe.epochs)
    for epoch in (0, 37, 148, 295, 296, 333, 369, 370, 407, 443):
        code = 1 / (1 + epoch / 444 * 50_000 / 20_000) / (100 if epoch >= 370 else 10 if epoch >= 296 else 1)
        assert rate.before_step(epoch * each, epoch) == pytest.approx(code, rel=0.001 if epoch % 37 == 0 else 0.1)


@pytest.mark.parametrize("name", ["tang-svm", "tang-svm@softmax"])
def test_its_last_weights_see_each_test_picture_through_64_draws_of_the_augmentation(name: str) -> None:
    """``fe_cv_48.m``: 64 jitter trials, whose probabilities are averaged, and no weights saved for being the best."""
    recipe = MODELS[name].recipe
    assert recipe.tta == RandomViews(count=64, mean="probability")
    assert recipe.selection == "last"
    assert under_small_settings(MODELS[name], small=True)[0].tta.name == "none"


def test_reported_numbers_name_the_split_of_each_leaderboard() -> None:
    values = {(r.split, r.value) for model in MODELS.values() for r in model.reported}
    assert values == {("test", 0.712), ("val", 0.694), ("test", 0.701), ("val", 0.693)}
