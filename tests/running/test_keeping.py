"""What a cell keeps while it trains."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ferbench.running.keeping import Keeper
from ferbench.store.store import CellFolder


def test_a_training_goes_on_only_from_a_state_that_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keeper = Keeper(CellFolder(tmp_path), 60, 4)
    assert not keeper.goes_on() and keeper.resume() is None
    path = tmp_path / "resume" / "state.pt"
    path.parent.mkdir()
    torch.save({"progress": {"epoch": 3}}, path)
    assert keeper.goes_on()
    assert capsys.readouterr().out == ""
    assert keeper.resume() == {"progress": {"epoch": 3}}
    assert capsys.readouterr().out == "Going on after epoch 2.\n"
    path.write_bytes(path.read_bytes()[:100])
    assert not keeper.goes_on()
    assert "training starts anew" in capsys.readouterr().out
    assert keeper.resume() is None and path.with_name("state.damaged").exists()
