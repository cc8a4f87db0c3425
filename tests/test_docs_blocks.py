"""Every block of code in the documentation works: it is run, read by the command line's own parser, or says why not.

A block's language says what is done with it. A comment before it can say more:

``<!-- file: NAME -->``       it is written as that file into the page's folder, for the blocks that follow
``<!-- parsed: REASON -->``   its ``ferbench`` and ``make`` lines are only checked against what there is, and not run
``<!-- shown: REASON -->``    it is not checked at all

``python`` is run, a page's blocks sharing one namespace; ``bash`` is run line by line; ``text`` is compared with what
the block before it printed (a line ``…`` stands for any lines); ``toml`` is read, as a suite where it is one.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.exceptions
from markdown_it import MarkdownIt

from ferbench.cli.main import app, main
from ferbench.suites import parse_suite
from tests.contract import Contract

ROOT = Path(__file__).parents[1]
GENERATED = {ROOT / "docs" / name for name in ("_build", "reference")}
DOCS = sorted(p for p in (ROOT / "docs").rglob("*.md") if not GENERATED & set(p.parents))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
MARK = re.compile(r"<!-- (file|parsed|shown): (\S.*?) -->", re.DOTALL)
PARSED_ONLY = (
    "cd ",
    "python -c ",
    "export ",
    "git ",
    "pip ",
    "uv pip ",
    "uv sync",
    "pytest ",
    "uv run --no-sync pytest ",
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and what the comment before it says."""

    language: str
    text: str
    mark: str
    argument: str

    @property
    def handling(self) -> str:
        """What is done with it."""
        if self.language.startswith("{"):
            return "directive"
        if self.mark in ("parsed", "shown"):
            return self.mark
        return {"python": "run", "bash": "run", "text": "compared", "toml": "read"}.get(self.language, "unknown")


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found: list[Block] = []
    before = ""
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "fence":
            mark = MARK.search(before)
            kind, argument = mark.groups() if mark else ("", "")
            found.append(Block(token.info.strip().split(" ")[0], token.content, kind, argument))
        before = token.content if token.type == "html_block" else ""
    return found


def commands_of(block: Block) -> Iterator[list[str]]:
    """The words of each line, without comments; a backslash goes on in the next line."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def ferbench_words(words: list[str]) -> list[str] | None:
    """What is given to ``ferbench``; None for another program."""
    rest = words[2:] if words[:2] == ["uv", "run"] else words
    rest = [word for word in rest if word != "--no-sync"] if rest is not words else rest
    return rest[1:] if rest[:1] == ["ferbench"] else None


def parse(arguments: list[str]) -> None:
    """Check names of commands, options and their values, as the command line does before it begins."""
    command: Any = typer.main.get_command(app)
    rest = arguments
    while hasattr(command, "commands"):
        if not rest or rest[0].startswith("-"):
            break
        assert rest[0] in command.commands, f"there is no command {rest[0]!r}"
        command, rest = command.commands[rest[0]], rest[1:]
    try:
        command.make_context("ferbench", list(rest))
    except typer.Exit:  # --help and the like
        pass


def check_line(words: list[str]) -> None:
    """Check a line that is not run."""
    arguments = ferbench_words(words)
    if arguments is not None:
        parse(arguments)
    elif words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    else:
        assert (" ".join(words) + " ").startswith(PARSED_ONLY), f"what is {words}?"


@dataclass
class Reader:
    """Somebody who follows a page from its first block to the last, in a folder of their own."""

    names: dict[str, Any]
    printed: str = ""

    def follow(self, block: Block) -> None:
        """Do what the block says."""
        if block.mark == "file":
            Path(block.argument).write_text(block.text, encoding="utf-8")
        if block.handling == "run" and block.language == "bash":
            self.printed = "".join(self.command(words) for words in commands_of(block))
        elif block.handling == "run" and block.mark == "file":
            compile(block.text, block.argument, "exec")
        elif block.handling == "run":
            self.printed = self.output_of(lambda: exec(compile(block.text, "block", "exec"), self.names))
        elif block.handling == "parsed":
            for words in commands_of(block):
                check_line(words)
        elif block.handling == "read":
            if "datasets" in tomllib.loads(block.text):
                parse_suite(block.text, "block")
        elif block.handling == "compared":
            parts = [re.escape(part.strip()) for part in re.split(r"^…$", stripped(block.text), flags=re.MULTILINE)]
            assert re.search(".*".join(parts), stripped(self.printed), re.DOTALL), self.printed

    def command(self, words: list[str]) -> str:
        """Run a line that begins with ``ferbench``, and return what it printed."""
        arguments = ferbench_words(words)
        assert arguments is not None, f"{words} is no ferbench command: run it elsewhere, and mark the block as parsed"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["ferbench", *arguments])
            return self.output_of(main)

    @staticmethod
    def output_of(call: Callable[[], object]) -> str:
        """What a call printed; it must not end with an exit code."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                call()
            except SystemExit as end:
                assert not end.code, output.getvalue()
        return output.getvalue()


def stripped(text: str) -> str:
    """The text without spaces at the ends of its lines, and without empty ones around it."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


@pytest.fixture
def reader(contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader in an empty folder. Their runs share the processes of the other tests, which start in a moment."""
    from ferbench.checking import kit
    from ferbench.running import checkup

    folder = tmp_path / "checkout"
    folder.mkdir()
    monkeypatch.setenv("FERBENCH_DATA", str(contract.out.with_name("data")))  # where those processes look
    for module in (kit, checkup):
        monkeypatch.setattr(module, "make_launcher", contract.launcher)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    return Reader({"__name__": "__page__"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_reader_who_follows_a_page_gets_where_it_says(page: Path, reader: Reader) -> None:
    for block in blocks_of(page):
        reader.follow(block)


def test_no_block_is_passed_over() -> None:
    handled = Counter(block.handling for page in PAGES for block in blocks_of(page))
    fences = sum(len(re.findall(r"^```", page.read_text(encoding="utf-8"), re.MULTILINE)) for page in PAGES)
    assert handled["unknown"] == 0, "a block without a language, or of one that this test does not know"
    assert 2 * handled.total() == fences
    assert handled["run"] >= 15 and handled["compared"] >= 2


def test_a_mark_gives_a_reason_and_stands_before_a_block() -> None:
    for page in PAGES:
        marks = MARK.findall(page.read_text(encoding="utf-8"))
        used = [block for block in blocks_of(page) if block.mark]
        assert len(marks) == len(used), page
        assert all(len(block.argument.split()) > 2 for block in used if block.mark != "file"), page


def test_every_example_of_a_help_page_can_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("faces").mkdir()  # a folder of pictures, which the command wants to be there
    group: Any = typer.main.get_command(app)
    seen = 0
    for line in examples(group):
        for part in line.split("&&"):
            arguments = ferbench_words(shlex.split(part, comments=True))
            if arguments is not None:
                parse(arguments)
                seen += 1
    assert seen >= len(group.commands)


def examples(command: Any) -> Iterator[str]:
    """The indented lines of the help of a command and of those in it."""
    for inner in getattr(command, "commands", {}).values():
        yield from examples(inner)
    yield from re.findall(r"^    +(\S.*)$", command.help or "", re.MULTILINE)


@pytest.mark.parametrize(
    "line", ["ferbench rum", "ferbench run --sweet demo", "ferbench list things", "ferbench show", "make coffee"]
)
def test_a_line_that_is_only_parsed_can_fail(line: str) -> None:
    with pytest.raises((typer.exceptions.TyperException, AssertionError)):
        check_line(shlex.split(line))
