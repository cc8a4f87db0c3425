"""What a user asks of a run, before anything is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ferbench.errors import Problem, SettingsError
from ferbench.nouns.settings import revised
from ferbench.nouns.suite import RunSettings, Suite
from ferbench.plugins import Installed
from ferbench.suites import Override, overrides_of, read_suite, under


@dataclass(frozen=True)
class Request:
    """The arguments of ``ferbench run``. Empty lists and None leave the suite's own."""

    suite: str
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    samplers: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    epochs: int | None = None
    limit: int | None = None
    overrides: tuple[Override, ...] = ()
    out: Path = Path("ferbench-runs")
    device: str | None = None
    jobs: int | None = None
    fresh: bool = False
    plugins: tuple[Path, ...] = ()


def resolve_suite(request: Request, installed: Installed) -> Suite:
    """The named suite (or TOML file) with the request's lists in place of its own."""
    path = Path(request.suite)
    suite = read_suite(path) if path.suffix == ".toml" else installed.suite(request.suite)
    changes = {
        "datasets": request.datasets or suite.datasets,
        "models": request.models or suite.models,
        "samplers": request.samplers or suite.samplers,
        "seeds": request.seeds or suite.seeds,
        "epochs": suite.epochs if request.epochs is None else request.epochs,
        "limit": suite.limit if request.limit is None else request.limit,
    }
    return revised(suite, changes)


def run_settings(request: Request, suite: Suite) -> RunSettings:
    """Run settings from the suite's and the request's overrides, ``--device`` and ``--jobs``."""
    changes = under("run", overrides_of(suite, request.overrides))
    if request.device is not None:
        changes["device"] = request.device
    if request.jobs is not None:
        changes["jobs"] = request.jobs
    return revised(RunSettings(), changes, "run")


def unmatched(overrides: tuple[Override, ...], used: set[str]) -> None:
    """Raise SettingsError for overrides that matched nothing in this run."""
    problems = [
        Problem(str(item), "matches nothing in this run; `ferbench show MODEL` lists a recipe's keys")
        for item in overrides
        if not item.key.startswith("run.") and str(item) not in used
    ]
    if problems:
        raise SettingsError(problems)
