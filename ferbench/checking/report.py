"""What a check is asked about, what it answers, and how its rules are listed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from ferbench.errors import FerbenchError
from ferbench.plugins import Installed, PluginInfo
from ferbench.plugins.quarantine import described

Noun = TypeVar("Noun")
Made = TypeVar("Made")

State = Literal["pass", "fail", "note", "skip"]
"""``note``: a fact that breaks no rule. ``skip``: it could not be looked at, or does not concern this object."""

Effort = Literal["quick", "normal", "full"]

GFLOPS: dict[Effort, float] = {"quick": 0.1, "normal": 1.0, "full": float("inf")}
"""How large a network may be, in GFLOP of one picture, before it is trained on smaller ones."""


@dataclass(frozen=True)
class Finding:
    """One line of a report. ``check`` is the rule's lasting name, ``what`` the rule in words, ``mend`` the way out."""

    plugin: str
    kind: str
    name: str
    check: str
    what: str
    state: State
    detail: str = ""
    mend: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What a check found out."""

    state: State
    detail: str = ""
    mend: str = ""


@dataclass(frozen=True)
class Subject(Generic[Noun]):
    """What is looked at: an object of a plugin, and all that is installed with it."""

    item: Noun
    info: PluginInfo
    installed: Installed
    everything: Callable[[], Installed]
    effort: Effort = "normal"
    made: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What one rule has made and the next ones need as well, by name."""

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What ``make`` returned when it was first asked for under this name."""
        if name not in self.made:
            self.made[name] = make()
        made: Made = self.made[name]
        return made


@dataclass(frozen=True)
class Rule:
    """A check: its lasting name, what it makes sure of, the function that looks, and how long that may take."""

    check: str
    what: str
    look: Callable[[Subject[Any]], Outcome]
    seconds: float = 60.0
    mend: str = ""


def passed(detail: str = "") -> Outcome:
    """The rule is kept."""
    return Outcome("pass", detail)


def failed(detail: str, mend: str = "") -> Outcome:
    """The rule is broken."""
    return Outcome("fail", detail, mend)


def noted(detail: str, mend: str = "") -> Outcome:
    """The rule is kept, and there is something to know."""
    return Outcome("note", detail, mend)


def skipped(detail: str) -> Outcome:
    """The rule does not apply here, or could not be looked at."""
    return Outcome("skip", detail)


def first_fault(faults: Sequence[str], mend: str = "", good: str = "") -> Outcome:
    """Fail with the faults that were found, if any (five at most are named)."""
    if not faults:
        return passed(good)
    more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
    return failed("; ".join(faults[:5]) + more, mend)


def looked_at(rule: Rule, subject: Subject[Any]) -> tuple[Outcome, float]:
    """Look, and turn whatever the plugin's code raises into a failure. Return the outcome and the seconds it took."""
    started = time.perf_counter()
    try:
        outcome = rule.look(subject)
    except FerbenchError as error:
        outcome = failed(" ".join(str(error).split()))
    except (Exception, SystemExit) as error:
        outcome = failed(described(error))
    if outcome.state == "fail" and not outcome.mend:
        outcome = Outcome("fail", outcome.detail, rule.mend)
    return outcome, time.perf_counter() - started


def counted(findings: Sequence[Finding]) -> Iterator[tuple[State, int]]:
    """How many findings are of each state, where there are any."""
    states: tuple[State, ...] = ("pass", "fail", "note", "skip")
    for state in states:
        number = sum(finding.state == state for finding in findings)
        if number:
            yield state, number
