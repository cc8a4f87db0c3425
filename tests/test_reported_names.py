"""Published numbers stand under the names that data sets have here; under others no table would ever show them."""

from __future__ import annotations

from ferbench.plugins import discover


def test_reported_numbers_name_data_sets_as_they_are_called_here() -> None:
    installed = discover()
    called = {_letters(name): name for name in installed.names("datasets")}
    models = [installed.model(name) for name in installed.names("models")]
    rows = [*installed.reported, *(row for model in models for row in model.reported)]
    otherwise = {row.dataset for row in rows if called.get(_letters(row.dataset), row.dataset) != row.dataset}
    assert rows and otherwise == set()


def _letters(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())
