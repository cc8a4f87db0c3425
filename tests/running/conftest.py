"""The contract plugin's data and runs, shared by the tests of a worker."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.contract import Contract


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    """Runs of the suite ``contract`` in a folder of their own."""
    folder = tmp_path_factory.mktemp("contract")
    before = {key: os.environ.get(key) for key in ("FERBENCH_DATA", "FERBENCH_TEST_SEEN")}
    os.environ.update(FERBENCH_DATA=str(folder / "data"), FERBENCH_TEST_SEEN=str(folder / "seen.json"))
    yield Contract(folder)
    for key, value in before.items():
        os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)
