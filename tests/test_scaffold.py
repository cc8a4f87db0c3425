"""What ``ferbench new`` writes works as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ferbench import SettingsError
from ferbench.nouns.reference import resolve
from ferbench.plugins import Installed, discover
from ferbench.scaffold.writing import Kind, Licence, Wanted, next_steps, write_plugin

KINDS: list[Kind] = ["model", "dataset", "sampler", "metric"]
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed() -> Installed:
    return discover()


@pytest.fixture
def packages(tmp_path: Path, installed: Installed) -> dict[Kind, Path]:
    """A package of every kind."""
    found: dict[Kind, Path] = {}
    for kind in KINDS:
        wanted = Wanted(kind, f"my-{kind}", tmp_path)
        write_plugin(wanted, installed)
        found[kind] = wanted.target
    return found


def test_every_package_passes_its_own_tests_and_the_linter(packages: dict[Kind, Path], tmp_path: Path) -> None:
    sources = os.pathsep.join(str(package / "src") for package in packages.values())
    environment = os.environ | {"PYTHONPATH": sources}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout
    assert "13 passed" in done.stdout
    for arguments in (["check"], ["format", "--check"]):
        lint = [sys.executable, "-m", "ruff", *arguments, "--config", str(ROOT / "pyproject.toml"), str(tmp_path)]
        assert subprocess.run(lint, capture_output=True, timeout=60, check=False).returncode == 0


def test_an_installed_package_is_a_plugin(install: Callable[..., Path], packages: dict[Kind, Path]) -> None:
    site = install("my-model", "", entry="my-model = ferbench_my_model").parent
    (packages["model"] / "src" / "ferbench_my_model").rename(site / "ferbench_my_model")
    model = discover().model("my-model")
    assert {"demo", "fer2013"} <= model.tags
    net = resolve(model.build)(model.reference, **model.options.model_dump())
    assert isinstance(net, torch.nn.Module)


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_file_is_a_plugin(kind: Kind, installed: Installed, tmp_path: Path) -> None:
    (path,) = write_plugin(Wanted(kind, f"my-{kind}", tmp_path, single_file=True), installed)
    assert path == tmp_path / f"my_{kind}.py"
    with_it = discover(files=[path])
    names = {
        *with_it.names("models"),
        *with_it.names("datasets"),
        *with_it.names("samplers"),
        *with_it.names("metrics"),
    }
    assert f"my-{kind}" in names
    assert not [info for info in with_it.plugins if info.state == "broken"]


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("model", "My_Model", "use small letters"),
        ("model", "../x", "use small letters"),
        ("model", "x-" * 30, "40 at most"),
        ("model", "ferbench", "is reserved"),
        ("model", "small-cnn", "there is a model 'small-cnn' already, in ferbench"),
        ("dataset", "demo", "there is a dataset 'demo' already"),
        ("model", "builtin", "there is a plugin 'builtin' already"),
    ],
)
def test_names_that_cannot_be_are_refused(
    kind: Kind, name: str, message: str, installed: Installed, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        write_plugin(Wanted(kind, name, tmp_path), installed)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(installed: Installed, tmp_path: Path) -> None:
    write_plugin(Wanted("metric", "mine", tmp_path), installed)
    with pytest.raises(SettingsError, match="is there already; nothing is overwritten"):
        write_plugin(Wanted("metric", "mine", tmp_path), installed)


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0", "BSD-3-Clause"])
def test_the_licence_is_named(licence: Licence, installed: Installed, tmp_path: Path) -> None:
    write_plugin(Wanted("metric", "mine", tmp_path, licence), installed)
    assert f'license = "{licence}"' in (tmp_path / "ferbench-mine" / "pyproject.toml").read_text()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("single", [True, False])
def test_the_next_steps_name_the_plugin(kind: Kind, single: bool, tmp_path: Path) -> None:
    steps = next_steps(Wanted(kind, "mine", tmp_path, single_file=single))
    assert all("mine" in step for step in steps)
    assert any(step.startswith("ferbench check") for step in steps)
