"""The conformance kit as others call it: a plugin's things, and what is found when they are looked at."""

from __future__ import annotations

import json
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from ferbench.checking.package import whole
from ferbench.checking.report import Effort, Finding
from ferbench.checking.target import Target
from ferbench.errors import PluginError
from ferbench.running.launch import make_launcher

LOADING = 60.0
"""Seconds within which a process must have imported a plugin and begun."""

POLL = 0.05


@dataclass(frozen=True)
class Thing:
    """An object of a plugin, and the rules that it is to keep: findings that are still open, and their time limits."""

    kind: str
    name: str
    open: tuple[Finding, ...]
    limits: tuple[float, ...]

    def only(self, *checks: str) -> Thing:
        """The same thing with some of its rules."""
        chosen = [index for index, finding in enumerate(self.open) if finding.check in checks]
        return replace(self, open=tuple(self.open[i] for i in chosen), limits=tuple(self.limits[i] for i in chosen))


class Kit:
    """Looks at plugins, each object in a process of its own; one that hangs or dies costs the rule that it broke."""

    def __init__(self, effort: Effort = "normal") -> None:
        self.effort = effort
        self.folder = tempfile.TemporaryDirectory(prefix="ferbench-check-")
        self.launcher = make_launcher()
        self.asked = 0

    def __enter__(self) -> Kit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what still runs, and remove what was written."""
        self.launcher.close()
        self.folder.cleanup()

    def findings(self, target: Target) -> Iterator[Finding]:
        """Look at everything that a plugin adds."""
        for finding in whole(target):
            yield finding
            if finding.state == "fail" and finding.check == "imports":
                return
        things, published = self.things(target)
        yield from published
        if any(finding.state == "fail" and finding.check == "names" for finding in published):
            return
        for thing in things:
            yield from self.look(target, thing)

    def things(self, target: Target) -> tuple[list[Thing], list[Finding]]:
        """What a plugin adds, and findings about its names and the numbers that it reports.

        Raises PluginError when it breaks.
        """
        answers = self._start(target, "contents", {})
        end, lines = None, []
        deadline = time.monotonic() + LOADING
        while end is None and time.monotonic() < deadline:
            end = self.launcher.ended(POLL).get(answers.stem)
        self.launcher.signal(answers.stem, signal.SIGKILL)
        lines = _lines(answers)
        if not lines:
            raise PluginError(f"{target.plugin} cannot be listed: {self._last_words(answers) or 'it took too long'}")
        things = [_thing(target, given) for given in lines[0]["things"]]
        return things, [*_named(target, lines[1:]), *_published(target, lines[0])]

    def look(self, target: Target, thing: Thing) -> Iterator[Finding]:
        """Look at one thing, and yield what is found about each of its rules, in their order."""
        waiting = list(zip(thing.open, thing.limits, strict=True))
        while waiting:
            checks = [finding.check for finding, _ in waiting]
            question = {"kind": thing.kind, "name": thing.name, "checks": checks, "effort": self.effort}
            answers = self._start(target, "answer", question)
            begun, read, ended, killed = "", 0, None, False
            deadline = time.monotonic() + LOADING
            while ended is None:
                ended = self.launcher.ended(POLL).get(answers.stem)
                for line in _lines(answers)[read:]:
                    read += 1
                    if "begin" in line:
                        begun, deadline = line["begin"], time.monotonic() + waiting[0][1]
                        continue
                    yield _closed(waiting.pop(0)[0], line)
                    begun = ""
                if ended is None and time.monotonic() > deadline and not killed:
                    killed = True
                    self.launcher.signal(answers.stem, signal.SIGKILL)
            if not waiting:
                return
            why = "it took longer than {:g} s" if killed else f"it ended the process ({_end(ended)})"
            why = why.format(waiting[0][1] if begun else LOADING)
            words = self._last_words(answers)
            lost = waiting[:1] if begun else waiting
            waiting = waiting[len(lost) :]
            for finding, _ in lost:
                yield replace(finding, state="fail", detail=f"{why}{': ' if words else ''}{words}")

    def _start(self, target: Target, function: str, question: dict[str, Any]) -> Path:
        self.asked += 1
        answers = Path(self.folder.name) / f"answers-{self.asked}.jsonl"
        file = str(target.file) if target.file else ""
        question = {**question, "plugin": target.plugin, "file": file, "path": str(answers)}
        argument = f"ferbench.checking.apart:{function} {json.dumps(question)}"
        self.launcher.start(answers.stem, "call", argument, {}, answers.with_suffix(".log"))
        return answers

    def _last_words(self, answers: Path) -> str:
        """The last line that a process printed."""
        log = answers.with_suffix(".log")
        said = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
        return next((line.strip()[:300] for line in reversed(said) if line.strip()), "")


def _thing(target: Target, given: dict[str, Any]) -> Thing:
    kind, name, rules = given["kind"], given["name"], given["rules"]
    findings = [Finding(target.plugin, kind, name, rule["check"], rule["what"], "skip") for rule in rules]
    return Thing(kind, name, tuple(findings), tuple(rule["seconds"] for rule in rules))


def _named(target: Target, told: Sequence[dict[str, Any]]) -> list[Finding]:
    """What is found about its names among those of all that is installed."""
    finding = Finding(target.plugin, "plugin", target.plugin, "names", "no other plugin has its names", "pass")
    if not told:
        return [replace(finding, state="skip", detail="another plugin stops the process: `ferbench doctor` names it")]
    cause: str = told[0]["taken"]
    mend = "Give it a name of its own; nothing else is looked at before."
    return [replace(finding, state="fail", detail=cause, mend=mend) if cause else finding]


def _published(target: Target, given: dict[str, Any]) -> list[Finding]:
    """What is found about the rows of ``ferbench_reported``, where there are any."""
    if not given["reported"]:
        return []
    faults: Sequence[str] = given["reported_faults"]
    what = "reported numbers are fractions, with paper and place"
    finding = Finding(target.plugin, "plugin", target.plugin, "reported", what, "pass", f"{given['reported']} numbers")
    return [replace(finding, state="fail", detail="; ".join(faults[:5])) if faults else finding]


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines that a process has answered so far."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def _closed(finding: Finding, line: dict[str, Any]) -> Finding:
    return replace(
        finding, state=line["state"], detail=line["detail"], mend=line["mend"], seconds=round(line["seconds"], 2)
    )


def _end(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.strsignal(-code) or str(code)
