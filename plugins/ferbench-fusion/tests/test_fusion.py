"""ResNet18, VGG19 and their fusion: networks, recipes, traps, and what the head is fitted on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import ferbench_fusion
import numpy as np
import pytest
import torch
from ferbench_fusion.head import FusionHead
from torch import nn

import ferbench
from ferbench import FitContext, Model, NetSpec, Options, Requirement, SettingsError, TrainingData
from ferbench.nouns.reference import resolve
from ferbench.nouns.requirement import requirements_of

MODELS = {model.full_name: model for model in ferbench_fusion.ferbench_models()}
SUITES = {suite.name: suite for suite in ferbench_fusion.ferbench_suites()}
NETWORKS = [name for name, model in MODELS.items() if model.build is not None]


def _built(model: Model, size: int = 44, channels: int = 3, **changes: Any) -> nn.Module:
    options = model.options.model_dump() | changes
    network: nn.Module = resolve(model.build)(NetSpec(classes=7, channels=channels, size=size), **options)
    return network


def _context() -> FitContext:
    return FitContext(0, 1, ("a", "b", "c"), "single-label", Options())


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("fusion-resnet18", 11_172_423),
        ("fusion-vgg19", 20_038_983),
        ("fusion-resnet18@imagenet-shape", 11_180_103),
        ("fusion-vgg19@imagenet-shape", 139_598_919),
    ],
)
def test_parameter_counts_are_those_of_the_sources(name: str, count: int) -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in _built(MODELS[name]).parameters()) == count


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("fusion-resnet18", [(64, 44), (128, 22), (256, 11), (512, 6)]),
        ("fusion-resnet18@imagenet-shape", [(64, 11), (128, 6), (256, 3), (512, 2)]),
    ],
)
def test_the_stages_of_resnet18_have_the_sizes_that_44_pixels_give(name: str, stages: list[tuple[int, int]]) -> None:
    with torch.device("meta"):
        net = _built(MODELS[name])
        seen: list[tuple[int, int]] = []
        for number in range(1, 5):
            layer = net.get_submodule(f"layer{number}")
            layer.register_forward_hook(lambda _m, _i, out: seen.append((out.shape[1], out.shape[2])))
        net(torch.zeros(2, 3, 44, 44))
    assert seen == stages


@pytest.mark.parametrize("name", ["fusion-vgg19", "fusion-vgg19@imagenet-shape"])
def test_the_five_maxima_of_vgg19_leave_one_pixel_of_44(name: str) -> None:
    with torch.device("meta"):
        net, x, seen = _built(MODELS[name]), torch.zeros(2, 3, 44, 44), []
        for layer in net.get_submodule("features").children():
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                seen.append((x.shape[1], x.shape[2]))
    assert seen == [(64, 22), (128, 11), (256, 5), (512, 2), (512, 1)]


def test_resnet18_never_looks_at_the_last_rows_and_columns_of_its_last_stage() -> None:
    net = _built(MODELS["fusion-resnet18"], width=8).eval()
    last: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, out: torch.Tensor) -> None:
        out.retain_grad()
        last.append(out)

    net.get_submodule("layer4").register_forward_hook(keep)
    net(torch.rand(1, 3, 44, 44)).sum().backward()
    assert last[0].grad is not None
    seen = last[0].grad[0].abs().sum(dim=0) > 0
    assert seen.shape == (6, 6)
    assert seen[:4, :4].all()
    assert not seen[4:].any()
    assert not seen[:, 4:].any()


@pytest.mark.parametrize("kind", ["resnet18", "vgg19"])
def test_the_imagenet_shape_gives_what_torchvisions_network_gives(kind: str) -> None:
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    model = MODELS[f"fusion-{kind}@imagenet-shape"]
    with torch.device("meta"):
        theirs, ours = getattr(torchvision.models, kind)(num_classes=7).eval(), _built(model).eval()
    shapes = {key: value.shape for key, value in theirs.state_dict().items()}
    assert {key: value.shape for key, value in ours.state_dict().items()} == shapes
    if kind == "vgg19":
        return  # 560 MB of weights, for layers whose order the shapes already give
    theirs, ours = theirs.to_empty(device="cpu"), ours.to_empty(device="cpu")
    torch.manual_seed(0)
    state = {key: torch.rand(shape) * 0.05 if shape else torch.tensor(0) for key, shape in shapes.items()}
    theirs.load_state_dict(state)
    ours.load_state_dict(state)
    x = torch.rand(2, 3, 36, 36)
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs(x), rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in NETWORKS if "@paper" not in name])
@pytest.mark.parametrize(("size", "channels"), [(36, 1), (64, 3)])
def test_a_narrow_network_takes_other_sizes_and_channels_and_all_of_it_learns(
    name: str, size: int, channels: int
) -> None:
    torch.manual_seed(0)
    net = _built(MODELS[name], size=size, channels=channels, width=8)
    logits = net(torch.rand(4, channels, size, size))
    assert logits.shape == (4, 7)
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_vgg19_refuses_pictures_that_vanish_and_names_the_setting() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: VGG19 needs pictures of 32 pixels or more"):
        _built(MODELS["fusion-vgg19"], size=28)


def test_each_element_of_the_gradient_is_cut_not_its_length() -> None:
    optimizer = MODELS["fusion-vgg19"].recipe.optimizer
    assert (optimizer.clip_value, optimizer.clip_norm) == (0.1, None)
    assert optimizer.model_dump(include={"name", "lr", "momentum", "weight_decay"}) == {
        "name": "sgd",
        "lr": 0.01,
        "momentum": 0.9,
        "weight_decay": 5e-4,
    }


def test_the_learning_rate_first_falls_at_epoch_85_and_every_five_from_there() -> None:
    from ferbench.training.schedule import LearningRate

    recipe = MODELS["fusion-vgg19"].recipe
    optimizer = torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr_factor": 1.0}], lr=0.01)
    rate = LearningRate(recipe.schedule, optimizer, recipe.optimizer.lr, 250, 250)
    found = {epoch: rate.before_step(epoch, epoch) for epoch in (0, 80, 84, 85, 89, 90, 249)}
    # epoch > 80 and (epoch - 80) // 5 tenths off, as the repository's loop computes it
    assert found == pytest.approx({epoch: 0.01 * 0.9 ** max(0, (epoch - 80) // 5) for epoch in found})


def test_logits_of_ten_crops_of_44_pixels_in_zero_to_one_are_averaged() -> None:
    recipe = MODELS["fusion-resnet18"].recipe
    assert recipe.tta.model_dump() == {"name": "ten-crop", "size": 44, "mean": "logit", "looks": True}
    assert recipe.augmentation[0].model_dump() == {"name": "random-crop", "size": 44}
    assert (recipe.input.size, recipe.input.channels, recipe.input.normalise) == (48, 3, "unit")


def test_the_papers_variants_differ_in_choosing_on_test_alone() -> None:
    for name in ("fusion-resnet18", "fusion-vgg19"):
        honest, paper = MODELS[name], MODELS[f"{name}@paper"]
        assert (honest.recipe.selection, paper.recipe.selection) == ("best-val", "oracle")
        assert paper.recipe.model_copy(update={"selection": "best-val"}) == honest.recipe
        assert paper.options == honest.options


def test_members_are_required_out_of_folds_unless_the_head_is_fitted_on_val() -> None:
    for name, folds in (("fusion", 5), ("fusion@imagenet-shape", 5), ("fusion@val", 0)):
        needed = requirements_of(MODELS[name], MODELS[name].options)
        assert {each.out_of_fold for each in needed.values()} == {folds}
        assert {each.gives for each in needed.values()} == {"scores"}
        assert MODELS[name].fits == ("train" if folds else "val")
    shapes = [each.model for each in requirements_of(MODELS["fusion"], ferbench_fusion.IMAGENET_MEMBERS).values()]
    assert shapes == ["fusion-resnet18@imagenet-shape", "fusion-vgg19@imagenet-shape"]


def test_eleven_members_stay_in_their_order() -> None:
    options = ferbench_fusion.FusionOptions(members=tuple(f"m{place}" for place in range(11)))
    roles = dict(ferbench_fusion.on_val(options))
    needed = [roles[role] for role in sorted(roles)]
    assert [each.model for each in needed if isinstance(each, Requirement)] == list(options.members)


def test_the_head_learns_which_member_to_believe_of_which_class() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    sure = np.full((600, 3), 0.1, np.float32)
    sure[np.arange(600), truth] = 0.8
    # One member tells class 0 from the rest and no more, the other 1 from 2 and nothing of 0: averages cannot know.
    first, second = sure.copy(), sure.copy()
    first[truth > 0] = (0.1, 0.45, 0.45)
    second[truth == 0] = (0.02, 0.49, 0.49)
    second[truth > 0] = second[truth > 0] * (0.1, 1.0, 1.0)
    second /= second.sum(axis=1, keepdims=True)
    first[rng.random(600) < 0.1] = 1 / 3
    inputs = {"member-01": first, "member-02": second.astype(np.float32)}
    head = FusionHead(penalty=1e-3)
    head.fit(TrainingData(inputs, truth), _context())
    scores = head.predict(inputs)
    assert np.allclose(scores.sum(axis=1), 1)
    assert (scores.argmax(axis=1) == truth).mean() > max(
        (each.argmax(axis=1) == truth).mean() for each in inputs.values()
    )


def test_the_head_comes_back_from_its_state_and_never_names_a_class_that_it_has_not_seen() -> None:
    scores = np.random.default_rng(0).dirichlet((1, 1, 1), 60).astype(np.float32)
    inputs, head = {"member-01": scores, "member-02": scores[:, ::-1].copy()}, FusionHead(penalty=0.01)
    head.fit(TrainingData(inputs, scores[:, :2].argmax(axis=1)), _context())
    again = FusionHead(penalty=0.01)
    again.restore(*head.state())
    assert np.array_equal(again.predict(inputs), head.predict(inputs))
    assert head.predict(inputs)[:, 2].max() < 1e-6


def test_a_member_that_is_certain_and_wrong_gives_no_infinities() -> None:
    wrong = np.eye(3, dtype=np.float32)[[1, 2, 0] * 10]
    head = FusionHead(penalty=1e-3)
    head.fit(TrainingData({"member-01": wrong, "member-02": wrong}, np.array([0, 1, 2] * 10)), _context())
    assert np.isfinite(head.predict({"member-01": wrong, "member-02": wrong})).all()


def test_the_suites_have_a_row_for_each_member_and_head_at_each_length() -> None:
    assert [row.name for row in SUITES["fer2013-fusion"].rows[:4]] == [
        "resnet18-20",
        "vgg19-20",
        "head-20",
        "head-val-20",
    ]
    assert [row.epochs for row in SUITES["fer2013-fusion"].rows[::4]] == [20, 30, 300]
    for suite in SUITES.values():
        assert all(row.models and set(row.models) <= set(MODELS) for row in suite.rows)


def test_the_theses_numbers_name_no_split_and_the_repositorys_are_oracles() -> None:
    numbers = [item for model in MODELS.values() for item in model.reported]
    assert {item.split for item in numbers if item.paper} == {"a split that is not stated"}
    assert {item.selection for item in numbers if not item.paper} == {"oracle"}
    assert len(numbers) == 2 * (6 + 6 + 3) + 3 * 3
    on_ck = {(item.protocol, item.value) for item in numbers if item.dataset == "ck-plus"}
    assert on_ck == {("index-10-fold", 0.94646), ("index-10-fold", 0.94040)}


def test_a_head_on_two_models_runs_and_its_row_says_that_val_was_used(tmp_path: Path) -> None:
    settings = {"run.threads": 1, "run.probe": False, "run.track": "never"}
    members = {"model.options.members": ["logistic-regression", "majority"]}
    result = ferbench.run("demo", models=["fusion@val"], seeds=1, out=tmp_path, device="cpu", set=settings | members)
    row = next(row for row in result.leaderboard.rows if str(row["model"]).startswith("fusion"))
    assert "val used for fitting" in row["notes"]
    assert row["accuracy_mean"] > 0.3, "the majority class has a quarter"


def test_the_plugin_module_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, ferbench_fusion; list(ferbench_fusion.ferbench_models()); list(ferbench_fusion.ferbench_suites())"
    )
    code += "; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
