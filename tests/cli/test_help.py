"""What the command line says of itself, and how it refuses what it does not understand."""

from __future__ import annotations

import pytest

from ferbench.cli import main as entry
from tests.cli.conftest import Command

COMMANDS = [
    ("run",),
    ("leaderboard",),
    ("evaluate",),
    ("ensemble",),
    ("predict",),
    ("import",),
    ("pack",),
    ("merge",),
    ("ui",),
    ("track",),
    ("transfer",),
    ("list",),
    ("show",),
    ("data",),
    ("data", "status"),
    ("data", "add"),
    ("data", "preview"),
    ("data", "attributes"),
    ("data", "export"),
    ("data", "audit"),
    ("new",),
    ("check",),
    ("doctor",),
    ("gc",),
    ("diff",),
    ("cell",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_shows_an_example(ferbench: Command, command: tuple[str, ...]) -> None:
    shown = ferbench(*command, "--help")
    assert shown.code == 0
    assert "Example" in shown.out
    assert f"ferbench {' '.join(command)}" in shown.out.partition("Example")[2]


def test_every_command_is_in_the_list_above() -> None:
    names: set[tuple[str | None, ...]] = {(command.name,) for command in entry.app.registered_commands}
    for group in entry.app.registered_groups:
        assert group.typer_instance is not None
        names |= {(group.name,)} | {(group.name, c.name) for c in group.typer_instance.registered_commands}
    assert names == set(COMMANDS)


def test_the_version_is_told(ferbench: Command) -> None:
    import ferbench as package

    assert ferbench("--version").out.strip() == package.__version__


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lisst"], "No such command 'lisst'"),
        (["run"], "Missing option '--suite'"),
        (["run", "--suite", "demo", "--sede", "3"], "--seeds"),
        (["run", "--suite", "demo", "--epochs", "many"], "valid int"),
        (["list", "nothing"], "'nothing' is not one of"),
        (["gc", "--keep", "all"], "'all' is not one of"),
        (["evaluate", "--weights", "first"], "'first' is not one of"),
        (["data", "preview", "demo", "--rows", "0"], "greater than or equal to 1"),
    ],
)
def test_what_is_not_understood_is_named(ferbench: Command, arguments: list[str], words: str) -> None:
    refused = ferbench(*arguments)
    assert refused.code == 2
    assert words in " ".join(refused.err.replace("│", " ").split())


def test_debug_shows_where_a_mistake_was_noticed(ferbench: Command) -> None:
    from ferbench import UnknownNameError

    assert ferbench("show", "nothing-of-that-name").code == 2
    with pytest.raises(UnknownNameError):
        ferbench("show", "nothing-of-that-name", "--debug")
