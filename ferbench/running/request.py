"""What a user asks of a run, before anything is looked up."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferbench.errors import Problem, SettingsError, did_you_mean
from ferbench.nouns.settings import revised
from ferbench.nouns.suite import RunSettings, Suite
from ferbench.plugins import Installed
from ferbench.suites import Override, overrides_of, read_suite, under


@dataclass(frozen=True)
class Request:
    """The arguments of ``ferbench run``. Empty lists and None leave the suite's own.

    Raises SettingsError that names all numbers that are too small, and a device that cannot be meant.
    """

    suite: str
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    samplers: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    epochs: int | None = None
    limit: int | float | None = None
    overrides: tuple[Override, ...] = ()
    out: Path = Path("ferbench-runs")
    device: str | None = None
    jobs: int | None = None
    fresh: bool = False
    plugins: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        numbers = {"--epochs": self.epochs, "--jobs": self.jobs}
        problems = [
            Problem(name, f"{number} is too few; give 1 or more")
            for name, number in numbers.items()
            if number is not None and number < 1
        ]
        if self.limit is not None and (self.limit <= 0 or (self.limit >= 1 and not isinstance(self.limit, int))):
            problems.append(Problem("--limit", f"{self.limit} is neither a number of samples nor a share (0.1)"))
        problems += [Problem("--seeds", f"{seed}: seeds are 0 or more") for seed in self.seeds if seed < 0]
        if self.device is not None:
            problems += _device_problems("--device", self.device)
        if problems:
            raise SettingsError(problems)


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
    settings = revised(RunSettings(), changes, "run")
    problems = _device_problems("run.device", settings.device)
    if problems:
        raise SettingsError(problems)
    return settings


def require_device(name: str, cuda: Sequence[str]) -> None:
    """Raise SettingsError when ``name`` is a GPU that is not among the machine's ``cuda`` devices."""
    if name.startswith("cuda") and int(name.partition(":")[2] or 0) >= len(cuda):
        shown = f"{len(cuda)} CUDA devices ({', '.join(cuda)})" if cuda else "no CUDA device"
        raise SettingsError([Problem("--device", f"{name!r} is not there: this machine shows {shown}")])


def unmatched(
    overrides: Sequence[Override],
    used: set[str],
    known: Sequence[str] = (),
    where: str = "this run",
    required: Collection[str] = (),
) -> None:
    """Raise SettingsError for overrides that matched nothing ``where``; ``known`` are those that would have.

    ``required``: names of models that others require, which no override reaches.
    """
    keys: dict[str, list[str]] = {"": []}  # by model or sampler
    for name in known:
        scope, _, key = name.rpartition(":")
        keys.setdefault(scope, []).append(key)
    problems = [
        Problem(str(item), _unmatched(item, keys, where, required))
        for item in overrides
        if not item.key.startswith("run.") and str(item) not in used
    ]
    if problems:
        raise SettingsError(problems)


def _unmatched(item: Override, keys: Mapping[str, Sequence[str]], where: str, required: Collection[str]) -> str:
    if item.scope not in keys and item.scope in required:
        return (
            f"matches nothing in {where}: {item.scope} is only required by others, and --set does not reach what is "
            "required (--epochs and --limit do)"
        )
    if item.scope not in keys:
        near = did_you_mean(item.scope, keys)
        return f"matches nothing in {where}: no model or sampler is called {item.scope!r}.{near}"
    near = did_you_mean(item.key, keys[item.scope])
    return f"matches nothing in {where}.{near} `ferbench show MODEL` lists a recipe's keys"


def _device_problems(place: str, name: str) -> list[Problem]:
    known = re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", name)
    return [] if known else [Problem(place, f"{name!r} is no device; use auto, cpu, cuda or cuda:1")]
