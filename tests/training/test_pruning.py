"""Stages that hold a share of the weights at zero."""

from __future__ import annotations

from typing import Any

import torch

from ferbench import EMA, SGD, Recipe, Stage
from tests.training.tiny import SIGNED, Memory, loaded, trained

DENSE_SPARSE_DENSE = Recipe(
    batch_size=12,
    optimizer=SGD(lr=0.05),
    input=SIGNED,
    stages=(Stage(epochs=2), Stage(epochs=2, sparsity=0.5), Stage(epochs=2)),
)


def zeros(weights: dict[str, Any]) -> dict[str, float]:
    """The share of zeros in the weights of layers, and in all other parameters together."""
    layers = {name: value for name, value in weights.items() if name.endswith("weight") and value.ndim > 1}
    return {name: float((value == 0).float().mean()) for name, value in layers.items()}


def test_the_smallest_half_of_each_layer_is_zero_while_the_stage_lasts() -> None:
    watch = Memory()
    trained(DENSE_SPARSE_DENSE, watch)
    states = [loaded(kept)["net"] for kept in watch.kept]
    assert [set(zeros(state).values()) for state in states] == [{0.0}, {0.0}, {0.5}, {0.5}, {0.0}, {0.0}]
    before, during = states[1], states[2]
    for name in zeros(during):
        gone, left = before[name][during[name] == 0].abs(), before[name][during[name] != 0].abs()
        assert gone.max() <= left.min(), "by magnitude, when the stage begins"


def test_biases_and_norms_stay_dense() -> None:
    watch = Memory()
    trained(DENSE_SPARSE_DENSE, watch)
    state = loaded(watch.kept[3])["net"]
    others = [value for name, value in state.items() if value.is_floating_point() and value.ndim == 1]
    assert others and not any((value == 0).all() for value in others)


def test_a_sparse_stage_that_goes_on_gives_the_same_weights() -> None:
    watch = Memory()
    whole = trained(DENSE_SPARSE_DENSE, watch)
    resumed = trained(DENSE_SPARSE_DENSE, Memory(watch.kept[2]))
    assert all(torch.equal(value, resumed.last[name]) for name, value in whole.last.items())


def test_averaged_weights_are_sparse_as_well() -> None:
    recipe = DENSE_SPARSE_DENSE.model_copy(update={"stages": (Stage(epochs=2, sparsity=0.25),), "ema": EMA(decay=0.5)})
    assert all(abs(share - 0.25) < 0.05 for share in zeros(trained(recipe).last).values())
