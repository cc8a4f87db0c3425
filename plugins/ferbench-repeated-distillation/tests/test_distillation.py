"""Repeated distillation: the student's two heads, the two losses, and the chain of teachers."""

from __future__ import annotations

import math
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import ferbench_repeated_distillation as plugin
import numpy as np
import pytest
import torch
from ferbench_repeated_distillation.network import Student, build_student, joined
from ferbench_repeated_distillation.objective import Distillation
from torch.nn import functional as F

from ferbench import Batch, NetSpec, SettingsError, StepContext, StepResult
from ferbench.nouns.requirement import requirements_of

MODELS = {model.full_name: model for model in plugin.ferbench_models()}
SPEC = NetSpec(classes=7, channels=1, size=32)
TINY: dict[str, Any] = {"patch": 8, "width": 16, "depth": 2, "heads": 2, "drop_path": 0.0}


def _student(**options: Any) -> Student:
    torch.manual_seed(0)
    return build_student(SPEC, **TINY | options)


def _step(student: Student, target: torch.Tensor, taught: torch.Tensor, **options: Any) -> StepResult:
    """One call of the objective, with a teacher that says ``taught`` of every batch."""
    settings = plugin.HARD.model_dump() | options
    teacher = cast("Any", SimpleNamespace(logits=lambda batch: taught))
    context = StepContext(
        0, 0, 0, tuple("abcdefg"), torch.device("cpu"), np.random.default_rng(0), {"teacher": teacher}
    )
    batch = Batch({"image": _pictures(len(target))}, target)
    return Distillation(SPEC, **settings)(student, batch, context)


def _pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(1))


def test_the_default_student_is_deit_tiny_with_two_tokens_and_two_heads() -> None:
    with torch.device("meta"):
        net = build_student(NetSpec(classes=7, channels=1, size=224))
    # DeiT-Ti distilled has 5,910,800 at 3 channels and 1,000 classes (Touvron et al. 2021, timm).
    two_channels, classes = 2 * 16 * 16 * 192, 2 * 993 * 193
    assert sum(p.numel() for p in net.parameters()) == 5_910_800 - two_channels - classes == 5_429_198
    shapes = {name: tuple(parameter.shape) for name, parameter in net.vit.named_parameters()}
    assert shapes["pos_embed"] == (1, 14 * 14 + 2, 192)
    assert shapes["dist_token"] == (1, 1, 192)
    assert len({name.split(".")[1] for name in shapes if name.startswith("blocks.")}) == 12


def test_both_heads_are_averaged_as_probabilities() -> None:
    student = _student().eval()
    heads = student(_pictures(4), separate=True)
    assert heads.shape == (2, 4, 7)
    assert torch.allclose(student(_pictures(4)).softmax(1), heads.softmax(2).mean(0), atol=1e-6)
    assert torch.allclose(joined(heads, "logit"), heads.mean(0))
    assert torch.equal(joined(heads, "class"), heads[0])
    assert torch.equal(joined(heads, "distillation"), heads[1])


def test_the_hard_loss_is_half_the_truth_and_half_the_teachers_choice() -> None:
    student, target, taught = _student(), torch.tensor([0, 1, 2, 3]), torch.eye(7)[[6, 5, 4, 3]] * 5
    heads = student(_pictures(4), separate=True)
    wanted = (F.cross_entropy(heads[0], target) + F.cross_entropy(heads[1], torch.tensor([6, 5, 4, 3]))) / 2
    result = _step(student, target, taught)
    assert torch.allclose(result.loss, wanted)
    assert result.scores.shape == (4, 7)


def test_the_soft_loss_is_zero_where_the_student_says_what_the_teacher_says() -> None:
    student, target = _student(), torch.tensor([0, 1, 2, 3])
    heads = student(_pictures(4), separate=True).detach()
    same = _step(student, target, heads[1] + 3.0, form="soft", share=0.1)
    assert float(same.logs["imitation"]) == pytest.approx(0, abs=1e-6)
    assert float(same.logs["agreement"]) == 1
    taught = heads[1].flip(1) * 4
    other = _step(student, target, taught, form="soft", share=0.1, temperature=2.0)
    p, q = (taught / 2).softmax(1), (heads[1] / 2).softmax(1)
    divergence = (p * (p / q).log()).sum(1).mean()
    assert torch.allclose(other.loss, 0.9 * F.cross_entropy(heads[0], target) + 0.1 * 4 * divergence, atol=1e-5)


@pytest.mark.parametrize("form", ["hard", "soft"])
def test_the_teacher_moves_the_distillation_head_and_the_truth_the_class_head(form: str) -> None:
    moved: dict[str, list[Any]] = {}
    for what, target, taught in (("truth", 1, 0), ("teacher", 0, 1), ("neither", 0, 0)):
        student = _student()
        _step(student, torch.full((4,), target), torch.eye(7)[[taught] * 4], form=form).loss.backward()
        gradients = {name: parameter.grad for name, parameter in student.vit.named_parameters()}
        moved[what] = [gradients["head.weight"], gradients["head_dist.weight"]]
    unmoved = moved["neither"]
    assert not torch.equal(moved["truth"][0], unmoved[0])
    assert torch.equal(moved["truth"][1], unmoved[1])
    assert torch.equal(moved["teacher"][0], unmoved[0])
    assert not torch.equal(moved["teacher"][1], unmoved[1])


def test_labels_that_cutmix_made_soft_are_taken() -> None:
    target = torch.full((4, 7), 1 / 7)
    result = _step(_student(), target, torch.zeros(4, 7))
    assert math.isfinite(float(result.loss.detach()))


def test_each_round_is_taught_by_the_round_before_and_the_first_by_the_named_teacher() -> None:
    for name, base in (("distilled-deit@repeated", "distilled-deit"), ("distilled-deit@soft", "distilled-deit@soft")):
        options = MODELS[name].options.model_copy(update={"rounds": 3, "teacher": "small-cnn"})
        chain = []
        while options.rounds > 1:  # type: ignore[attr-defined]
            (needed,) = requirements_of(MODELS[name], options).values()
            changed = {key for key, value in needed.options.items() if value != getattr(options, key)}
            assert changed == {"rounds"}
            chain.append(needed.model)
            options = type(options)(**needed.options)
        (first,) = requirements_of(MODELS[name], options).values()
        assert [*chain, first.model] == [base, base, "small-cnn"]


@pytest.mark.parametrize(("option", "value"), [("patch", 5), ("heads", 3)])
def test_what_does_not_divide_is_refused_by_the_name_of_its_setting(option: str, value: int) -> None:
    with pytest.raises(SettingsError, match=rf"model\.options\.{option}: .* evenly"):
        _student(**{option: value})


def test_the_recipe_is_that_of_the_reports_deit() -> None:
    for model in MODELS.values():
        assert model.recipe == plugin.RECIPE
        assert (model.recipe.epochs, model.recipe.batch_size, model.recipe.input.size) == (145, 64, 224)
        assert (model.recipe.optimizer.lr, model.recipe.optimizer.weight_decay) == (1.5e-4, 1e-4)


def test_the_suite_has_the_teacher_and_every_round_of_both_forms() -> None:
    (suite,) = plugin.ferbench_suites()
    assert [row.name for row in suite.rows] == ["teacher", "hard-1", "hard-2", "hard-3", "soft-1", "soft-2", "soft-3"]


def test_the_plugin_module_imports_neither_torch_nor_timm() -> None:
    code = "import sys, ferbench_repeated_distillation as p; list(p.ferbench_models()); list(p.ferbench_suites())"
    code += "; print('torch' in sys.modules, 'timm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
