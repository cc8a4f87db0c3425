"""Khaireddin and Chen's VGGNet: counts, shapes, ten crops of 40 pixels, dropout, and which weights count."""

from __future__ import annotations

import ferbench_khaireddin_vgg
import numpy as np
import pytest
import torch
from ferbench_khaireddin_vgg.network import KhaireddinVGG
from torch import nn

from ferbench import SGD, Batch, Cosine, Model, NetSpec, Plateau, SettingsError, TenCrop
from ferbench.nouns.reference import resolve
from ferbench.nouns.views import SingleView
from ferbench.training.prepare import Preparer
from ferbench.training.views import expand_views, merge_views

MODELS = {model.full_name: model for model in ferbench_khaireddin_vgg.ferbench_models()}
HONEST = MODELS["khaireddin-vgg"]


def _built(model: Model, **changed: int) -> nn.Module:
    network: nn.Module = resolve(model.build)(model.reference, **(model.options.model_dump() | changed))
    return network


def test_the_parameter_count_is_that_of_the_authors_network() -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in _built(HONEST).parameters()) == 29_890_759


def test_every_stage_has_the_channels_and_size_of_the_authors_code() -> None:
    with torch.device("meta"):
        network = _built(HONEST).eval()
        x, seen = torch.zeros(1, 1, 40, 40), []
        for stage in network.get_submodule("stages").children():
            x = stage(x)
            seen.append((x.shape[1], x.shape[2]))
        assert seen == [(64, 20), (128, 10), (256, 5), (512, 2)]
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(2048, 4096), (4096, 4096), (4096, 7)]


def test_dropout_is_the_code_s_0_2_and_not_the_0_1_of_its_unused_settings() -> None:
    with torch.device("meta"):
        rates = [module.p for module in _built(HONEST).modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.2, 0.2]
    assert HONEST.recipe.dropout is None


def test_dropout_is_off_at_evaluation() -> None:
    network = _built(HONEST, width=2, hidden=32)
    x = torch.rand(4, 1, 40, 40)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_ten_crops_of_40_pixels_multiply_the_training_batch_by_ten_each_with_its_label() -> None:
    pictures = torch.randint(0, 256, (3, 1, 48, 48), dtype=torch.uint8)
    recipe = HONEST.recipe
    batch = Batch({"image": pictures}, torch.tensor([4, 0, 6]))
    made = Preparer(recipe.input).train(batch, recipe.augmentation, np.random.default_rng(0))
    assert made.inputs["image"].shape == (30, 1, 40, 40)
    assert made.target.tolist() == [4] * 10 + [0] * 10 + [6] * 10
    assert float(made.inputs["image"].min()) >= 0 and float(made.inputs["image"].max()) <= 1


def test_crops_of_a_picture_are_erased_each_on_its_own() -> None:
    white = torch.full((40, 1, 48, 48), 255, dtype=torch.uint8)
    crops, erasing = HONEST.recipe.augmentation[-2:]
    batch = Batch({"image": white}, torch.zeros(40, dtype=torch.int64))
    made = Preparer(HONEST.recipe.input).train(batch, (crops, erasing), np.random.default_rng(0))
    touched = (made.inputs["image"].reshape(40, 10, -1) == 0).any(dim=2)
    assert 150 < int(touched.sum()) < 250
    assert bool((touched.any(dim=1) & ~touched.all(dim=1)).all())


def test_at_test_the_logits_of_ten_crops_of_40_pixels_are_averaged() -> None:
    tta = HONEST.recipe.tta
    assert tta == TenCrop(size=40, mean="logit", looks=True)
    assert isinstance(tta, TenCrop)
    assert expand_views(torch.rand(2, 1, 48, 48), tta).shape == (20, 1, 40, 40)
    logits = torch.randn(20, 7) * 4
    expected = logits.view(2, 10, 7).mean(1).softmax(1)
    assert torch.allclose(merge_views(logits, 10, tta, "single-label"), expected, atol=1e-6)


def test_the_recipe_is_that_of_the_authors_code() -> None:
    recipe = HONEST.recipe
    assert recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    assert (recipe.epochs, recipe.batch_size) == (300, 64)
    assert recipe.optimizer == SGD(lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
    assert recipe.schedule == Plateau(factor=0.75, patience=5)
    assert recipe.input.normalise == "unit"


def test_fine_tuning_is_fifty_epochs_of_cosine_annealing_from_the_best_or_on_both_sides() -> None:
    tuned, both = MODELS["khaireddin-vgg@fine-tuned"].recipe, MODELS["khaireddin-vgg@train-val"].recipe
    for recipe in (tuned, both):
        assert recipe.model_validate(recipe.model_dump(mode="json")) == recipe
        first, second = recipe.planned_stages()
        assert (first.epochs, second.epochs, recipe.total_epochs) == (300, 50, 350)
        assert first.sides == ("train",) and first.schedule == HONEST.recipe.schedule
        assert second.schedule == Cosine() and second.optimizer is not None and second.optimizer.lr == 1e-4
        assert second.augmentation == HONEST.recipe.augmentation
    assert (tuned.stages[1].sides, tuned.stages[1].start) == (("train",), "best")
    assert both.stages[1].sides == ("train", "val")


def test_val_chooses_the_honest_weights_nothing_those_that_saw_val_and_test_the_authors() -> None:
    chosen = {name: model.recipe.selection for name, model in MODELS.items()}
    assert chosen == {
        "khaireddin-vgg": "best-val",
        "khaireddin-vgg@fine-tuned": "best-val",
        "khaireddin-vgg@train-val": "last",
        "khaireddin-vgg@paper": "oracle",
    }


def test_every_number_is_one_of_public_test() -> None:
    numbers = {name: model.reported[0] for name, model in MODELS.items()}
    assert {number.protocol for number in numbers.values()} == {"public-test"}
    assert numbers["khaireddin-vgg@train-val"].value == pytest.approx(2630 / 3589, abs=5e-5)
    assert numbers["khaireddin-vgg"].selection == MODELS["khaireddin-vgg"].recipe.selection
    assert numbers["khaireddin-vgg@train-val"].selection == MODELS["khaireddin-vgg@train-val"].recipe.selection


def test_other_pictures_and_classes_fit_down_to_16_pixels() -> None:
    assert KhaireddinVGG(NetSpec(8, 3, 16), width=2, hidden=8).eval()(torch.zeros(2, 3, 16, 16)).shape == (2, 8)
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: khaireddin-vgg needs pictures of 16 pixels or more"):
        KhaireddinVGG(NetSpec(7, 1, 15))


def test_small_settings_keep_the_ten_crops_in_training() -> None:
    names = [op["name"] for op in HONEST.small["recipe.augmentation"]]
    assert "multi-crop" in names
    assert HONEST.small["recipe.tta"]["name"] == SingleView().name
