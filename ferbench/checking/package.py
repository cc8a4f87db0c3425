"""Checks of a plugin as a whole: it can be imported, it is light, and its licence is stated."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from ferbench.checking.report import Finding, Outcome, failed, noted, passed, skipped
from ferbench.checking.target import Target
from ferbench.plugins import PluginCheck, check_in_subprocess

IMPORT_SECONDS = 30.0


def whole(target: Target) -> Iterator[Finding]:
    """Look at a plugin in a process of its own; when the first finding is a failure, nothing else can be looked at."""
    (imported,) = check_in_subprocess([target.file or target.plugin], IMPORT_SECONDS)
    yield _finding(target, "imports", "its entry module can be imported, and its hooks be called", _imports(imported))
    if not imported.ok:
        return
    yield _finding(target, "light", "its entry module brings in nothing heavy", _light(target, imported))
    yield _finding(target, "licence", "its licence is stated", _licence(target))


def _finding(target: Target, check: str, what: str, outcome: Outcome) -> Finding:
    return Finding(target.plugin, "plugin", target.plugin, check, what, outcome.state, outcome.detail, outcome.mend)


def _imports(imported: PluginCheck) -> Outcome:
    if imported.ok:
        return passed(f"{imported.seconds:.1f} s")
    return failed(imported.cause, "Mend this first; nothing else can be looked at.")


def _light(target: Target, imported: PluginCheck) -> Outcome:
    if not imported.heavy:
        return passed()
    detail = f"it imports {', '.join(imported.heavy)}"
    if target.file:
        return noted(detail, "Good enough for a file; a package names its network as 'package.network:build'.")
    return failed(detail, "Move what needs them into another module, and name it: build='package.network:build'.")


def _licence(target: Target) -> Outcome:
    if target.file:
        return skipped("a file has no package")
    facts = metadata.metadata(target.package)
    stated = [facts[key] for key in ("License-Expression", "License") if key in facts]
    stated += [
        value.rpartition(" :: ")[2] for value in facts.get_all("Classifier") or () if value.startswith("License")
    ]
    known = [" ".join(str(value).split())[:60] for value in stated if value]
    if not known:
        return failed("its package states none", 'In pyproject.toml: license = "Apache-2.0", or another.')
    return passed(known[0])
