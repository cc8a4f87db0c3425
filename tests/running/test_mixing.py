"""Recipes that mix samples are planned for those models and labels alone that take what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from ferbench import (
    BinaryCrossEntropy,
    CrossEntropy,
    CutMix,
    Model,
    Recipe,
    SettingsError,
    SquaredError,
    Stage,
)
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.losses import Loss
from ferbench.running.records import Configured, unsuited
from tests.contract import Contract

MIXING = {"recipe.augmentation": [{"name": "mixup"}]}


def build(spec: Any) -> Any:
    raise AssertionError("planning builds no network")


def why(kind: LabelKind, recipe: Recipe, **model: Any) -> str:
    """What is said against a recipe where training labels are of this kind."""
    return unsuited(
        (kind, "real" if kind == "real" else "hard"), Configured(Model("net", build=build, **model), recipe, {}, ())
    )


def test_an_objective_of_hard_labels_alone_is_left_out_before_anything_is_trained(contract: Contract) -> None:
    with pytest.raises(
        SettingsError, match="centred on squares@official: mixup makes soft labels, and the model takes hard ones alone"
    ):
        contract.run(datasets=["squares"], models=["centred"], set=MIXING)


@pytest.mark.parametrize("kind", ["hard", "drawn"])
def test_single_labels_become_soft_ones_which_a_model_must_take(kind: LabelKind) -> None:
    mixing = Recipe(augmentation=(CutMix(),))
    assert "cutmix makes soft labels, and the model takes hard, drawn" in why(
        kind, mixing, label_kinds=("hard", "drawn")
    )
    assert why(kind, mixing) == ""
    assert why(kind, Recipe(), label_kinds=("hard", "drawn")) == ""


def test_a_stage_that_mixes_counts_as_well() -> None:
    recipe = Recipe(stages=(Stage(epochs=1), Stage(epochs=1, augmentation=(CutMix(),))))
    assert "cutmix" in why("hard", recipe, label_kinds=("hard",))


def test_labels_any_of_which_is_right_cannot_be_mixed() -> None:
    assert "cutmix" in why("accepted", Recipe(augmentation=(CutMix(),)))


@pytest.mark.parametrize(
    ("kind", "loss"), [("soft", CrossEntropy()), ("multi-hot", BinaryCrossEntropy()), ("real", SquaredError())]
)
def test_other_labels_stay_of_their_kind(kind: LabelKind, loss: Loss) -> None:
    assert why(kind, Recipe(augmentation=(CutMix(),), loss=loss), label_kinds=(kind,)) == ""
