"""A kit that borrows the launcher of the other tests: one of its own takes seconds to start."""

from __future__ import annotations

import pytest

from ferbench.checking import kit
from tests.contract import Contract


@pytest.fixture
def quick_kit(monkeypatch: pytest.MonkeyPatch, contract: Contract) -> None:
    """Kits of this test start their processes from the session's launcher."""
    monkeypatch.setattr(kit, "make_launcher", contract.launcher)
