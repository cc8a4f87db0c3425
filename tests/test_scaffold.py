"""What ``ferbench new`` writes works as it is."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ferbench import SettingsError
from ferbench.checking.report import Subject, looked_at
from ferbench.checking.rules import rules_for
from ferbench.data.registry import add
from ferbench.nouns.emotions import Modality
from ferbench.nouns.reference import resolve
from ferbench.plugins import Installed, discover
from ferbench.plugins import Kind as PluginKind
from ferbench.scaffold.writing import Kind, Licence, Wanted, differs, next_steps, write_plugin
from tests.media import write_clips, write_eeg

KINDS: list[Kind] = ["model", "dataset", "sampler", "metric"]
MODALITIES: list[Modality] = ["image", "video", "eeg"]
EVERY = [(kind, modality) for kind in KINDS for modality in MODALITIES if differs(kind) or modality == "image"]
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed() -> Installed:
    return discover()


@pytest.fixture
def packages(tmp_path: Path, installed: Installed) -> dict[tuple[Kind, Modality], Path]:
    """A package of every kind for every modality."""
    found: dict[tuple[Kind, Modality], Path] = {}
    for kind, modality in EVERY:
        wanted = Wanted(kind, f"my-{modality}-{kind}", tmp_path, modality=modality)
        write_plugin(wanted, installed)
        found[kind, modality] = wanted.target
    return found


def test_every_package_passes_its_own_tests_and_the_linter(
    packages: dict[tuple[Kind, Modality], Path], tmp_path: Path
) -> None:
    sources = os.pathsep.join(str(package / "src") for package in packages.values())
    environment = os.environ | {"PYTHONPATH": sources}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout
    assert "37 passed" in done.stdout
    for arguments in (["check"], ["format", "--check"]):
        lint = [sys.executable, "-m", "ruff", *arguments, "--config", str(ROOT / "pyproject.toml"), str(tmp_path)]
        assert subprocess.run(lint, capture_output=True, timeout=60, check=False).returncode == 0


def test_an_installed_package_is_a_plugin(install: Callable[..., Path], installed: Installed, tmp_path: Path) -> None:
    wanted = Wanted("model", "my-model", tmp_path)
    write_plugin(wanted, installed)
    site = install("my-model", "", entry="my-model = ferbench_my_model").parent
    (wanted.target / "src" / "ferbench_my_model").rename(site / "ferbench_my_model")
    model = discover().model("my-model")
    assert {"demo", "fer2013"} <= model.tags
    net = resolve(model.build)(model.reference, **model.options.model_dump())
    assert isinstance(net, torch.nn.Module)


@pytest.mark.parametrize(("kind", "modality"), EVERY)
def test_a_single_file_is_a_plugin(kind: Kind, modality: Modality, installed: Installed, tmp_path: Path) -> None:
    name = f"my-{modality}-{kind}"
    (path,) = write_plugin(Wanted(kind, name, tmp_path, single_file=True, modality=modality), installed)
    assert path == tmp_path / f"my_{modality}_{kind}.py"
    with_it = discover(files=[path])
    names = {
        *with_it.names("models"),
        *with_it.names("datasets"),
        *with_it.names("samplers"),
        *with_it.names("metrics"),
    }
    assert name in names
    if kind in ("model", "dataset"):
        item = with_it.model(name) if kind == "model" else with_it.dataset(name)
        assert (item.modality, item.inputs) == (modality, (modality,))
    assert not [info for info in with_it.plugins if info.state == "broken"]


@pytest.mark.parametrize("modality", MODALITIES[1:])
def test_a_written_model_and_data_set_keep_every_rule(
    modality: Modality, install: Callable[..., Path], installed: Installed, data_root: Path, tmp_path: Path
) -> None:
    if modality == "video":
        pytest.importorskip("decord")
    names: dict[Kind, str] = {"model": f"kept-{modality}-model", "dataset": f"kept-{modality}-dataset"}
    for kind, name in names.items():
        wanted = Wanted(kind, name, tmp_path, modality=modality)
        write_plugin(wanted, installed)
        site = install(name, "", entry=f"{name} = {wanted.module}", package=f"ferbench-{name}").parent
        (site / f"{wanted.module}.py").unlink(missing_ok=True)
        (site / f"ferbench-{name.replace('-', '_')}.py").unlink(missing_ok=True)
        (wanted.target / "src" / wanted.module).rename(site / wanted.module)
    found = discover(only=[*names.values()])
    dataset, model = found.dataset(names["dataset"]), found.model(names["model"])
    add(dataset, {"video": write_clips, "eeg": write_eeg}[modality](tmp_path / "recordings"))
    kinds: list[tuple[PluginKind, Any]] = [("models", model), ("datasets", dataset)]
    for plural, item in kinds:
        subject = Subject(item, found.plugin_of(plural, item.name), found, lambda: found, "quick")
        outcomes = {rule.check: looked_at(rule, subject)[0] for rule in rules_for(plural, item)}
        assert {check: outcome for check, outcome in outcomes.items() if outcome.state == "fail"} == {}
        unseen = {"device"} if modality == "video" else set()  # how many frames are real, numbers alone can tell
        assert {check for check, outcome in outcomes.items() if outcome.state == "skip"} <= {"requires"} | unseen


def test_the_packages_name_what_reads_their_data(packages: dict[tuple[Kind, Modality], Path]) -> None:
    needed: dict[Modality, str] = {"video": "decord", "eeg": "mne"}
    for modality, reader in needed.items():
        project = tomllib.loads((packages["dataset", modality] / "pyproject.toml").read_text())["project"]
        assert any(line.startswith(reader) for line in project["dependencies"])


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
    assert "mine" in steps[-1]
    assert any(step.startswith("ferbench check") for step in steps)
    names_it = [step for step in steps if "mine" in step and not step.startswith("ferbench check")]
    assert all(("--plugin" in step) is single for step in names_it if step.startswith("ferbench"))
    assert any(" install -e " in step for step in steps) is not single


def test_naming_the_next_steps_leaves_setuptools_to_be_imported() -> None:
    code = "from ferbench.scaffold.writing import Path, Wanted, next_steps; next_steps(Wanted('model', 'm', Path()))"
    code += "; import setuptools"  # as torch.compile does
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
