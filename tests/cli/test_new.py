"""``ferbench new``: a plugin to begin with."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Command


def test_it_says_what_it_wrote_and_what_comes_next(ferbench: Command, tmp_path: Path) -> None:
    done = ferbench("new", "model", "my-method", "--dir", tmp_path)
    assert done.code == 0
    assert f"wrote {tmp_path}/ferbench-my-method/pyproject.toml" in done.out
    assert "ferbench run --suite demo -m my-method" in done.out


def test_a_taken_name_ends_with_one_message(ferbench: Command, tmp_path: Path) -> None:
    done = ferbench("new", "model", "small-cnn", "--dir", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "there is a model 'small-cnn' already" in done.err
