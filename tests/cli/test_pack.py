"""``ferbench pack`` and ``ferbench merge``: results from one folder in another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Finished
from tests.contract import PLUGIN

WITH = ("--plugin", PLUGIN)


@pytest.fixture
def pack(ferbench: Command, finished: Finished, tmp_path: Path) -> Path:
    """All finished cells."""
    path = tmp_path / "results.tar.gz"
    assert ferbench("pack", "--out", finished.out, "-o", path).code == 0
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB, of which 48 kB are free."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-o", "size=1m", "-t", "tmpfs", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted on Linux and as root")
    (disk / "filler").write_bytes(bytes(976 << 10))
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_pack_says_what_is_in_it_and_what_is_not(ferbench: Command, finished: Finished, tmp_path: Path) -> None:
    path = tmp_path / "results.tar.gz"
    done = ferbench("pack", "--out", finished.out, "-o", path)
    assert done.code == 0
    assert f"{path}: 5 cells of 3 rows, 1 table of samples, no weights; 0.0" in done.out
    assert "Left out, failed: 2 cells, such as raising · squares@official" in done.out
    assert "Elsewhere: ferbench merge results.tar.gz" in done.out
    facts = ferbench("pack", "--out", finished.out, "-o", path, "--failed", "--weights", "best", "--json").json
    assert set(facts) == {"file", "size", "cells", "rows", "tables", "weights", "left_out", "missing"}
    assert (len(facts["cells"]), facts["weights"], facts["size"]) == (7, 5, path.stat().st_size)


def test_a_merge_says_what_came_and_prints_the_leaderboard(ferbench: Command, pack: Path, tmp_path: Path) -> None:
    out = tmp_path / "home"
    done = ferbench("merge", pack, "--out", out, *WITH)
    assert done.code == 0
    assert "results.tar.gz: 5 merged." in done.out and "trained on " in done.out
    assert all(model in done.out for model in ("tiny", "student", "nearest"))
    assert "samples, labels and metrics were checked here" in " ".join(done.out.split())
    assert "tiny" in (out / "leaderboard.csv").read_text()
    facts = ferbench("merge", pack, "--out", out, *WITH, "--json").json
    assert set(facts) == {"out", "run_id", "cells"}
    assert {cell["outcome"] for cell in facts["cells"]} == {"already here"}


def test_merged_cells_are_marked_where_something_could_not_be_checked(
    ferbench: Command, pack: Path, tmp_path: Path
) -> None:
    done = ferbench("merge", pack, "--out", tmp_path / "home")
    assert done.code == 0
    assert "labels not checked: no plugin here has squares@official (5)" in done.out
    assert "code not known here: plugin contract_plugin is not installed here (5)" in done.out
    rows = ferbench("leaderboard", "--out", tmp_path / "home", "--json").json["rows"]
    assert {(row["kind"], row["rank"]) for row in rows} == {("merged", None)}


def test_what_needs_weights_says_that_they_stayed(ferbench: Command, pack: Path, tmp_path: Path) -> None:
    out = tmp_path / "home"
    ferbench("merge", pack, "--out", out, *WITH)
    rows = ferbench("merge", pack, "--out", out, *WITH, "--json").json["cells"]
    key = next(cell["id"] for cell in rows if cell["label"].startswith("tiny"))
    refused = ferbench("evaluate", key, "--out", out, "--tta", "flip", "--device", "cpu")
    assert refused.code == 2
    assert "merged from results.tar.gz without them. Pack it with `ferbench pack --weights best`" in refused.err
    assert ferbench("gc", "--out", out).code == 0
    assert "no difference" in ferbench("diff", key, key, "--out", out).out


def test_weights_that_travelled_score_again(ferbench: Command, finished: Finished, tmp_path: Path) -> None:
    pack, out = tmp_path / "heavy.tar.gz", tmp_path / "home"
    key = finished.cell("tiny").id
    ferbench("pack", key, "--out", finished.out, "-o", pack, "--weights", "best")
    ferbench("merge", pack, "--out", out, *WITH)
    here = ferbench("evaluate", key, "--out", out, "--tta", "flip", "--device", "cpu", "--json").json
    there = ferbench("evaluate", key, "--out", finished.out, "--tta", "flip", "--device", "cpu", "--json").json
    assert here == there


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pack", "-m", "tinny"], "-m tinny: no cell is of it. Did you mean 'tiny'?"),
        (["pack", "-d", "circles"], "-d circles: no cell is of it. There are squares, squares@official."),
        (["pack", "zz"], "'zz' is no cell and no row"),
        (["pack", "--run", "9"], "There is no run '9'"),
        (["pack", "-m", "raising"], "raising · squares@official · seed 0: failed"),
        (["pack", "-o", "/proc/nothing/results.tar.gz"], "cannot be written"),
        (["merge", "gone.tar.gz"], "gone.tar.gz is no file"),
    ],
)
def test_mistakes_are_named(ferbench: Command, finished: Finished, arguments: list[str], words: str) -> None:
    refused = ferbench(*arguments, "--out", finished.out)
    assert (refused.code, refused.out) == (2, "")
    assert words in refused.err and "Traceback" not in refused.err


def test_a_truncated_pack_is_one_clear_message(ferbench: Command, pack: Path, tmp_path: Path) -> None:
    pack.write_bytes(pack.read_bytes()[:-100])
    refused = ferbench("merge", pack, "--out", tmp_path / "home", *WITH)
    assert (refused.code, refused.out) == (2, "")
    assert "results.tar.gz is truncated or damaged" in refused.err
    assert not (tmp_path / "home").exists()


def test_a_full_disk_and_a_place_that_cannot_be_written_are_named(
    ferbench: Command, pack: Path, small_disk: Path, tmp_path: Path
) -> None:
    full = ferbench("merge", pack, "--out", small_disk / "home", *WITH)
    assert full.code == 2
    assert full.err.startswith("The disk is full: ") and "Traceback" not in full.err
    assert [path.name for path in small_disk.iterdir()] == ["filler"], "nothing takes up the space that was left"
    (tmp_path / "file").write_text("in the way")
    refused = ferbench("merge", pack, "--out", tmp_path / "file", *WITH)
    assert refused.code == 2
    assert "there is a file in its way" in refused.err
    (small_disk / "filler").unlink()
    assert ferbench("merge", pack, "--out", small_disk / "home", *WITH).code == 0


def test_a_store_of_another_schema_is_left_alone(ferbench: Command, pack: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "store.json").write_text('{"schema": 99}')
    refused = ferbench("merge", pack, "--out", tmp_path / "home", *WITH)
    assert refused.code == 2
    assert "was written with schema 99" in refused.err
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["store.json"]
