"""Intervals of the transfer matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from ferbench.nouns.recipe import Recipe
from ferbench.reporting.transfer import transfer_matrix
from ferbench.store.files import write_json
from ferbench.store.predictions import Predictions, write_predictions
from tests.reporting.boards import METRICS, board, by_model

if TYPE_CHECKING:
    from tests.reporting.conftest import OutFolder

ACCURACY = METRICS["accuracy"]
RECIPE = Recipe().model_dump(mode="json")


def test_groups_are_resampled_whole_wherever_a_model_was_trained(out: OutFolder) -> None:
    subjects = [f"p{index // 30}" for index in range(out.n)]
    out.table(["test"] * out.n, list(range(out.n)), "by-subject", subject=subjects)
    right = np.arange(out.n) < 180
    scores = np.eye(3, dtype=np.float32)[np.where(right, out.targets, (out.targets + 1) % 3)]
    out.cell("there", scores, recipe=RECIPE, protocol="by-subject", facts={"unit": "subject"})
    elsewhere = out.cell("here", scores, dataset="other", fingerprint="e" * 20, recipe=RECIPE)
    folder = out.out / "cells" / elsewhere / "evaluations" / "1"
    place = {"dataset": "fer2013", "protocol": "by-subject", "fingerprint": "f" * 20}
    write_json(folder / "evaluation.json", {**place, "weights": "best", "tta": RECIPE["tta"]})
    write_json(folder / "metrics.json", {"test": {"accuracy": 0.6}})
    side, ids = np.full(out.n, "test"), np.array(out.ids)
    write_predictions(folder / "predictions.parquet", Predictions(side, ids, out.targets, scores, out.classes))
    out.run()

    fields = {(field.method, field.tested): field for field in transfer_matrix([out.out], ACCURACY)}
    own, moved = fields["there", "fer2013@by-subject"], fields["here", "fer2013@by-subject"]
    plain = fields["here", "other@official"]
    assert own.mean == moved.mean == plain.mean == pytest.approx(0.6)
    for field in (own, moved):
        assert field.ci_high - field.ci_low > 3 * (plain.ci_high - plain.ci_low)
    row = by_model(board(out))["there"]
    assert own.ci_high - own.ci_low == pytest.approx(row["accuracy_ci_high"] - row["accuracy_ci_low"], rel=0.1)
