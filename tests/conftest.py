"""Fixtures for the tests of the core."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.contract import Contract

IMPORTS = "from ferbench import Dataset, Family, Metric, Model, Reported, Sampler, Suite, hookimpl\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """A function that installs a made-up plugin for this test and the processes that it starts.

    ``install(name, source)`` writes a module that begins with the usual imports, and a distribution with an entry point
    that names it; it returns the module's file. ``entry`` replaces the entry point's line, ``package`` the package's
    name (``fake-NAME``).
    """
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    before = set(sys.modules)

    def _install(name: str, source: str, *, entry: str = "", package: str = "") -> Path:
        package = package or f"fake-{name}"
        module = package.replace("-", "_")
        file = site / f"{module}.py"
        file.write_text(IMPORTS + textwrap.dedent(source), encoding="utf-8")
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
        line = entry or f"{name} = {module}"
        (info / "entry_points.txt").write_text(f"[ferbench]\n{line}\n", encoding="utf-8")
        return file

    yield _install
    for module in set(sys.modules) - before:
        if str(site) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    """Runs of the suite ``contract`` in a folder of their own, by one launcher for the whole session."""
    from ferbench.running import api
    from ferbench.running.launch import make_launcher
    from tests.contract import Borrowed, Contract

    folder = tmp_path_factory.mktemp("contract")
    before = {key: os.environ.get(key) for key in ("FERBENCH_DATA", "FERBENCH_TEST_SEEN")}
    os.environ.update(FERBENCH_DATA=str(folder / "data"), FERBENCH_TEST_SEEN=str(folder / "seen.json"))
    launcher = make_launcher()
    with pytest.MonkeyPatch.context() as patch:
        contract = Contract(folder, lambda: Borrowed(launcher))
        patch.setattr(api, "make_launcher", contract.launcher)  # a server takes seconds to start
        yield contract
    launcher.close()
    for key, value in before.items():
        os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)
