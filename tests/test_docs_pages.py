"""The generated pages show what is installed, and the tables of marks name everything that the code can print."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path
from typing import Any

import pytest
import typer

import ferbench
from ferbench.cli.main import app
from ferbench.plugins import discover

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PLUGIN = """
from ferbench import Dataset, Metric, Model, Paper, ProtocolRule, Recipe, Reported, given_split, hookimpl

PAPER = Paper("A | title <b>", "A. Author, B. Author", 1999, "https://example.org/(1)<2>")

def build(spec):
    from torch import nn
    return nn.Sequential(nn.Flatten(), nn.Linear(spec.channels * spec.size**2, spec.classes))

@hookimpl
def ferbench_models():
    claim = Reported("nowhere", "official", "val", "accuracy", 0.5, "Table 9", caveat="only on a Tuesday")
    yield Model("brand-new", build, recipe=Recipe(epochs=77), paper=PAPER, reported=[claim])

@hookimpl
def ferbench_datasets():
    rule = ProtocolRule("official", given_split("train", "val", "test"), "as it came")
    yield Dataset("nowhere", "not here", ("a", "b"), (rule,), print, licence="CC0", how_to_get="https://example.org/a_b")

@hookimpl
def ferbench_metrics():
    yield Metric("wrongness", print, higher_is_better=False, description="how wrong")
"""


@pytest.fixture(scope="module")
def reference() -> Any:
    """The module that writes the pages."""
    spec = util.spec_from_file_location("reference_pages", DOCS / "reference_pages.py")
    assert spec and spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_newly_installed_plugin_shows_up_and_cannot_break_a_table(
    reference: Any, install: Callable[..., Path]
) -> None:
    install("fresh", PLUGIN)
    pages = reference.pages(discover())
    assert "| `brand-new` |" in pages["methods"]
    for fact in ("16,135", "| epochs, batch | 77, ", "Table 9", "on nowhere@official, val", "only on a Tuesday"):
        assert fact in pages["methods"]
    for fact in ("| `nowhere` |", "CC0.", "<https://example.org/a_b>", "| `official` | as it came. |"):
        assert fact in pages["datasets"]
    (line,) = [line for line in pages["methods"].splitlines() if line.startswith("| paper | A.")]
    assert line == r"| paper | A. Author, B. Author (1999). [A \| title \<b\>](https://example.org/%281%29%3C2%3E). |"
    assert "| `wrongness` | how wrong. | scalar | lower |" in pages["metrics"]


def test_every_public_name_command_and_option_is_in_the_reference(reference: Any) -> None:
    api, commands = reference.api(), reference.commands()
    missing = [name for name in ferbench.__all__ if not re.search(rf":: (ferbench\.)?{name}$", api, re.MULTILINE)]
    for name, command in reference.listed(typer.main.get_command(app)):
        missing += [] if f"## {name}\n" in commands else [name]
        missing += [option for item in command.params for option in item.opts if option not in commands]
    assert missing == []


def test_every_name_that_a_page_links_to_is_public() -> None:
    linked = {
        name for page in DOCS.rglob("*.md") for name in re.findall(r"\{py:class\}`ferbench\.(\w+)`", page.read_text())
    }
    assert len(linked) > 5 and linked <= set(ferbench.__all__)


def printed(module: str) -> Iterator[str]:
    """The fixed beginning or end of every note, obstacle and caption that a module adds to a list."""
    tree = ast.parse((ROOT / "ferbench" / f"{module}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        added: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            if re.fullmatch(r"notes(\[.*\])?|found|captions|faults", ast.unparse(node.func.value)):
                added = list(node.args)
        elif isinstance(node, ast.AugAssign) and ast.unparse(node.target) == "notes":
            added = [node.value]
        for item in added:
            texts = [part.value for part in ast.walk(item) if isinstance(part, ast.Constant)]
            words = [text.strip(" ():;,.") for text in texts if isinstance(text, str)]
            if longest := max(words, key=len, default=""):
                yield longest


PRINTING = "reporting/measured reporting/claims reporting/leaderboard reporting/about running/cell running/importing"


@pytest.mark.parametrize("module", PRINTING.split())
def test_every_note_of_the_leaderboard_is_explained(module: str) -> None:
    page = re.sub(r"[`*\\]", "", " ".join((DOCS / "leaderboard.md").read_text(encoding="utf-8").split()))
    notes = {text.replace("`", "") for text in printed(module) if len(text) > 5}
    assert notes
    assert {text for text in notes if text not in page} == set()


def constants() -> set[str]:
    """Every fixed text of some length in the core and the plugins, also between the holes of a format."""
    found = set()
    for folder in (ROOT / "ferbench", *(ROOT / "plugins").glob("*/src")):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 9:
                    found.add(node.value.strip())
    return found


def test_every_message_of_the_troubleshooting_page_is_one_that_is_printed() -> None:
    known = constants()
    sections = (DOCS / "troubleshooting.md").read_text(encoding="utf-8").split("| message |")[1:]
    rows = [line for part in sections for line in part.partition("\n\n")[0].splitlines() if line.startswith("| ")]
    messages = [row.split(" | ")[0].removeprefix("| ").replace("\\", "") for row in rows]
    assert len(messages) > 20
    assert [message for message in messages if not any(text in message for text in known)] == []
