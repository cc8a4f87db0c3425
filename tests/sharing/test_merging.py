"""Results travel: what was packed in one place stands in another's leaderboard, and says where it comes from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ferbench
from ferbench import DataError, StoreError, UnknownNameError
from ferbench.identity import RowKey, cell_id
from ferbench.plugins import Installed, discover
from ferbench.running.api import make_leaderboard
from ferbench.running.importing import Origin, import_predictions
from ferbench.sharing.merging import Merged, merge_packs
from ferbench.store.files import write_json
from ferbench.store.predictions import write_predictions
from ferbench.store.store import SEALED, CellFolder, Store
from tests.contract import PLUGIN, Contract
from tests.sharing.conftest import Source, Tampered


def rows_of(out: Path, installed: Installed) -> dict[str, dict[str, object]]:
    return {row["model"]: row for row in make_leaderboard([out], installed).rows}


def outcomes(done: Merged) -> dict[str, str]:
    return {cell.label.partition(" ")[0]: cell.outcome for cell in done.cells}


def altered(folder: CellFolder, **environment: object) -> None:
    """Let a cell have other predictions, and say that its environment was another."""
    found = folder.predictions()
    found.scores[0] = found.scores[0][::-1] + np.float32(0.01)
    write_predictions(folder.path / "predictions.parquet", found)
    write_json(folder.path / "environment.json", {**folder.environment, **environment})
    folder.seal(*SEALED)


def test_the_leaderboard_elsewhere_is_the_same(source: Source, installed: Installed, tmp_path: Path) -> None:
    done = ferbench.merge(source.pack, out=tmp_path / "home", plugins=[PLUGIN])
    assert set(outcomes(done).values()) == {"merged"}
    theirs, ours = rows_of(source.out, installed), rows_of(tmp_path / "home", installed)
    assert list(theirs) == list(ours) == ["tiny", "student", "nearest"]
    for model, row in ours.items():
        assert {**row, "notes": ""} == {**theirs[model], "notes": ""}
        assert "merged from results.tar.gz, trained elsewhere (" in str(row["notes"])
        assert "samples, labels and metrics were checked here" in str(row["notes"])


def test_the_same_cells_give_the_same_bytes(source: Source, tmp_path: Path) -> None:
    again = ferbench.pack(out=source.out, file=tmp_path / "again.tar.gz")
    assert again.file.read_bytes() == source.pack.read_bytes()
    ferbench.merge(source.pack, out=tmp_path / "home", plugins=[PLUGIN])
    home = ferbench.pack(out=tmp_path / "home", file=tmp_path / "home.tar.gz")
    assert home.file.read_bytes() == source.pack.read_bytes()


def test_the_same_pack_again_changes_nothing(source: Source, installed: Installed, tmp_path: Path) -> None:
    out = tmp_path / "home"
    first = merge_packs([source.pack], out, installed)
    before = {path: path.read_bytes() for path in out.rglob("*.json")}
    again = merge_packs([source.pack, source.pack], out, installed)
    assert set(outcomes(again).values()) == {"already here"}
    assert again.run_id == first.run_id
    assert {path: path.read_bytes() for path in out.rglob("*.json")} == before


def test_rows_join_those_that_are_there(
    contract: Contract, source: Source, installed: Installed, tmp_path: Path
) -> None:
    out = tmp_path / "home"
    contract.run(out, models=["centred"], seeds=1)
    merge_packs([source.pack], out, installed)
    assert set(rows_of(out, installed)) == {"centred", "tiny", "student", "nearest"}
    again = contract.run(out, models=["tiny"], seeds=1)
    assert Store(out).cell(again.done[0]).status["merged"]["pack"] == "results.tar.gz", "it is not trained again"


def test_what_a_pack_holds_can_be_chosen(source: Source, tmp_path: Path) -> None:
    tiny, student = source.cell("tiny").id, source.cell("student").id

    def packed(*cells: str, **options: Any) -> set[str]:
        done = ferbench.pack(cells, out=source.out, file=tmp_path / "some.tar.gz", **options)
        return set(done.cells)

    assert packed(tiny[:8]) == {tiny}
    assert packed(student) == {student, tiny}, "what a cell requires comes with it"
    assert packed(models=["tiny"], datasets=["squares@official"]) == {tiny}
    assert packed(run="latest") == packed()
    assert source.cell("raising").id in packed(failed=True)
    mistakes: list[dict[str, Any]] = [{"models": ["tinny"]}, {"datasets": ["squares@3-fold"]}, {"cells": ["no-row"]}]
    for mistake in mistakes:
        with pytest.raises(UnknownNameError):
            ferbench.pack(out=source.out, file=tmp_path / "none.tar.gz", **mistake)
    with pytest.raises(StoreError, match=r"No finished cell .*\n  raising · squares@official · seed 0: failed"):
        ferbench.pack(models=["raising"], out=source.out, file=tmp_path / "none.tar.gz")
    assert not (tmp_path / "none.tar.gz").exists()


def test_rows_are_packed_by_the_names_that_a_suite_gives_them(
    source: Source, installed: Installed, tmp_path: Path
) -> None:
    shutil.copytree(source.out, tmp_path / "out")
    store = Store(tmp_path / "out")
    tiny = source.cell("tiny")
    store.write_run({**store.run(), "rows": {tiny.record["row_id"]: "the small one"}})
    done = ferbench.pack(["the small one"], out=store.out, file=tmp_path / "some.tar.gz")
    assert done.cells == (tiny.id,)
    merge_packs([done.file], tmp_path / "home", installed)
    assert rows_of(tmp_path / "home", installed)["tiny"]["row"] == "the small one"


def test_a_required_cell_that_is_gone_is_named(source: Source, installed: Installed, tmp_path: Path) -> None:
    shutil.copytree(source.out, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "cells" / source.cell("tiny").id)
    done = ferbench.pack(models=["student"], out=tmp_path / "out", file=tmp_path / "some.tar.gz")
    assert list(done.missing) == [source.cell("tiny").id]
    (cell,) = merge_packs([done.file], tmp_path / "home", installed).cells
    assert cell.missing == (source.cell("tiny").id,)


def test_weights_stay_unless_they_are_asked_for(source: Source, installed: Installed, tmp_path: Path) -> None:
    out = tmp_path / "home"
    merge_packs([source.pack], out, installed)
    assert not list(out.rglob("*.safetensors"))
    heavy = ferbench.pack(out=source.out, file=tmp_path / "heavy.tar.gz", weights="best")
    assert heavy.weights == 3
    assert set(outcomes(merge_packs([heavy.file], out, installed)).values()) == {"weights added"}
    assert len(list(out.rglob("best.safetensors"))) == 3


def test_neither_places_nor_logs_of_good_cells_travel(source: Source, tampered: Tampered) -> None:
    assert not [name for name in tampered.files if name.endswith("log.txt")]
    text = b"".join(content for name, content in tampered.files.items() if name.endswith(".json")).decode()
    assert str(Path(__file__).parents[2]) not in text and str(source.out) not in text


def test_failed_cells_come_with_their_cause(source: Source, installed: Installed, tmp_path: Path) -> None:
    done = ferbench.pack(out=source.out, file=tmp_path / "all.tar.gz", failed=True)
    merge_packs([done.file], tmp_path / "home", installed)
    (failure,) = make_leaderboard([tmp_path / "home"], installed).failures
    assert failure.cause == "ValueError: this method is broken"
    assert "Traceback" in (tmp_path / "home" / "cells" / failure.cell / "log.txt").read_text()


def test_a_failed_cell_never_replaces_anything(source: Source, installed: Installed, tmp_path: Path) -> None:
    failed = ferbench.pack(models=["raising"], out=source.out, file=tmp_path / "failed.tar.gz", failed=True)
    out = tmp_path / "home"
    merge_packs([failed.file], out, installed)
    folder = Store(out).cell(failed.cells[0])
    folder.set_status("planned")
    assert set(outcomes(merge_packs([failed.file], out, installed)).values()) == {"already here"}
    folder.set_status("running")
    assert "merged" not in folder.status, "what is trained here is no merged cell any more"


def test_rows_of_unknown_data_are_shown_without_a_rank_until_the_data_are_there(
    source: Source, installed: Installed, tmp_path: Path
) -> None:
    out, stranger = tmp_path / "home", discover()
    done = merge_packs([source.pack], out, stranger)
    assert {cell.labels for cell in done.cells} == {"no plugin here has squares@official"}
    row = rows_of(out, stranger)["tiny"]
    assert (row["kind"], row["rank"]) == ("merged", None)
    assert row["accuracy_mean"] == rows_of(source.out, installed)["tiny"]["accuracy_mean"]
    assert "not ranked: its labels were not checked here (no plugin here has squares@official)" in str(row["notes"])
    again = merge_packs([source.pack], out, installed)
    assert set(outcomes(again).values()) == {"checked anew"}
    assert (rows_of(out, installed)["tiny"]["kind"], rows_of(out, installed)["tiny"]["rank"]) == ("measured", 1)


def test_rows_of_other_code_are_ranked_but_marked(
    tampered: Tampered, source: Source, installed: Installed, tmp_path: Path
) -> None:
    record = source.cell("nearest").record
    record["sources"]["contract_plugin"] = "0" * 64
    parts = (RowKey(**record["row"]), record["seed"], record["fold"], record["requires"], record["sources"])
    tampered.rename(record["id"], record | {"id": cell_id(*parts)})
    merge_packs([tampered.packed()], tmp_path / "home", installed)
    row = rows_of(tmp_path / "home", installed)["nearest"]
    assert (row["kind"], row["rank"]) == ("merged", 1)
    assert "its code is not known here (plugin contract_plugin has other code here)" in str(row["notes"])


def test_metrics_are_computed_here_whatever_was_brought(
    tampered: Tampered, source: Source, installed: Installed, tmp_path: Path
) -> None:
    key = source.cell("tiny").id
    right = source.cell("tiny").metrics()["test"]["accuracy"]
    tampered.change(f"cells/{key}/metrics.json", lambda value: value["test"].update(accuracy=0.25))
    done = merge_packs([tampered.packed()], tmp_path / "home", installed)
    remark = f"accuracy of test: 0.25 was brought, {right} is right"
    assert {cell.id: cell.remarks for cell in done.cells}[key] == (remark,)
    row = rows_of(tmp_path / "home", installed)["tiny"]
    assert row["accuracy_mean"] == right and remark in str(row["notes"])


def test_a_metric_that_nothing_here_computes_is_told_and_left_out(
    tampered: Tampered, source: Source, installed: Installed, tmp_path: Path
) -> None:
    key = source.cell("tiny").id
    tampered.change(f"cells/{key}/metrics.json", lambda value: value["test"].update(magic=1.0))
    done = merge_packs([tampered.packed()], tmp_path / "home", installed)
    assert {cell.id: cell.remarks for cell in done.cells}[key] == (
        "magic of test was brought, and cannot be computed here",
    )
    assert "magic" not in Store(tmp_path / "home").cell(key).metrics()["test"]


def test_facts_follow_from_the_data_and_code_that_are_here(
    tampered: Tampered, source: Source, installed: Installed, tmp_path: Path
) -> None:
    key, faked = source.cell("nearest").id, {"synthetic": False, "floor": True, "n_train": 7, "unit": "subject"}
    tampered.change(f"cells/{key}/cell.json", lambda value: value["facts"].update(faked))
    done = merge_packs([tampered.packed()], tmp_path / "home", installed)
    assert Store(done.out).cell(key).record["facts"] == source.cell("nearest").record["facts"]
    assert len({cell.id: cell.remarks for cell in done.cells}[key]) == len(faked)


def test_a_recipe_that_was_changed_says_so_although_its_pack_does_not(
    contract: Contract, installed: Installed, tmp_path: Path
) -> None:
    changes = {"recipe.optimizer.lr": 0.05, "recipe.batch_size": 16}
    contract.run(tmp_path / "out", models=["tiny"], seeds=1, epochs=1, set=changes)
    pack = ferbench.pack(out=tmp_path / "out", file=tmp_path / "some.tar.gz")
    tampered = Tampered(pack.file, tmp_path / "tampered.tar.gz")
    cell = f"cells/{pack.cells[0]}/cell.json"
    tampered.change(cell, lambda value: value["facts"].update(modified=["optimizer.lr"]))
    (done,) = merge_packs([tampered.packed()], tmp_path / "home", installed).cells
    facts = Store(tmp_path / "home").cell(done.id).record["facts"]
    assert facts["modified"] == ["optimizer.lr", "epochs", "batch_size"]


def test_a_cell_that_is_here_with_other_predictions_is_refused(
    source: Source, installed: Installed, tmp_path: Path
) -> None:
    out = tmp_path / "home"
    shutil.copytree(source.out, out)
    folder = Store(out).cell(source.cell("tiny").id)
    altered(folder)
    before = folder.metrics()
    with pytest.raises(StoreError, match=r"same environment .* here, .* in the pack"):
        merge_packs([source.pack], out, installed)
    altered(folder, device_name="another processor")
    done = merge_packs([source.pack], out, installed)
    assert outcomes(done) == {"tiny": "kept ours", "student": "already here", "nearest": "already here"}
    assert folder.metrics() == before


def test_a_cell_that_is_being_trained_here_is_left_alone(source: Source, installed: Installed, tmp_path: Path) -> None:
    from ferbench.store.lease import Lease

    folder = tmp_path / "home" / "cells" / source.cell("nearest").id
    folder.mkdir(parents=True)
    with Lease(folder):
        done = merge_packs([source.pack], tmp_path / "home", installed)
    assert outcomes(done)["nearest"] == "in training here"
    assert not (folder / "predictions.parquet").exists()


def test_imported_rows_travel_as_such(source: Source, installed: Installed, tmp_path: Path) -> None:
    shutil.copytree(source.out, tmp_path / "out")
    found = source.cell("tiny").predictions().side("test")
    names = [found.classes[index] for index in found.targets]
    pd.DataFrame({"id": found.ids, "prediction": names}).to_csv(tmp_path / "p.csv", index=False)
    import_predictions(tmp_path / "p.csv", "squares", Origin("theirs"), tmp_path / "out", installed)
    done = ferbench.pack(models=["theirs"], out=tmp_path / "out", file=tmp_path / "some.tar.gz")
    merge_packs([done.file], tmp_path / "home", installed)
    row = rows_of(tmp_path / "home", installed)["theirs"]
    assert (row["kind"], row["rank"], row["accuracy_mean"]) == ("imported", None, 1.0)


def test_other_labels_are_refused_with_the_sample(
    tampered: Tampered, source: Source, installed: Installed, tmp_path: Path
) -> None:
    name = f"cells/{source.cell('tiny').id}/predictions.parquet"
    tampered.retable(name, lambda table: table.set_column(2, "label", [[0] * len(table)]))
    with pytest.raises(DataError, match=r"labels are not those of the test side of squares@official: sample square-"):
        merge_packs([tampered.packed()], tmp_path / "home", installed)
    assert not (tmp_path / "home").exists()


def test_labels_that_the_table_of_the_pack_does_not_have_are_told(
    tampered: Tampered, source: Source, tmp_path: Path
) -> None:
    key = source.cell("tiny").id
    name = f"cells/{key}/predictions.parquet"
    tampered.retable(name, lambda table: table.set_column(2, "label", [[0] * len(table)]))
    done = merge_packs([tampered.packed()], tmp_path / "home", discover())
    words = "labels are not the targets in the table that came with it"
    assert [cell.id for cell in done.cells if any(words in remark for remark in cell.remarks)] == [key]


def test_another_split_is_called_by_its_name(
    tampered: Tampered, source: Source, installed: Installed, tmp_path: Path
) -> None:
    name = f"cells/{source.cell('tiny').id}/predictions.parquet"
    swap = {"val": "test", "test": "val"}
    tampered.retable(
        name, lambda table: table.set_column(0, "split", [[swap[side] for side in table["split"].to_pylist()]])
    )
    pack = tampered.packed()
    with pytest.raises(DataError, match="They are the val side of squares@official"):
        merge_packs([pack], tmp_path / "home", installed)
    with pytest.raises(DataError, match="are not the 40 that the table of its data set has for official"):
        merge_packs([pack], tmp_path / "home", discover())


def test_samples_that_were_picked_out_are_refused_also_where_the_data_are_not(
    tampered: Tampered, source: Source, tmp_path: Path
) -> None:
    name = f"cells/{source.cell('tiny').id}/predictions.parquet"
    tampered.retable(name, lambda table: table.slice(0, len(table) - 3))
    with pytest.raises(DataError, match="37 samples of test are not the 40"):
        merge_packs([tampered.packed()], tmp_path / "home", discover())


def test_a_table_that_was_brought_gives_way_to_the_data_set_s_own(
    tampered: Tampered, contract: Contract, source: Source, installed: Installed, tmp_path: Path
) -> None:
    fingerprint = source.cell("tiny").record["row"]["fingerprint"]
    tampered.make_copies(fingerprint)
    out = tmp_path / "home"
    merge_packs([tampered.packed()], out, discover())
    leaky = rows_of(out, installed)["tiny"]
    assert leaky["n_leakfree"] == 0, "every picture is said to stand in training"
    contract.run(out, models=["nearest"], seeds=1)
    path = Store(out).dataset_table(fingerprint)
    assert path.read_bytes() == Store(source.out).dataset_table(fingerprint).read_bytes()


def test_further_evaluations_travel_and_are_checked(source: Source, installed: Installed, tmp_path: Path) -> None:
    from ferbench.evaluating.further import Wanted, evaluate_cell, find_other

    shutil.copytree(source.out, tmp_path / "out")
    folder = Store(tmp_path / "out").cell(source.cell("nearest").id)
    wanted = Wanted(other=find_other(installed, "squares@two-classes"))
    kept = evaluate_cell(folder, wanted, "cpu")
    done = ferbench.pack(models=["nearest"], out=tmp_path / "out", file=tmp_path / "some.tar.gz")
    merge_packs([done.file], tmp_path / "home", installed)
    home = Store(tmp_path / "home").cell(folder.id)
    assert home.evaluations() == [kept["evaluation"]]
    assert home.metrics(kept["evaluation"]) == kept["metrics"]
    assert evaluate_cell(home, wanted, "cpu")["metrics"] == kept["metrics"], "it is read, and needs no weights"
    with pytest.raises(StoreError, match=r"merged from some\.tar\.gz without them"):
        evaluate_cell(home, Wanted(other=find_other(installed, "squares@official")), "cpu")


def test_a_pack_of_a_newer_ferbench_is_named(tampered: Tampered, installed: Installed, tmp_path: Path) -> None:
    tampered.change("ferbench-pack.json", lambda value: value.update(schema=2, ferbench="9.0", more={}))
    with pytest.raises(DataError, match=r"packed by a newer ferbench \(9\.0, schema 2; this one reads 1\)"):
        merge_packs([tampered.packed()], tmp_path / "home", installed)


def test_what_a_killed_merge_left_is_removed_by_the_next(
    source: Source, installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ferbench.sharing import merging

    out = tmp_path / "home"
    place, count = merging._place, iter(range(9))

    def killed(*arguments: object) -> None:
        if next(count) == 2:
            raise KeyboardInterrupt
        place(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(merging, "_place", killed)
    with pytest.raises(KeyboardInterrupt):
        merge_packs([source.pack], out, installed)
    assert all(cell.state == "done" for cell in Store(out).cells), "each is there as a whole, or not at all"
    monkeypatch.undo()
    (out / ".merging" / "0" / "cells").mkdir(parents=True)
    assert sorted(outcomes(merge_packs([source.pack], out, installed)).values()) == [
        "already here",
        "already here",
        "merged",
    ]
    assert not (out / ".merging").exists()
    assert len(rows_of(out, installed)) == 3
    assert json.loads((out / "runs" / f"{Store(out).run_ids()[-1]}.json").read_text())["suite"]["name"] == "contract"
