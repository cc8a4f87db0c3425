"""EmoNeXt: shapes, parameter counts, the spatial transformer, its loss, the recipe and what it claims."""

from __future__ import annotations

import subprocess
import sys

import ferbench_emonext
import numpy as np
import pytest
import torch
from ferbench_emonext.network import SCALES, EmoNeXt, SpatialTransformer, build_emonext
from ferbench_emonext.objective import AttentionPenalty, build_loss
from torch import nn

from ferbench import AdamW, Batch, Cosine, DropPath, NetSpec, SettingsError, StepContext, TenCrop
from ferbench.nouns.settings import revised

MODELS = {model.full_name: model for model in ferbench_emonext.ferbench_models()}
SPEC = NetSpec(7, 3, 224)
CPU = torch.device("cpu")


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def trial() -> EmoNeXt:
    torch.manual_seed(0)
    return build_emonext(NetSpec(7, 3, 48), scale="atto")


def context() -> StepContext:
    return StepContext(0, 0, 0, tuple("abcdefg"), CPU, np.random.default_rng(0))


def test_without_its_additions_it_has_the_parameters_of_a_convnext_tiny() -> None:
    """28,589,128 with 1,000 classes (Liu et al. 2022: 29 million)."""
    with torch.device("meta"):
        network = build_emonext(NetSpec(1000, 3, 224))
    gates = [module for name, module in network.named_modules() if name.endswith(".2")]
    halvings = [network.downsample_layers[i][2] for i in (1, 2, 3)]  # type: ignore[index]
    assert set(map(id, halvings)) <= set(map(id, gates))
    squeezes = sum(parameters(module) for module in halvings)
    assert squeezes == sum(2 * width * (width // 16) for width in (192, 384, 768))
    assert parameters(network) - squeezes - parameters(network.transformer) == 28_589_128


@pytest.mark.parametrize(("scale", "count"), [("tiny", 28_791_019), ("xlarge", 349_719_179)])
def test_parameter_counts(scale: str, count: int) -> None:
    with torch.device("meta"):
        assert parameters(build_emonext(SPEC, scale=scale)) == count


def test_every_stage_has_a_convnexts_channels_and_size() -> None:
    network = build_emonext(SPEC).eval()
    seen: list[tuple[int, int]] = []
    for stage in network.stages:
        stage.register_forward_hook(lambda _m, _x, y: seen.append((y.shape[1], y.shape[2])))
    assert network.transformer.fc_loc[0].in_features == 10 * 52 * 52
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 7)
    assert seen == [(96, 56), (192, 28), (384, 14), (768, 7)]


def test_parts_of_the_convnext_are_called_as_in_the_published_weights() -> None:
    with torch.device("meta"):
        names = set(build_emonext(SPEC).state_dict())
    assert {
        "downsample_layers.0.0.weight",
        "downsample_layers.0.1.bias",
        "downsample_layers.3.0.weight",
        "downsample_layers.3.1.weight",
        "stages.2.8.dwconv.weight",
        "stages.2.8.norm.weight",
        "stages.2.8.pwconv1.weight",
        "stages.2.8.pwconv2.bias",
        "stages.2.8.gamma",
        "norm.weight",
        "head.weight",
    } <= names


def test_its_convnext_gives_what_timms_gives() -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    torch.manual_seed(0)
    theirs = timm.create_model("convnext_atto", num_classes=0, conv_mlp=False).eval()
    ours = trial().eval()
    state = {}
    for name, value in theirs.state_dict().items():
        new = name.replace("stem.", "downsample_layers.0.").replace(".blocks.", ".").replace("conv_dw", "dwconv")
        new = new.replace("mlp.fc", "pwconv").replace("head.norm", "norm")
        if ".downsample." in new:
            stage, place = new.split(".")[1], new.split(".downsample.")[1]
            new = f"downsample_layers.{stage}.{place}"
        state[new] = value * 1e5 if name.endswith("gamma") else value
    theirs.load_state_dict(
        {name: value * 1e5 if name.endswith("gamma") else value for name, value in theirs.state_dict().items()}
    )
    left = ours.load_state_dict(state, strict=False)
    assert left.unexpected_keys == []
    assert all(name.split(".")[0] in ("transformer", "head") or ".2.fc." in name for name in left.missing_keys)
    for halving in list(ours.downsample_layers)[1:]:
        halving[2] = nn.Identity()  # type: ignore[operator]
    x = torch.randn(2, 3, 48, 48)
    with torch.no_grad():
        assert torch.allclose(ours.features(x), theirs(x), atol=1e-4)


def test_the_spatial_transformer_begins_by_leaving_pictures_as_they_are() -> None:
    x = torch.rand(2, 3, 48, 48)
    assert torch.allclose(trial().eval().transformer(x), x, atol=1e-4)


def test_pictures_are_warped_in_full_precision_in_bf16_too() -> None:
    transformer = SpatialTransformer(1, 224).eval()
    transformer.start()
    x = torch.rand(1, 1, 224, 224)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        warped = transformer(x)
    assert warped.dtype == torch.float32
    assert torch.allclose(warped, x, atol=1e-3)


def test_stochastic_depth_rises_linearly_to_a_tenth() -> None:
    with torch.device("meta"):
        rates = [module.drop_prob for module in build_emonext(SPEC).modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx(np.linspace(0, 0.1, 18).tolist())


def test_the_penalty_is_the_variance_of_attention_between_the_pictures_of_a_batch() -> None:
    torch.manual_seed(0)
    penalty, features = AttentionPenalty(16), torch.randn(5, 16)
    with torch.no_grad():
        penalty.query.weight.mul_(100)
        q = penalty.query(penalty.norm(features))
        k = penalty.key(penalty.norm(features))
        weights = (q @ k.T / 2).softmax(dim=1)
        expected = ((weights - 1 / 5) ** 2).mean()
        assert penalty(features).item() == pytest.approx(expected.item(), rel=1e-5)
        assert expected > 1e-4


def test_the_loss_is_smoothed_cross_entropy_of_each_pictures_weight_plus_the_penalty() -> None:
    network, x, target = trial().eval(), torch.rand(4, 3, 48, 48), torch.tensor([0, 1, 2, 3])
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0])
    torch.manual_seed(1)
    loss = build_loss(NetSpec(7, 3, 48), scale="atto")
    result = loss(network, Batch({"image": x}, target, weight=weight), context())
    with torch.no_grad():
        plain = nn.functional.cross_entropy(network(x), target, label_smoothing=0.2, reduction="none")
        penalty = loss.penalty(network.features(x)) if loss.penalty else torch.tensor(0.0)
    assert result.loss.item() == pytest.approx(((plain * weight).mean() + penalty).item(), rel=1e-5)
    assert torch.allclose(result.scores, network(x), atol=1e-5)
    assert penalty > 0


def test_without_its_weight_there_is_no_penalty_and_nothing_more_to_learn() -> None:
    loss = build_loss(NetSpec(7, 3, 48), scale="atto", attention=0.0, label_smoothing=0.0)
    assert parameters(loss) == 0
    network, x, target = trial().eval(), torch.rand(2, 3, 48, 48), torch.tensor([0, 1])
    result = loss(network, Batch({"image": x}, target), context())
    assert torch.allclose(result.loss, nn.functional.cross_entropy(network(x), target))
    assert result.logs == {}


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: emonext needs pictures of 32 pixels or more"):
        build_emonext(NetSpec(7, 3, 31))


def test_the_recipe_is_that_of_the_authors_code() -> None:
    recipe = MODELS["emonext"].recipe
    assert recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    assert (recipe.epochs, recipe.batch_size, recipe.input.size, recipe.input.normalise) == (300, 64, 236, "unit")
    optimizer, schedule = recipe.optimizer, recipe.schedule
    assert isinstance(optimizer, AdamW) and isinstance(schedule, Cosine)
    assert (optimizer.lr, optimizer.weight_decay, optimizer.eps) == (1e-3, 0.01, 1e-8)
    steps = 28_709 / 64
    assert (round(schedule.warmup_epochs * steps), round((schedule.restart_every or 0) * steps)) == (128, 1024)
    assert schedule.warm_restarts
    assert recipe.ema is not None and (recipe.ema.decay, recipe.ema.every) == (0.99, 16)
    assert isinstance(recipe.tta, TenCrop) and (recipe.tta.size, recipe.tta.mean) == (224, "logit")
    names = [operation.name for operation in recipe.augmentation]
    assert names == ["horizontal-flip", "vertical-flip", "affine", "random-crop"]


def test_gradients_are_clipped_as_by_the_authors_who_forget_to_take_the_scale_of_the_loss_off_first() -> None:
    torch.manual_seed(0)
    limit = MODELS["emonext@paper"].recipe.optimizer.clip_norm
    assert limit is not None
    for length in (1e-3, 0.3, 20.0):
        ours, theirs = nn.Parameter(torch.zeros(50)), nn.Parameter(torch.zeros(50))
        direction = nn.functional.normalize(torch.randn(50), dim=0)
        ours.grad, theirs.grad = length * direction, length * direction * 65_536
        nn.utils.clip_grad_norm_([ours], limit)
        nn.utils.clip_grad_norm_([theirs], 1.0)
        theirs.grad /= 65_536
        assert torch.allclose(ours.grad, theirs.grad, rtol=0.01, atol=0)
        assert ours.grad.norm().item() == pytest.approx(1 / 65_536, rel=0.01)


def test_the_small_settings_fit_the_recipe_and_the_options() -> None:
    model = MODELS["emonext"]
    recipe = {key.removeprefix("recipe."): v for key, v in model.small.items() if key.startswith("recipe.")}
    assert revised(model.recipe, recipe).augmentation[3].size == 48  # type: ignore[union-attr]
    assert revised(model.recipe, recipe).ema is None
    assert model.small["model.options.scale"] in SCALES


def test_only_the_authors_own_rule_reports_the_last_weights_and_claims_their_number() -> None:
    assert {name: model.recipe.selection for name, model in MODELS.items()} == {
        "emonext": "best-val",
        "emonext@imagenet": "best-val",
        "emonext@paper": "last",
    }
    claims = {name: [number.value for number in model.reported] for name, model in MODELS.items() if model.reported}
    assert claims == {"emonext@paper": [0.7334]}
    assert {name for name, model in MODELS.items() if model.weights} == {"emonext@imagenet", "emonext@paper"}
    assert [row.value for row in ferbench_emonext.ferbench_reported()] == [0.7612]
    assert {name for name, model in MODELS.items() if "fer2013-paper" in model.tags} == {"emonext"}


def test_the_plugin_module_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, ferbench_emonext; list(ferbench_emonext.ferbench_models())"
    code += "; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
