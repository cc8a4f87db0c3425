"""Predictions that were made elsewhere become rows, or are refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ferbench import DataError, SettingsError, UnknownNameError
from ferbench.data.registry import load
from ferbench.data.splits import make_splits
from ferbench.nouns.split import Split
from ferbench.plugins import Installed, discover
from ferbench.running.api import make_leaderboard
from ferbench.running.importing import Origin, import_predictions
from ferbench.running.outside import read_outside
from ferbench.store.store import Store
from tests.contract import PLUGIN, Contract


@pytest.fixture(scope="module")
def installed(contract: Contract) -> Installed:
    return discover(files=[PLUGIN])


@pytest.fixture(scope="module")
def sides(installed: Installed) -> dict[str, Split]:
    dataset = installed.dataset("squares")
    splits = make_splits(load(dataset), dataset.default_protocol)
    return {"train": splits.train, "val": splits.val, "test": splits.test}


def table_of(split: Split, right: float = 1.0) -> pd.DataFrame:
    """Predictions of a split, that share of them right, in an order of their own."""
    classes, n = split.classes, len(split)
    guessed = np.where(np.arange(n) < right * n, split.targets, (split.targets + 1) % len(classes))
    scores = np.full((n, len(classes)), 0.1)
    scores[np.arange(n), guessed] = 1 - 0.1 * (len(classes) - 1)
    columns = {"id": split.ids, "label": [classes[i] for i in split.targets]}
    columns |= {f"p_{name}": scores[:, i] for i, name in enumerate(classes)}
    return pd.DataFrame(columns).sample(frac=1, random_state=0)


def kept(table: pd.DataFrame, folder: Path) -> Path:
    path = folder / "predictions.csv"
    table.to_csv(path, index=False)
    return path


def test_they_become_a_row_beside_the_measured_ones(
    contract: Contract, installed: Installed, sides: dict[str, Split], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = contract.run(out=out, models=["nearest"], seeds=1)
    origin = Origin("theirs", selection="best-val", extra_data="other faces", url="https://example.org")
    import_predictions(kept(table_of(sides["test"], 0.75), tmp_path), "squares", origin, out, installed)

    rows = {row["model"]: row for row in make_leaderboard([out], installed).rows}
    assert set(rows) == {"theirs", "nearest"}
    theirs = rows["theirs"]
    assert (theirs["kind"], theirs["extra_data"], theirs["selection"]) == ("imported", "other faces", "best-val")
    assert theirs["accuracy_mean"] == pytest.approx(0.75)
    assert theirs["rank"] is not None
    assert "imported" in theirs["notes"] and "https://example.org" in theirs["notes"]
    assert Store(out).run(run.run_id)["cells"] == list(run.done), "the former run stays as it was"


def test_the_same_file_again_changes_nothing_and_another_of_the_name_replaces_it(
    installed: Installed, sides: dict[str, Split], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = import_predictions(kept(table_of(sides["test"], 0.5), tmp_path), "squares", Origin("x"), out, installed)
    runs = Store(out).run_ids()
    again = import_predictions(tmp_path / "predictions.csv", "squares", Origin("x"), out, installed)
    assert (again, Store(out).run_ids()) == (first, runs)
    import_predictions(kept(table_of(sides["test"], 1.0), tmp_path), "squares", Origin("x"), out, installed)
    (row,) = make_leaderboard([out], installed).rows
    assert row["accuracy_mean"] == 1.0


def test_several_files_of_a_name_are_its_seeds(installed: Installed, sides: dict[str, Split], tmp_path: Path) -> None:
    for seed, right in enumerate((0.5, 0.75)):
        path = kept(table_of(sides["test"], right), tmp_path)
        import_predictions(path, "squares", Origin("x", seed=seed), tmp_path / "out", installed)
    (row,) = make_leaderboard([tmp_path / "out"], installed).rows
    assert (row["seeds"], row["accuracy_mean"], row["rank"]) == (2, 0.625, None)
    assert "nobody says how its weights were chosen" in row["notes"]


def test_predicted_classes_are_enough_and_marked(installed: Installed, sides: dict[str, Split], tmp_path: Path) -> None:
    table = table_of(sides["test"])[["id", "label"]].rename(columns={"label": "prediction"})
    import_predictions(kept(table, tmp_path), "squares", Origin("x"), tmp_path / "out", installed)
    (row,) = make_leaderboard([tmp_path / "out"], installed).rows
    assert row["accuracy_mean"] == 1.0
    assert "only predicted classes are known" in row["notes"]


def test_classes_that_are_called_by_numbers_are_meant_by_their_names(tmp_path: Path) -> None:
    path = kept(pd.DataFrame({"id": ["a", "b", "c"], "prediction": ["1", "3", "2"]}), tmp_path)
    assert read_outside(path, ("1", "2", "3")).scores.argmax(axis=1).tolist() == [0, 2, 1]
    assert read_outside(path, ("fear", "joy", "anger", "calm")).scores.argmax(axis=1).tolist() == [1, 3, 2]
    kept(pd.DataFrame({"id": ["a"], "prediction": ["0"]}), tmp_path)
    with pytest.raises(DataError, match="prediction '0' is no class"):
        read_outside(path, ("1", "2", "3"))


def test_without_ids_the_labels_must_be_those_of_the_data_in_their_order(
    installed: Installed, sides: dict[str, Split], tmp_path: Path
) -> None:
    ordered = table_of(sides["test"]).sort_index().drop(columns="id")
    import_predictions(kept(ordered, tmp_path), "squares", Origin("x"), tmp_path / "out", installed)
    shuffled = ordered.sample(frac=1, random_state=1)
    with pytest.raises(DataError, match="in another order: add their ids"):
        import_predictions(kept(shuffled, tmp_path), "squares", Origin("y"), tmp_path / "out", installed)


@pytest.mark.parametrize("columns", [["id"], ["label"]])
def test_another_side_is_called_by_its_name(
    installed: Installed, sides: dict[str, Split], tmp_path: Path, columns: list[str]
) -> None:
    table = table_of(sides["val"]).drop(columns=[c for c in ("id", "label") if c not in columns])
    with pytest.raises(DataError, match="the val side of squares@official"):
        import_predictions(kept(table, tmp_path), "squares", Origin("x"), tmp_path / "out", installed)
    assert not (tmp_path / "out").exists()


def test_what_does_not_fit_is_named_with_its_place(
    installed: Installed, sides: dict[str, Split], tmp_path: Path
) -> None:
    good = table_of(sides["test"]).reset_index(drop=True)
    name = sides["test"].classes[0]
    faults = {
        "line 4: the scores are no probabilities": good.assign(
            **{f"p_{name}": good[f"p_{name}"].where(good.index != 2, 7)}
        ),
        f"lacks p_{name}": good.drop(columns=f"p_{name}"),
        "there is no such class": good.assign(p_hapiness=0.0),
        "2 ids stand more than once|1 ids stand more than once": good.assign(id=[good.id[1], *good.id[1:]]),
        "no side of any protocol": good.assign(id=[f"x{i}" for i in good.index]).drop(columns="label"),
        "labels are not those of": good.assign(label=[*good.label[1:], good.label[0]]),
        "line 2: label 'joy' is no class": good.assign(label=["joy", *good.label[1:]]),
        "neither a column id nor a column label": good.drop(columns=["id", "label"]),
        "or one column prediction": good[["id", "label"]],
        "has no rows": good.head(0),
    }
    for message, table in faults.items():
        with pytest.raises(DataError, match=message):
            import_predictions(kept(table, tmp_path), "squares", Origin("x"), tmp_path / "out", installed)


def test_files_that_are_no_tables_are_named(installed: Installed, tmp_path: Path) -> None:
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(256)))
    for path in (binary, tmp_path / "gone.csv", tmp_path):
        with pytest.raises(DataError, match=path.name):
            import_predictions(path, "squares", Origin("x"), tmp_path / "out", installed)


def test_mistakes_of_the_command_are_named(installed: Installed, sides: dict[str, Split], tmp_path: Path) -> None:
    path = kept(table_of(sides["test"]), tmp_path)
    with pytest.raises(SettingsError, match="is an installed model"):
        import_predictions(path, "squares", Origin("nearest"), tmp_path / "out", installed)
    with pytest.raises(SettingsError, match="has folds 0 to 0"):
        import_predictions(path, "squares", Origin("x", fold=3), tmp_path / "out", installed)
    with pytest.raises(SettingsError, match="is no name"):
        Origin("../x")
    with pytest.raises(UnknownNameError, match="squares"):
        import_predictions(path, "square", Origin("x"), tmp_path / "out", installed)
