"""The Residual Masking Network: shapes, parameter counts, the masks, the recipe's traps and what it claims."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import ferbench_rmn
import pytest
import torch
from ferbench_rmn.network import BasicBlock, MaskedResNet, MaskingBlock
from torch import nn
from torch.nn import functional as F

from ferbench import Affine, HorizontalFlip, NetSpec, Plateau, RAdam, RandomViews, SettingsError
from ferbench.nouns.reference import resolve

MODELS = {model.full_name: model for model in ferbench_rmn.ferbench_models()}


def built(name: str = "rmn", size: int = 224, classes: int = 7, channels: int = 3, **options: Any) -> MaskedResNet:
    model = MODELS[name]
    network: MaskedResNet = resolve(model.build)(
        NetSpec(classes, channels, size), **{**model.options.model_dump(), **options}
    )
    return network


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def shuffle_norms(network: nn.Module) -> None:
    """Give normalisations values that tell their places apart; new ones nearly leave all as it is."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                assert value is not None
                nn.init.uniform_(value, 0.5, 1.5)
            for value in (module.bias, module.running_mean):
                assert value is not None
                nn.init.normal_(value)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("rmn", 137_796_423),
        ("rmn@imagenet", 137_796_423),
        ("rmn@no-dropout", 137_796_423),
        ("rmn@hidden", 137_796_423 - 512 * 7 - 7 + 512 * 128 + 128 + 128 * 7 + 7),
        ("rmn-resnet34", 21_288_263),
    ],
)
def test_parameter_counts_are_those_of_the_authors_code(name: str, count: int) -> None:
    with torch.device("meta"):
        assert parameters(built(name)) == count


def test_every_stage_and_every_level_of_its_masks_has_the_papers_channels_and_size() -> None:
    with torch.device("meta"):
        network = built()
    seen: list[tuple[int, int]] = []
    inner: dict[int, list[tuple[int, int]]] = {}
    for number, mask in enumerate(network.masks):
        assert isinstance(mask, MaskingBlock)
        mask.register_forward_pre_hook(lambda _m, x: seen.append((x[0].shape[1], x[0].shape[2])))
        for block in [*mask.encoder, *mask.decoder, mask.last]:
            block.register_forward_hook(
                lambda _m, _x, y, number=number: inner.setdefault(number, []).append((y.shape[1], y.shape[2]))
            )
    assert network(torch.zeros(2, 3, 224, 224, device="meta")).shape == (2, 7)
    assert seen == [(64, 56), (128, 28), (256, 14), (512, 7)]
    assert inner[0] == [(128, 56), (256, 28), (512, 14), (1024, 7), (512, 14), (256, 28), (128, 56), (64, 56)]
    assert inner[1] == [(256, 28), (512, 14), (1024, 7), (512, 14), (256, 28), (128, 28)]
    assert inner[2] == [(512, 14), (1024, 7), (512, 14), (256, 14)]
    assert inner[3] == [(1024, 7), (512, 7)]


@pytest.mark.parametrize("side", [12, 13, 8])
def test_a_mask_sums_to_one_over_the_channels_at_any_size(side: int) -> None:
    torch.manual_seed(0)
    block = MaskingBlock(4, depth=4).eval()
    x = torch.randn(2, 4, side, side)
    mask = block.mask(x)
    assert mask.shape == x.shape
    assert torch.allclose(mask.sum(1), torch.ones(2, side, side))
    assert torch.allclose(block(x), x * (1 + mask))


def test_a_mask_is_what_the_authors_two_level_block_gives_step_by_step() -> None:
    torch.manual_seed(0)
    block = MaskingBlock(4, depth=2).eval()
    shuffle_norms(block)
    values, x = block.state_dict(), torch.randn(2, 4, 8, 8)

    def norm(x: torch.Tensor, at: str) -> torch.Tensor:
        mean, var, weight, bias = (values[f"{at}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, weight, bias)

    def residual(x: torch.Tensor, at: str) -> torch.Tensor:
        inner = F.relu(norm(F.conv2d(x, values[f"{at}.conv1.weight"], padding=1), f"{at}.bn1"))
        inner = norm(F.conv2d(inner, values[f"{at}.conv2.weight"], padding=1), f"{at}.bn2")
        return F.relu(inner + norm(F.conv2d(x, values[f"{at}.downsample.0.weight"]), f"{at}.downsample.1"))

    outer = residual(x, "encoder.0")
    deep = residual(F.max_pool2d(outer, 2), "encoder.1")
    raised = F.conv_transpose2d(deep, values["decoder.0.up.weight"], values["decoder.0.up.bias"], stride=2)
    merged = residual(torch.cat((F.relu(norm(raised, "decoder.0.bn")), outer), 1), "decoder.0.block")
    expected = residual(merged, "last").softmax(1)
    with torch.no_grad():
        assert torch.allclose(block.mask(x), expected, atol=1e-6)
        assert torch.allclose(block(x), x + x * expected, atol=1e-6)


def test_residual_branches_begin_at_zero_in_the_masks_and_not_in_the_trunk() -> None:
    network = built(size=32, width=4)
    zero = {
        name
        for name, module in network.named_modules()
        if isinstance(module, BasicBlock) and not module.bn2.weight.any()
    }
    blocks = {name for name, module in network.named_modules() if isinstance(module, BasicBlock)}
    assert zero == {name for name in blocks if name.startswith("masks.")}
    assert len(zero) == 20 and len(blocks - zero) == 16


def test_the_trunk_alone_gives_what_torchvisions_resnet34_gives() -> None:
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    torch.manual_seed(0)
    theirs = torchvision.models.resnet34(num_classes=7).eval()
    ours = built("rmn-resnet34", size=64).eval()
    weights = {name.replace("fc.", "fc.1."): value for name, value in theirs.state_dict().items()}
    ours.load_state_dict(weights)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs(x), atol=1e-4)


def test_imagenets_weights_fill_the_whole_trunk_and_leave_masks_and_head() -> None:
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    with torch.device("meta"):
        theirs, ours = torchvision.models.resnet34().state_dict(), built("rmn@imagenet").state_dict()
    fitting = {name for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
    assert set(theirs) - fitting == {"fc.weight", "fc.bias"}
    assert {name.split(".")[0] for name in set(ours) - fitting} == {"masks", "fc"}


@pytest.mark.parametrize(
    ("name", "rates", "layers"), [("rmn", [0.4], 1), ("rmn@no-dropout", [0.0], 1), ("rmn@hidden", [0.5], 2)]
)
def test_the_heads_are_those_of_the_authors_three_variants(name: str, rates: list[float], layers: int) -> None:
    head = built(name, size=32, width=4).fc
    assert [module.p for module in head if isinstance(module, nn.Dropout)] == rates
    assert sum(isinstance(module, nn.Linear) for module in head) == layers


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: the network needs pictures of 32 pixels or more"):
        built(size=31)


def test_the_recipe_is_that_of_the_authors_configuration() -> None:
    recipe = MODELS["rmn"].recipe
    assert recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    assert (recipe.epochs, recipe.batch_size, recipe.input.size, recipe.input.channels) == (50, 48, 224, 3)
    assert recipe.early_stopping is not None and recipe.early_stopping.patience == 8
    schedule = recipe.schedule
    assert isinstance(schedule, Plateau)
    assert (schedule.factor, schedule.patience, schedule.min_lr, schedule.monitor) == (0.1, 2, 1e-6, "accuracy")
    flip, turn = recipe.augmentation
    assert isinstance(flip, HorizontalFlip) and isinstance(turn, Affine)
    assert (flip.p, turn.degrees, turn.border, turn.fill) == (0.5, 30, "constant", 0)
    assert isinstance(recipe.tta, RandomViews)
    assert (recipe.tta.count, recipe.tta.mean) == (10, "probability")


def test_pictures_are_scaled_to_unit_range_and_not_by_imagenets_mean() -> None:
    """Also where the trunk comes from ImageNet, unlike almost every other user of these weights."""
    assert {model.recipe.input.normalise for model in MODELS.values()} == {"unit"}


def test_weight_decay_is_apart_from_the_gradient_as_in_the_authors_radam() -> None:
    optimizer = MODELS["rmn"].recipe.optimizer
    assert isinstance(optimizer, RAdam) and optimizer.decoupled
    parameter = nn.Parameter(torch.ones(1, dtype=torch.float64))
    torchs = torch.optim.RAdam(
        [parameter], lr=optimizer.lr, weight_decay=optimizer.weight_decay, decoupled_weight_decay=optimizer.decoupled
    )
    for _ in range(10):
        parameter.grad = torch.zeros_like(parameter)
        torchs.step()
    assert parameter.item() == pytest.approx((1 - 1e-4 * 1e-3) ** 10, rel=1e-12)


def test_only_the_variants_from_imagenet_need_weights_and_claim_the_papers_numbers() -> None:
    needing = {name for name, model in MODELS.items() if model.recipe.init_from}
    assert needing == {"rmn@imagenet", "rmn-resnet34@imagenet"}
    assert needing == {name for name, model in MODELS.items() if model.reported}
    claims = {name: [number.value for number in MODELS[name].reported] for name in needing}
    assert claims == {"rmn@imagenet": [0.7414, 0.6594], "rmn-resnet34@imagenet": [0.7242]}
    assert [number.dataset for number in MODELS["rmn@imagenet"].reported] == ["fer2013", "vemo"]
    for name in needing:
        (weights,) = MODELS[name].weights
        init_from = MODELS[name].recipe.init_from
        assert init_from is not None and init_from.weights == weights.name
        assert weights.name.endswith(weights.sha256)


def test_numbers_without_a_model_name_their_method_and_paper() -> None:
    rows = list(ferbench_rmn.ferbench_reported())
    assert len(rows) == len({row.method for row in rows}) == 10
    assert all(row.paper is ferbench_rmn.PAPER for row in rows)
    assert [row.method for row in rows if not row.extra_data] == ["CNN-SIFT"]
    assert len({(row.locator, row.caveat) for row in rows}) == 2, "a table tells each of them once"
    assert max(row.value for row in rows) == 0.7682


def test_the_default_variants_join_the_papers_suite() -> None:
    assert {name for name, model in MODELS.items() if "fer2013-paper" in model.tags} == {"rmn", "rmn-resnet34"}


def test_the_plugin_module_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, ferbench_rmn; list(ferbench_rmn.ferbench_models())"
    code += "; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
