"""The ledger of test uses: nothing is ever taken out of it."""

from __future__ import annotations

from pathlib import Path

from ferbench.store.files import remove_tree, write_json
from ferbench.store.store import Store
from ferbench.store.uses import Use, note_cell, note_use, uses_in


def store_with_a_cell(out: Path, selection: str = "best-val", inner: bool = False, epochs: int = 3) -> Store:
    """A store with the finished cell ``c1``."""
    store = Store(out, create=True)
    folder = store.cell("c1")
    row = {"dataset": "faces", "protocol": "official", "fingerprint": "f", "recipe": {"selection": selection}}
    write_json(folder.path / "cell.json", {"row": {**row, "inner": [[5, 0]] if inner else []}})
    folder.write_history([{"epoch": i} for i in range(epochs)])
    for name in ("predictions.parquet", "metrics.json"):
        (folder.path / name).write_text("{}")
    folder.set_status("done")
    return store


def test_every_use_counts_also_those_of_cells_that_are_gone(tmp_path: Path) -> None:
    store = store_with_a_cell(tmp_path / "out")
    note_cell(store.cell("c1"), "training")
    remove_tree(store.cell("c1").path)
    note_use(store.out, Use("c1", "evaluation", "faces", "official", "f"))
    assert [(use.cell, use.kind, use.times) for use in uses_in(store)] == [
        ("c1", "training", 1),
        ("c1", "evaluation", 1),
    ]
    assert all(use.when for use in uses_in(store))


def test_a_cell_that_is_trained_again_counts_again(tmp_path: Path) -> None:
    store = store_with_a_cell(tmp_path / "out")
    for _ in range(3):
        note_cell(store.cell("c1"), "training")
    assert len(uses_in(store)) == 3


def test_an_oracle_uses_the_test_side_in_each_epoch(tmp_path: Path) -> None:
    store = store_with_a_cell(tmp_path / "out", selection="oracle", epochs=7)
    note_cell(store.cell("c1"), "training")
    assert [use.times for use in uses_in(store)] == [7]


def test_inner_folds_are_no_use_of_a_test_side(tmp_path: Path) -> None:
    store = store_with_a_cell(tmp_path / "out", inner=True)
    note_cell(store.cell("c1"), "training")
    assert uses_in(store) == []


def test_finished_cells_without_an_entry_count_once(tmp_path: Path) -> None:
    store = store_with_a_cell(tmp_path / "out")
    assert [(use.cell, use.kind) for use in uses_in(store)] == [("c1", "unlisted")]


def test_a_line_that_was_cut_short_costs_itself_alone(tmp_path: Path) -> None:
    store = store_with_a_cell(tmp_path / "out")
    note_cell(store.cell("c1"), "training")
    with (store.out / "test-uses" / "c1.jsonl").open("a") as ledger:
        ledger.write('{"cell": "c1", "ki')
    assert [use.kind for use in uses_in(store)] == ["training"]
