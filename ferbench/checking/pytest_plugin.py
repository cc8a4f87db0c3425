"""``pytest --ferbench`` in a plugin package's folder: each check of the kit as a test.

Every pytest of an environment with ferbench imports this module: what it needs beyond pytest is imported on use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ferbench.checking.kit import Kit, Thing
    from ferbench.checking.report import Finding
    from ferbench.checking.target import Target

KIT = pytest.StashKey["Kit"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("ferbench", "conformance of ferbench plugins")
    group.addoption(
        "--ferbench", action="store_true", help="also check the plugin in this folder, a test for each check"
    )
    group.addoption(
        "--ferbench-effort",
        choices=("quick", "normal", "full"),
        default="normal",
        help="networks above 0.1 (quick) or 1 GFLOP (normal) are tried with their small settings or smaller pictures",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the checks of the package in the folder in which pytest was called."""
    if not config.getoption("ferbench"):
        return
    from ferbench.checking.kit import Kit
    from ferbench.checking.target import find_targets
    from ferbench.errors import FerbenchError

    try:
        targets = find_targets(str(config.invocation_params.dir))
        config.stash[KIT] = kit = Kit(config.getoption("ferbench_effort"))
        for target in targets:
            items += _items(session, kit, target)
    except FerbenchError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the kit's processes."""
    kit = config.stash.get(KIT, None)
    if kit is not None:
        kit.close()


def _items(session: pytest.Session, kit: Kit, target: Target) -> list[pytest.Item]:
    from ferbench.checking.package import whole

    known = list(whole(target))
    things: list[Thing] = []
    if known[0].state != "fail":
        things, published = kit.things(target)
        known += published
    items = [CheckItem.make(session, target, finding) for finding in known]
    items += [CheckItem.make(session, target, finding, thing) for thing in things for finding in thing.open]
    return list(items)


class CheckFailedError(Exception):
    """A check failed; the finding says why."""


class CheckItem(pytest.Item):
    """One check. ``thing`` None: it was looked at when tests were collected."""

    finding: Finding
    target: Target
    thing: Thing | None

    @classmethod
    def make(cls, session: pytest.Session, target: Target, finding: Finding, thing: Thing | None = None) -> CheckItem:
        """An item of a session."""
        name = f"ferbench::{finding.kind}::{finding.name}::{finding.check}"
        item: CheckItem = cls.from_parent(session, name=name, nodeid=name)
        item.finding, item.target, item.thing = finding, target, thing
        return item

    def runtest(self) -> None:
        """Look, in a process of its own."""
        finding = self.finding
        if self.thing is not None:
            (finding,) = self.config.stash[KIT].look(self.target, self.thing.only(finding.check))
        if finding.state == "skip":
            pytest.skip(finding.detail)
        if finding.state == "fail":
            raise CheckFailedError(finding)
        self.add_report_section("call", "ferbench", " ".join([finding.detail, finding.mend]).strip())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *rest: Any) -> str:
        """What is wrong and how to mend it, without a traceback of the kit."""
        if not isinstance(excinfo.value, CheckFailedError):
            return str(super().repr_failure(excinfo))
        finding: Finding = excinfo.value.args[0]
        lines = [f"{finding.kind} {finding.name}: not so: {finding.what}", f"  {finding.detail}", f"  {finding.mend}"]
        return "\n".join(line for line in lines if line.strip())

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it stands in reports."""
        return Path("ferbench"), None, f"{self.finding.kind} {self.finding.name}: {self.finding.check}"
