"""Runs on a data set that a suite composes of others."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import ferbench
from ferbench.plugins import discover
from tests.contract import PLUGIN, Contract

SUITE = """
name = "together"
datasets = ["compose:three-moods"]
models = ["majority"]
seeds = [0]

[compose.three-moods]
datasets = ["demo@subject-disjoint", "squares"]
classes = ["happiness", "sadness", "neutral"]
size = 16

[set]
"run.threads" = 1
"run.probe" = false
"""


def test_a_suite_composes_a_data_set_and_runs_on_it(
    contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell's own process finds it by its name, with the plugins of all its parts; it stays known afterwards."""
    monkeypatch.setenv("FERBENCH_DATA", str(contract.out.with_name("data")))  # where that process looks
    suite, out = tmp_path / "together.toml", tmp_path / "out"
    suite.write_text(SUITE)
    result = ferbench.run(str(suite), out=out, plugins=[PLUGIN])
    assert not result.failed and len(result.done) == 1
    assert {row["dataset"] for row in result.leaderboard.rows} == {"compose:three-moods"}
    dataset, protocol = discover(files=[PLUGIN]).place("compose:three-moods@composed")
    assert (dataset.synthetic, protocol) == (True, "composed")
    (table,) = (out / "datasets").glob("*.parquet")
    assert set(pq.read_table(table)["source"].to_pylist()) == {"demo", "squares"}
