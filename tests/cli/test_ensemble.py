"""``ferbench ensemble``: stored predictions joined into a row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ferbench.store.files import write_json
from ferbench.store.predictions import write_predictions
from ferbench.store.store import CellFolder, Store
from tests.cli.conftest import Command, Finished
from tests.contract import PLUGIN, Contract

KEYS = {"name", "rule", "row", "cells", "decided", "metric", "members", "val", "test", "best_member", "difference"}


def test_rows_are_joined_seed_by_seed_and_nothing_is_trained(ferbench: Command, finished: Finished) -> None:
    done = ferbench("ensemble", "tiny", "student", "nearest", "--out", finished.out, "--plugin", PLUGIN, "--json")
    assert done.code == 0
    assert set(done.json) == KEYS
    once = finished.cell("nearest").id
    wanted = [[finished.cell("tiny", s).id, finished.cell("student", s).id, once] for s in (0, 1)]
    assert list(done.json["cells"].values()) == wanted, "a model without seeds goes with every seed"
    for key, joined in done.json["cells"].items():
        cell, members = CellFolder(finished.out / "cells" / key), [finished.out / "cells" / each for each in joined]
        scores = np.mean([CellFolder(path).predictions().scores for path in members], axis=0)
        np.testing.assert_allclose(cell.predictions().scores, scores, atol=1e-6)
        assert not list(cell.path.glob("*.safetensors"))


def test_the_row_stands_in_the_table_beside_its_members(ferbench: Command, finished: Finished) -> None:
    done = ferbench("ensemble", "tiny", "nearest", "--rule", "class-tree", "--out", finished.out, "--plugin", PLUGIN)
    assert "Against" in done.out and "paired bootstrap" in done.out and "(best on val)" in done.out
    shown = ferbench("leaderboard", "--out", finished.out, "--format", "json")
    rows = {row["model"]: row for row in shown.json["rows"]}
    assert rows["ensemble-class-tree"]["kind"] == "measured"
    assert rows["ensemble-class-tree"]["rank"] is not None
    assert "ensemble of tiny, nearest" in rows["ensemble-class-tree"]["notes"]
    assert "val used for fitting" in rows["ensemble-class-tree"]["notes"]


def test_the_same_again_gives_the_same_bytes_and_no_further_row(ferbench: Command, finished: Finished) -> None:
    ask = ("ensemble", "tiny", "student", "--choose", "2", "--weights", "--out", finished.out, "--plugin", PLUGIN)
    first = ferbench(*ask, "--json").json
    (key, *_) = first["cells"]
    path = finished.out / "cells" / key / "predictions.parquet"
    before, runs = path.read_bytes(), Store(finished.out).run_ids()
    assert ferbench(*ask, "--json").json == first
    assert path.read_bytes() == before
    assert Store(finished.out).run_ids() == runs


def test_cells_are_joined_by_id_whatever_their_seeds(ferbench: Command, finished: Finished) -> None:
    names = [finished.cell("tiny", seed).id[:8] for seed in (0, 1)]
    done = ferbench("ensemble", *names, "--rule", "vote", "--out", finished.out, "--plugin", PLUGIN, "--json")
    assert list(done.json["cells"].values()) == [[finished.cell("tiny", seed).id for seed in (0, 1)]]


def test_a_dry_run_names_cells_and_writes_nothing(ferbench: Command, finished: Finished) -> None:
    before = sorted(path.name for path in (finished.out / "cells").iterdir())
    done = ferbench("ensemble", "tiny", "student", "--out", finished.out, "--plugin", PLUGIN, "--dry-run")
    assert done.code == 0
    assert done.out.count("└─ tiny") == 2
    assert sorted(path.name for path in (finished.out / "cells").iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tiny", "studnet"), "Did you mean 'student'"),
        (("tiny", "tiny"), "named twice"),
        (("tiny",), "two members or more"),
        (("tiny", "student", "--rule", "vote", "--weights"), "--weights: are of the rule mean"),
        (("tiny", "student", "--diversity", "disagreement"), "--choose N"),
        (("tiny", "student", "--choose", "3"), "give 2 to 2"),
        (("tiny", "student", "--name", "nearest"), "is an installed model"),
    ],
)
def test_what_makes_no_ensemble_is_refused(
    ferbench: Command, finished: Finished, arguments: tuple[str, ...], words: str
) -> None:
    done = ferbench("ensemble", *arguments, "--out", finished.out, "--plugin", PLUGIN)
    assert (done.code, done.out) == (2, "")
    assert words in done.err and "Traceback" not in done.err


def test_members_of_different_protocols_are_refused(ferbench: Command, contract: Contract) -> None:
    result = contract.run(models=["nearest"], datasets=["squares", "squares@two-classes"], seeds=1)
    names = [cell.id[:8] for cell in contract.cells(result)]
    done = ferbench("ensemble", *names, "--out", result.out, "--plugin", PLUGIN)
    assert done.code == 2
    assert "protocol official and two-classes" in done.err
    both = ferbench("ensemble", "nearest", "nearest", "--out", result.out, "--plugin", PLUGIN)
    assert "means 2 rows of the run" in both.err


def test_an_ensemble_is_neither_evaluated_again_nor_used_to_predict(ferbench: Command, finished: Finished) -> None:
    made = ferbench("ensemble", "tiny", "student", "--out", finished.out, "--plugin", PLUGIN, "--json").json
    again = ferbench("evaluate", next(iter(made["cells"])), "--out", finished.out)
    assert again.code == 2
    assert "ensemble of stored predictions" in again.err


def marked(finished: Finished, model: str, **facts: object) -> None:
    """Change the facts of a model's cells."""
    for cell in [cell for cell in Store(finished.out).cells if cell.record["row"]["model"] == model]:
        record = cell.record
        write_json(cell.path / "cell.json", record | {"facts": record["facts"] | facts})


def test_what_marks_a_member_marks_the_ensemble_whatever_their_order(ferbench: Command, finished: Finished) -> None:
    shared = finished.cell("tiny").record["facts"]["notes"]
    marked(finished, "student", kind="imported", oracle_in=["teacher net"], notes=["WARNING: doubtful", *shared])
    marked(finished, "tiny", modified=["epochs"], epochs=4, recipe_epochs=40)
    for names in (("tiny", "student"), ("student", "tiny")):
        done = ferbench("ensemble", *names, "--out", finished.out, "--plugin", PLUGIN, "--json")
        board = ferbench("leaderboard", "--out", finished.out, "--plugin", PLUGIN, "--format", "json").json
        (row,) = [row for row in board["rows"] if row["model"] == "ensemble-mean" and done.json["row"] == row["row_id"]]
        assert (row["kind"], row["selection"], row["rank"]) == ("imported", "oracle", None)
        assert "student: WARNING: doubtful" in row["notes"]
        assert "try-out: tiny, 4 epochs instead of 40" in row["notes"]


@pytest.mark.parametrize("rule", [("--rule", "class-tree"), ("--weights",), ("--choose", "2")])
def test_val_decides_nothing_over_a_member_that_was_trained_on_it(
    ferbench: Command, finished: Finished, rule: tuple[str, ...]
) -> None:
    marked(finished, "student", val_in=["teacher net"])
    ask = ("ensemble", "tiny", "student", "--out", finished.out, "--plugin", PLUGIN)
    refused = ferbench(*ask, *rule)
    assert refused.code == 2
    assert "student: was trained or fitted on val" in refused.err
    assert ferbench(*ask).code == 0


def test_why_a_members_predictions_cannot_be_read_is_told(ferbench: Command, finished: Finished) -> None:
    cell = finished.cell("student")
    predictions = cell.predictions()
    write_predictions(cell.path / "predictions.parquet", replace(predictions, scores=predictions.scores[::-1]))
    done = ferbench("ensemble", finished.cell("tiny").id, cell.id, "--out", finished.out, "--plugin", PLUGIN)
    assert done.code == 2
    assert "predictions.parquet" in done.err
