"""Published numbers of methods that are not here, from a plugin's hook to the table."""

from __future__ import annotations

from pathlib import Path

from tests.contract import Contract

SOURCE = """
from ferbench import Paper, Reported, hookimpl

PAPER = Paper("A study", "Smith, Jones", 2020)
MORE = {"method": "their-net", "paper": PAPER}

@hookimpl
def ferbench_reported():
    yield Reported("squares", "official", "test", "accuracy", 0.81, "Table 3", **MORE)
    yield Reported("squares", "official", "val", "accuracy", 0.83, "Table 4", classes=6, caveat="of JAFFE", **MORE)
    yield Reported("squares", "their-own", "test", "accuracy", 0.99, "p. 5", classes=5, extra_data="faces", **MORE)
    yield Reported("elsewhere", "official", "test", "accuracy", 0.5, "p. 6", **MORE)
"""


def test_a_published_number_without_a_model_is_shown_with_all_that_sets_it_apart(
    contract: Contract, tmp_path: Path
) -> None:
    plugin = tmp_path / "published.py"
    plugin.write_text(SOURCE, encoding="utf-8")
    result = contract.run(models=["nearest"], seeds=1, plugins=[plugin])
    rows = [row for row in result.leaderboard.rows if row["kind"] == "reported"]
    assert {row["rank"] for row in rows} == {None}
    told = {(row["protocol"], row["accuracy_mean"]): row["notes"] for row in rows}
    source = "reported in Smith et al. (2020)"
    assert told == {
        ("official", 0.81): f"{source}, Table 3",
        ("official", 0.83): f"{source}, Table 4, on val, 6 classes, of JAFFE",
        ("their-own", 0.99): f"{source}, p. 5, 5 classes, extra data: faces",
    }, "of data sets without a measured row there is nothing to compare with"
    text = (result.out / "leaderboard.md").read_text(encoding="utf-8")
    assert "their-net" in text and "squares · their-own · reported only" in text.replace("\\", "")
