"""The contract plugin's data and runs, shared by the tests of a worker."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ferbench.running import api
from ferbench.running.launch import Launcher, make_launcher
from tests.contract import Contract


class Borrowed:
    """A launcher that several runs use in turn, and none of them closes."""

    def __init__(self, launcher: Launcher) -> None:
        self.start, self.ended, self.signal = launcher.start, launcher.ended, launcher.signal

    def close(self) -> None:
        """Leave it to its owner."""


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    """Runs of the suite ``contract`` in a folder of their own."""
    folder = tmp_path_factory.mktemp("contract")
    before = {key: os.environ.get(key) for key in ("FERBENCH_DATA", "FERBENCH_TEST_SEEN")}
    os.environ.update(FERBENCH_DATA=str(folder / "data"), FERBENCH_TEST_SEEN=str(folder / "seen.json"))
    launcher = make_launcher()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "make_launcher", lambda: Borrowed(launcher))  # a server takes seconds to start
        yield Contract(folder)
    launcher.close()
    for key, value in before.items():
        os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)
