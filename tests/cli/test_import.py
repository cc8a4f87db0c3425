"""``ferbench import``: predictions made elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferbench.data.registry import load
from ferbench.data.splits import make_splits
from ferbench.plugins import discover
from tests.cli.conftest import Command
from tests.contract import PLUGIN, Contract


@pytest.fixture
def predictions(contract: Contract, tmp_path: Path) -> Path:
    """All right, for the test side of the data set of squares."""
    dataset = discover(files=[PLUGIN]).dataset("squares")
    test = make_splits(load(dataset), dataset.default_protocol).test
    lines = [f"{name},{test.classes[int(label)]}" for name, label in zip(test.ids, test.targets, strict=True)]
    path = tmp_path / "predictions.csv"
    path.write_text("\n".join(["id,prediction", *lines]))
    return path


def test_a_file_becomes_a_row_and_the_table_is_printed(ferbench: Command, predictions: Path, tmp_path: Path) -> None:
    place = ("-d", "squares", "--protocol", "official", "--plugin", PLUGIN, "--out", tmp_path / "out")
    done = ferbench("import", predictions, *place, "--name", "their-net", "--selection", "best-val")
    assert done.code == 0
    assert "their-net" in done.out and "100.0" in done.out and "imported" in done.out


def test_a_file_that_does_not_fit_ends_with_one_message(ferbench: Command, predictions: Path, tmp_path: Path) -> None:
    predictions.write_text(predictions.read_text().replace("happiness", "hapiness"))
    place = ("-d", "squares", "--plugin", PLUGIN, "--out", tmp_path / "out")
    done = ferbench("import", predictions, *place, "--name", "x")
    assert (done.code, done.out) == (2, "")
    assert "Did you mean 'happiness'" in done.err and "Traceback" not in done.err
