"""Wheels of the core and of the plugins hold what they should, and work outside the workspace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))
SOURCES = {"ferbench": ROOT} | {plugin.name: plugin / "src" for plugin in PLUGINS}


def _uv() -> str:
    found = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    if not Path(found).is_file():
        pytest.skip("uv is not installed, and wheels are built with it")
    return found


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel of every package of the workspace, by name."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [_uv(), "build", "--wheel", "--quiet", "--all-packages", "--out-dir", str(folder)]
    built = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=200)
    if built.returncode and "hatchling" in built.stderr and "Failed to fetch" in built.stderr:
        pytest.skip("the build back end hatchling is neither cached nor to be had: no network")
    assert built.returncode == 0, built.stderr
    return {name: next(folder.glob(f"{name.replace('-', '_')}-*.whl")) for name in SOURCES}


@pytest.fixture(scope="module")
def outside(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment into which the wheels are installed. Their dependencies are those of the one that runs the tests.

    A line in a .pth file adds that one's packages, but not what its own .pth files add: the workspace stays out.
    """
    folder = tmp_path_factory.mktemp("outside") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=100)
    python = folder / "bin" / "python"
    install = [_uv(), "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(python)]
    subprocess.run([*install, *map(str, wheels.values())], check=True, timeout=100)
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder


def _run(outside: Path, *command: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "FERBENCH"))
    }
    program = str(outside / "bin" / command[0])
    cwd = outside.parent
    return subprocess.run(
        [program, *command[1:]], check=False, cwd=cwd, env=clean, capture_output=True, text=True, timeout=100
    )


@pytest.mark.parametrize("name", SOURCES)
def test_a_wheel_holds_the_package_whole_and_nothing_else(wheels: dict[str, Path], name: str) -> None:
    package = SOURCES[name] / name.replace("-", "_")
    expected = {
        path.relative_to(SOURCES[name]).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheels[name]) as wheel:
        held = {entry for entry in wheel.namelist() if ".dist-info/" not in entry}
        metadata = {Path(entry).name for entry in wheel.namelist() if ".dist-info/" in entry}
    assert held == expected
    assert "entry_points.txt" in metadata
    assert not [entry for entry in held if Path(entry).name.startswith("test_") and entry.endswith(".py")]


def test_the_core_brings_its_types_its_suites_and_its_licence(wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels["ferbench"]) as wheel:
        held = wheel.namelist()
    assert "ferbench/py.typed" in held
    assert "ferbench/builtin/suites/demo.toml" in held
    assert any(entry.endswith(".dist-info/licenses/LICENSE") for entry in held)


def test_the_command_works_outside_the_workspace(outside: Path) -> None:
    done = _run(outside, "ferbench", "--help")
    assert done.returncode == 0, done.stderr
    assert "leaderboard" in done.stdout
    imported = _run(outside, "python", "-c", "import ferbench; print(ferbench.__file__)")
    assert Path(imported.stdout.strip()).is_relative_to(outside)


def test_plugins_are_found_outside_the_workspace(outside: Path) -> None:
    done = _run(outside, "ferbench", "list", "plugins", "--json")
    assert done.returncode == 0, done.stderr
    found = {item["name"]: item for item in json.loads(done.stdout)}
    assert {item["package"] for item in found.values()} >= set(SOURCES)
    assert {name: item["cause"] for name, item in found.items() if item["state"] != "ok"} == {}
    assert all(Path(item["location"]).is_relative_to(outside) for item in found.values())
