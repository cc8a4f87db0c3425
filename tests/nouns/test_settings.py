"""Settings name every mistake at once, with its place and the nearest valid name."""

from __future__ import annotations

import random

import pytest

from ferbench import Cosine, Options, PadCrop, Plateau, Recipe, RunSettings, SettingsError, Stage, Step
from ferbench.nouns.recipe import Input
from ferbench.nouns.settings import revised, validated


def test_all_mistakes_are_named_at_once_with_their_places() -> None:
    wrong = {
        "epoch": 3,
        "batch_size": -1,
        "optimizer": {"name": "adm"},
        "augmentation": [{"name": "affine", "degre": 3}],
    }
    with pytest.raises(SettingsError) as caught:
        validated(Recipe, wrong, "recipe")
    message = str(caught.value)
    assert len(caught.value.problems) == 4
    assert "recipe.epoch: unknown key. Did you mean 'epochs'?" in message
    assert "recipe.batch_size: Input should be greater than 0 (given: -1)" in message
    assert "recipe.optimizer: 'adm' is not one of sgd, adam, adamw, radam, timm. Did you mean 'adam' or" in message
    assert "recipe.augmentation.0.degre: unknown key. Did you mean 'degrees'?" in message


def test_dotted_keys_revise_settings_and_unknown_ones_are_named() -> None:
    recipe = Recipe(augmentation=(PadCrop(),))
    assert revised(recipe, {"optimizer.lr": 0.5, "augmentation.0.padding": 2}).augmentation[0] == PadCrop(padding=2)
    with pytest.raises(SettingsError, match="Did you mean 'momentum'"):
        revised(recipe, {"optimizer.momentun": 0.5})
    with pytest.raises(SettingsError, match="nothing lies below it"):
        revised(recipe, {"epochs.x": 1})
    assert recipe.optimizer.lr == 0.01, "the original is untouched"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0, "fast"])
def test_a_learning_rate_that_is_no_positive_number_is_refused(value: object) -> None:
    with pytest.raises(SettingsError, match=r"  optimizer\.lr: Input should be") as caught:
        revised(Recipe(), {"optimizer.lr": value})
    assert len(caught.value.problems) == 1


def test_epochs_scale_milestones_and_stages() -> None:
    recipe = Recipe(epochs=100, schedule=Step(milestones=(50, 80))).with_epochs(10)
    assert (recipe.epochs, recipe.schedule) == (10, Step(milestones=(5, 8)))
    staged = Recipe(stages=(Stage(epochs=80), Stage(epochs=20, trainable=("head.*",)))).with_epochs(10)
    assert [stage.epochs for stage in staged.stages] == [8, 2]
    assert staged.total_epochs == 10


@pytest.mark.parametrize("epochs", range(1, 30))
def test_a_warm_up_stays_within_its_stage_however_few_epochs_there_are(epochs: int) -> None:
    """A cell reads its recipe as a suite is read, so that one which does not fit would fail there."""
    own = Recipe(stages=(Stage(epochs=4, schedule=Cosine(warmup_epochs=4)), Stage(epochs=20))).with_epochs(epochs)
    shared = Recipe(schedule=Cosine(warmup_epochs=4), stages=(Stage(epochs=4), Stage(epochs=20))).with_epochs(epochs)
    for recipe in (own, shared):
        assert validated(Recipe, recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize("factor", [[0.5], [0.5, 0.2, 0.1], [0.5, 1.5], 2.0])
def test_a_step_schedule_has_one_factor_or_one_for_each_milestone(factor: object) -> None:
    with pytest.raises(SettingsError, match="schedule"):
        validated(Recipe, {"schedule": {"name": "step", "milestones": [20, 40], "factor": factor}})


def test_stages_inherit_what_they_do_not_say() -> None:
    recipe = Recipe(schedule=Plateau(), stages=(Stage(epochs=1), Stage(epochs=2, schedule=Step(milestones=(1,)))))
    first, second = recipe.planned_stages()
    assert isinstance(first.schedule, Plateau)
    assert isinstance(second.schedule, Step)
    assert first.optimizer == recipe.optimizer


def test_a_stage_that_trains_on_val_cannot_be_selected_on_val() -> None:
    stages = [{"epochs": 1, "sides": ["train", "val"]}]
    with pytest.raises(SettingsError, match="trains on val"):
        validated(Recipe, {"stages": stages})
    assert validated(Recipe, {"stages": stages, "selection": "last"}).total_epochs == 1


def test_settings_are_frozen_and_hashable_data() -> None:
    assert Recipe.model_validate(Recipe(epochs=3).model_dump(mode="json")) == Recipe(epochs=3)
    with pytest.raises(ValueError, match="frozen"):
        Input().size = 3  # type: ignore[misc]
    assert RunSettings().checkpoint_seconds == 60


class Parts(Options):
    """Options that hold sets."""

    names: frozenset[str] = frozenset({"nose", "eyes", "mouth", "brows"})
    nested: tuple[frozenset[int], ...] = (frozenset({300, 7, 40000}),)
    inner: Parts | None = None


def test_sets_among_options_have_one_order_in_every_process() -> None:
    """Options are part of a cell's id; a set of text is in another order wherever hashes are seeded otherwise."""
    for _ in range(20):
        plain = Parts(names=frozenset(random.sample(["nose", "eyes", "mouth", "brows"], 4))).model_dump(mode="json")
        assert plain["names"] == ["brows", "eyes", "mouth", "nose"]
        assert plain["nested"] == [[300, 40000, 7]]
    assert Parts(inner=Parts()).model_dump(mode="json")["inner"]["names"] == ["brows", "eyes", "mouth", "nose"]
    assert validated(Parts, Parts().model_dump(mode="json")) == Parts()
