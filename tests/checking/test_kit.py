"""The kit from outside: the command, what it is pointed at, and plugins that hang or die."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.checking.apart import contents
from ferbench.checking.kit import Kit
from ferbench.checking.package import whole
from ferbench.checking.target import Target, find_targets
from ferbench.errors import PluginError, UnknownNameError
from tests.cli.conftest import Command, ferbench

__all__ = ["ferbench"]

FLAWED = Path(__file__).with_name("flawed.py")
ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))
Install = Callable[..., Path]

SOUND = """
@hookimpl
def ferbench_metrics():
    yield Metric("fake-share", lambda scored: float((scored.scores.argmax(1) == scored.targets).mean()), percent=True)
"""


@pytest.mark.usefixtures("quick_kit")
def test_what_hangs_or_dies_costs_the_rule_that_it_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target("flawed", file=FLAWED)
    with Kit("quick") as kit:
        things, _ = kit.things(target)
        named = {thing.name: thing for thing in things}
        hanging = named["hangs"].only("builds")
        (hung,) = kit.look(target, type(hanging)(hanging.kind, hanging.name, hanging.open, (1.0,)))
        died = list(kit.look(target, named["dies"]))

    assert hung.state == "fail"
    assert hung.detail.startswith("it took longer than 1 s")
    states = {finding.check: finding.state for finding in died}
    assert [finding.check for finding in died] == [finding.check for finding in named["dies"].open]
    assert states["resolves"] == "pass"  # what asks for no network goes on
    assert states["builds"] == states["learns"] == "fail"
    builds = next(finding for finding in died if finding.check == "builds")
    assert builds.detail == "it ended the process (exit code 7): the last words of a network"


@pytest.mark.usefixtures("quick_kit")
def test_the_command_says_what_is_wrong_and_ends_with_1(ferbench: Command, tmp_path: Path) -> None:
    file = tmp_path / "fakeworse.py"
    source = SOUND.replace("percent=True", "percent=True, higher_is_better=False")
    file.write_text("from ferbench import Metric, hookimpl\n" + source, encoding="utf-8")
    shown = ferbench("check", file)
    assert shown.code == 1
    assert "metric fake-share" in shown.out
    assert "✗ right predictions are worth most" in shown.out
    assert "higher_is_better is False" in shown.out
    assert "1 failed" in shown.out


@pytest.mark.usefixtures("quick_kit")
def test_the_command_prints_objects_for_machines_and_ends_with_0(ferbench: Command, tmp_path: Path) -> None:
    file = tmp_path / "fakemethod.py"
    file.write_text("from ferbench import Metric, hookimpl\n" + SOUND, encoding="utf-8")
    answered = ferbench("check", file, "--json")
    assert answered.code == 0
    keys = {"plugin", "kind", "name", "check", "what", "state", "detail", "mend", "seconds"}
    assert {frozenset(row) for row in answered.json} == {frozenset(keys)}
    assert {row["state"] for row in answered.json} == {"pass", "skip", "note"}
    assert {row["kind"] for row in answered.json} == {"plugin", "metrics"}


@pytest.mark.usefixtures("quick_kit")
def test_a_name_that_another_plugin_has_is_named_before_all_else(ferbench: Command, tmp_path: Path) -> None:
    file = tmp_path / "faketaken.py"
    source = SOUND.replace("fake-share", "accuracy")
    file.write_text("from ferbench import Metric, hookimpl\n" + source, encoding="utf-8")
    shown = ferbench("check", file)
    assert shown.code == 1
    assert "✗ no other plugin has its names" in shown.out
    assert "the metric name 'accuracy' is taken by the plugin 'builtin'" in shown.out
    assert "metric accuracy" not in shown.out.splitlines()


def test_an_installed_package_with_a_name_of_another_is_told_so(install: Install, tmp_path: Path) -> None:
    install("late", SOUND.replace("fake-share", "accuracy"))
    answers = tmp_path / "answers.jsonl"
    contents(json.dumps({"plugin": "late", "file": "", "path": str(answers)}))
    added, among_all = map(json.loads, answers.read_text(encoding="utf-8").splitlines())
    assert [thing["name"] for thing in added["things"]] == ["accuracy"]
    assert "is taken by the plugin 'builtin'" in among_all["taken"]


def test_a_package_without_an_entry_point_is_told_what_it_lacks(ferbench: Command) -> None:
    told = ferbench("check", "pluggy")
    assert told.code == 2
    assert "The package pluggy is installed, and has no entry point of the group 'ferbench'" in told.err
    assert "[project.entry-points.ferbench]" in told.err


def test_what_is_no_plugin_ends_with_2(ferbench: Command, tmp_path: Path) -> None:
    unknown = ferbench("check", "secn-net")
    assert unknown.code == 2
    assert "is neither an installed plugin, nor a folder, nor a Python file" in unknown.err
    assert ferbench("check", tmp_path / "not-there.py").code == 2
    assert ferbench("check", tmp_path).code == 2


def test_a_plugin_goes_by_its_package_its_entry_point_and_its_folder() -> None:
    for folder in PLUGINS:
        (target,) = find_targets(str(folder))
        assert target.package == folder.name
        assert find_targets(folder.name) == find_targets(target.plugin) == [target]
        assert find_targets(folder.name.removeprefix("ferbench-")) == [target]
    assert find_targets("builtin") == [Target("builtin", "ferbench")]
    assert find_targets("ferbench") == [Target("builtin", "ferbench"), Target("mlflow", "ferbench")]


def test_a_folder_whose_package_is_installed_from_elsewhere_is_refused(install: Install, tmp_path: Path) -> None:
    install("twin", SOUND)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for plugin, words in (("twin", "is installed from"), ("absent", "is not installed in this environment")):
        lines = f'[project]\nname = "fake"\n[project.entry-points.ferbench]\n{plugin} = "fake_twin"\n'
        (folder / "pyproject.toml").write_text(lines, encoding="utf-8")
        with pytest.raises(PluginError, match=words):
            find_targets(str(folder))
    (folder / "pyproject.toml").write_text("[project]\nname = 'fake'\n", encoding="utf-8")
    with pytest.raises(UnknownNameError, match="with entry points"):
        find_targets(str(folder))


def test_a_package_that_is_heavy_broken_or_without_a_licence_is_named(install: Install) -> None:
    install("heavy", "import numpy\n" + SOUND)
    install("broken", "import sys; sys.exit(3)")
    states = {finding.check: finding for finding in whole(Target("heavy", "fake-heavy"))}
    assert (states["light"].state, states["light"].detail) == ("fail", "it imports numpy")
    assert (states["licence"].state, states["licence"].detail) == ("fail", "its package states none")
    (imported,) = whole(Target("broken", "fake-broken"))
    assert imported.state == "fail"
    assert "ended the program (SystemExit: 3)" in imported.detail


def test_pytest_runs_the_checks_of_the_package_in_its_folder(install: Install, tmp_path: Path) -> None:
    """In a folder of its own, as an author would: a test for each check, and failures that can be read."""
    folder = install("authored", SOUND.replace("percent=True", "percent=True, higher_is_better=False")).parent
    lines = '[project]\nname = "fake-authored"\n[project.entry-points.ferbench]\nauthored = "fake_authored"\n'
    (folder / "pyproject.toml").write_text(lines, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--ferbench", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-rA"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed, 7 passed, 1 skipped" in done.stdout
    assert "metrics fake-share: not so: right predictions are worth most, wrong ones least" in done.stdout
    assert "is it the other way round?" in done.stdout
    assert "Traceback" not in done.stdout


def test_pytest_without_the_option_is_not_slowed_down() -> None:
    code = "import ferbench.checking.pytest_plugin, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    brought = set(done.stdout.split())
    assert not brought & {"torch", "numpy", "pydantic", "ferbench.plugins", "ferbench.nouns"}
