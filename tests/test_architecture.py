"""The shape of the code: floors, circles, sizes, light imports, public names, a workspace that names every plugin."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import ferbench

ROOT = Path(__file__).parents[1]
CORE = ROOT / "ferbench"
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))

FLOORS = {
    "errors": 0,
    "nouns": 1,
    "data": 2,
    "training": 2,
    "suites": 2,
    "identity": 2,
    "store": 3,
    "hookspecs": 3,
    "auditing": 4,
    "plugins": 4,
    "builtin": 4,
    "evaluating": 4,
    "reporting": 4,
    "running": 5,
    "sharing": 5,
    "scaffold": 5,
    "checking": 5,
    "tracking": 5,
    "cli": 6,
}
HEAVY = ("torch", "numpy", "pandas", "pyarrow", "sklearn", "scipy", "PIL", "mlflow")


@cache
def modules() -> Mapping[str, ast.Module]:
    """Every module of the core by dotted name; the public face ``ferbench`` aside, which names what lies below it."""
    found = {}
    for path in sorted(CORE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def room_of(module: str) -> str:
    """``ferbench.data.splits`` lies in the room ``data``."""
    return module.split(".")[1]


def imports_of(name: str, *, type_checking: bool) -> Iterator[tuple[str, int]]:
    """Modules of the core that a module imports, within its functions too, and the lines where."""
    hidden = set()
    if not type_checking:
        for node in ast.walk(modules()[name]):
            if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                hidden |= {id(inner) for statement in node.body for inner in ast.walk(statement)}
    for node in ast.walk(modules()[name]):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("ferbench."):
                    yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}, line {node.lineno}: write out the whole name of what is imported"
            for alias in node.names:
                module = _home(node.module or "", alias.name)
                if module:
                    yield module, node.lineno


def _home(module: str, name: str) -> str:
    """The module from which ``from module import name`` takes its object; empty for what lies outside the core."""
    if f"{module}.{name}" in modules():
        return f"{module}.{name}"
    if module == "ferbench":
        return ferbench._HOME_OF.get(name, "")
    return module if module.startswith("ferbench.") else ""


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(name) for name in modules() if name != "ferbench"}
    assert rooms - set(FLOORS) == set()


def test_imports_never_run_upwards() -> None:
    upwards = [
        f"{name}, line {line}: {target}"
        for name in modules()
        if name != "ferbench"
        for target, line in imports_of(name, type_checking=True)
        if FLOORS[room_of(target)] > FLOORS[room_of(name)]
    ]
    assert upwards == []


def test_modules_import_one_another_without_circles() -> None:
    graph = {
        name: {target for target, _ in imports_of(name, type_checking=False) if target != name}
        for name in modules()
        if name != "ferbench"
    }
    assert circle_in(graph) == []


def test_rooms_import_one_another_without_circles() -> None:
    graph: dict[str, set[str]] = {}
    for name in modules():
        if name != "ferbench":
            targets = {room_of(target) for target, _ in imports_of(name, type_checking=True)}
            graph.setdefault(room_of(name), set()).update(targets - {room_of(name)})
    assert circle_in(graph) == []


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """One circle of a directed graph, or an empty list."""
    done: set[str] = set()

    def _from(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for target in sorted(graph.get(node, ())):
            circle = _from(target, [*path, node])
            if circle:
                return circle
        done.add(node)
        return []

    return next((circle for node in sorted(graph) if (circle := _from(node, []))), [])


def test_a_circle_would_be_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_no_module_is_longer_than_400_lines() -> None:
    trees = [CORE, ROOT / "plugins", ROOT / "tests", ROOT / "benchmarks", ROOT / "tools"]
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for tree in trees for path in tree.rglob("*.py")
    }
    assert {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > 400} == {}


def test_nothing_in_the_core_names_a_plugin_package() -> None:
    packages = [spelling for plugin in PLUGINS for spelling in (plugin.name, plugin.name.replace("-", "_"))]
    files = [path for path in CORE.rglob("*") if path.suffix in (".py", ".toml")]
    named = [
        f"{path.relative_to(ROOT)} names {package}"
        for path in files
        for package in packages
        if package in path.read_text(encoding="utf-8")
    ]
    assert packages
    assert named == []


def test_plugins_import_the_public_names_of_the_core_alone() -> None:
    inner = []
    for path in (path for plugin in PLUGINS for path in (plugin / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            inner += [f"{path.relative_to(ROOT)}: {name}" for name in names if name.startswith("ferbench.")]
    assert inner == []


def test_every_public_name_is_there() -> None:
    for name in ferbench.__all__:
        assert getattr(ferbench, name) is not None
    assert not hasattr(ferbench, "NoSuchName")


def test_public_names_type_checkers_and_readers_see_are_the_same() -> None:
    shown = {
        alias.asname or alias.name: node.module
        for block in modules()["ferbench"].body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert shown == ferbench._HOME_OF
    assert sorted(shown) == sorted(ferbench.__all__)


def _heavy_modules(code: str) -> list[str]:
    """Run code in a fresh Python, and return which heavy packages it brought in."""
    report = f"\nimport sys\nprint('brought:', *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    command = [sys.executable, "-c", code + report]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr.rpartition("brought:")[2].split()


def test_a_heavy_import_would_be_seen() -> None:
    assert _heavy_modules("import numpy") == ["numpy"]


@pytest.mark.parametrize("module", ["ferbench", "ferbench.nouns.recipe", "ferbench.hookspecs", "ferbench.plugins"])
def test_nouns_and_discovery_are_light(module: str) -> None:
    assert _heavy_modules(f"import {module}") == []


def test_discovering_plugins_imports_nothing_heavy() -> None:
    assert _heavy_modules("from ferbench.plugins import discover; discover()") == []


@pytest.mark.parametrize("line", ["--help", "run --help", "list", "list models", "list plugins --json"])
def test_the_command_line_is_light(line: str) -> None:
    code = f"""
import sys
from ferbench.cli.main import main
sys.argv = ["ferbench", *{line.split()!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert _heavy_modules(code) == []


def test_every_plugin_is_installed_and_checked_by_default() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {plugin.name for plugin in PLUGINS}
    assert set(settings["dependency-groups"]["plugins"]) == names
    assert set(settings["tool"]["uv"]["sources"]) == names | {"ferbench"}
    assert {"include-group": "plugins"} in settings["dependency-groups"]["dev"]
    assert settings["tool"]["uv"]["default-groups"] == ["dev"]
    for plugin in PLUGINS:
        own = tomllib.loads((plugin / "pyproject.toml").read_text(encoding="utf-8"))
        assert own["project"]["name"] == plugin.name
        assert own["project"]["entry-points"]["ferbench"]


def test_versions_are_pinned_by_name_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = [line.partition("==")[0] for line in lines]
    assert all(line.count("==") == 1 and not set(line) & set("/:@; #") for line in lines)
    assert {"torch", "numpy", "pluggy", "pytest"} <= set(names)
    assert len(set(names)) == len(names)


def test_every_plugin_has_tests_and_a_page_of_its_own() -> None:
    lacking = [plugin.name for plugin in PLUGINS if not list((plugin / "tests").glob("test_*.py"))]
    lacking += [plugin.name for plugin in PLUGINS if "# " not in (plugin / "README.md").read_text(encoding="utf-8")]
    assert lacking == []


def test_every_command_has_a_test() -> None:
    from ferbench.cli.main import app

    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    commands = [command.name or "" for command in app.registered_commands]
    commands += [f"{group.name}" for group in app.registered_groups]
    assert "run" in commands
    assert [name for name in commands if f'"{name}"' not in tests] == []
