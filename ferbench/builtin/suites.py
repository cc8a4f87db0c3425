"""The suites that ship inside, each a TOML file in the folder of the same name."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

from ferbench.nouns.suite import Suite
from ferbench.suites import parse_suite


def suites() -> Iterator[Suite]:
    """Yield the suites of the core, in alphabetical order.

    Raises SettingsError, with all mistakes, when a file is not a valid suite.
    """
    folder = files("ferbench.builtin").joinpath("suites")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name.removesuffix(".toml")):
        if entry.name.endswith(".toml"):
            yield parse_suite(entry.read_text(encoding="utf-8"), entry.name)
