"""Rules for batches, and cells that a sampler requires."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ferbench.evaluating.scoring import read_weights
from tests.contract import Contract
from tests.contract_plugin import squares

SAMPLING = Path(__file__).with_name("sampler_plugin.py")


def test_an_estimator_is_fitted_on_one_batch_of_a_sampler_s_rule(contract: Contract) -> None:
    result = contract.run(models=["nearest"], samplers=["one-of-each"], seeds=1, plugins=[SAMPLING])
    cell = contract.cell(result, sampler="one-of-each")
    facts = json.loads((cell.path / "sampler.json").read_text())
    assert [each["after"] for each in facts["classes"].values()] == [1, 1, 1, 1]
    pictures, labels, _ = squares()
    first = np.unique(labels[:160], return_index=True)[1]
    means = read_weights(cell.path / "best.safetensors")["means"].numpy()
    np.testing.assert_allclose(means, pictures[first].reshape(4, -1) / 255, rtol=1e-5)


def test_a_sampler_s_rule_for_batches_never_sees_val_where_that_is_trained_on(contract: Contract) -> None:
    result = contract.run(models=["both-sides"], samplers=["one-of-each"], seeds=1, plugins=[SAMPLING])
    history = contract.cell(result, sampler="one-of-each").history()
    assert [int(row["samples"]) for row in history] == [4, 4, 4 + 40]


def test_a_sampler_may_require_the_model_that_it_samples_for_and_see_its_features(contract: Contract) -> None:
    result = contract.run(models=["tiny"], samplers=["by-features"], seeds=1, plugins=[SAMPLING])
    cell = contract.cell(result, sampler="by-features")
    judge = contract.cell(result, sampler="plain", model="tiny")
    assert cell.record["requires"] == {"judge": judge.id}
    (removed,) = json.loads((cell.path / "sampler.json").read_text())["removed"]
    assert removed["reason"] == "features of 160 samples, 32 numbers each"
