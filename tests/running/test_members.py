"""Which rows and cells make an ensemble together."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferbench import SettingsError
from ferbench.running.members import find_members
from tests.reporting.conftest import OutFolder


@pytest.fixture
def out(tmp_path: Path) -> OutFolder:
    return OutFolder(tmp_path / "out")


def test_members_are_rows_of_a_run_or_cells_by_their_ids(out: OutFolder) -> None:
    first, second = out.row("one", [0.6]), out.row("two", [0.7])
    out.run()
    assert [member.single for member in find_members(out.out, ["one", "two"])] == [False, False]
    assert [member.row.model for member in find_members(out.out, [first[0], second[0]])] == ["one", "two"]


def test_small_settings_do_not_hide_behind_a_member_without_them(out: OutFolder) -> None:
    names = [out.cell("one"), out.cell("two", small=True)]
    out.run()
    with pytest.raises(SettingsError, match="small False and True"):
        find_members(out.out, names)


def test_labels_that_nobody_checked_do_not_become_those_of_an_ensemble(out: OutFolder) -> None:
    merged = {"labels": "the data set is not here", "code": "", "pack": "theirs.zip", "remarks": []}
    out.cell("one")
    out.cell("two", status={"merged": merged})
    out.run()
    with pytest.raises(SettingsError, match=r"two: its labels were not checked here \(the data set is not here\)"):
        find_members(out.out, ["one", "two"])
