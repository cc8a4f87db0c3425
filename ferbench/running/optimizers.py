"""Optimizers of timm, tried before a run begins: in a process of its own, as the planning one must not import torch."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

from ferbench.errors import Problem, SettingsError
from ferbench.nouns.optimizers import TimmOptimizer
from ferbench.nouns.recipe import Recipe

SECONDS = 120.0


def check_optimizers(recipe: Recipe, name: str) -> None:
    """Raise SettingsError where timm has no such optimizer, or it does not take its options.

    ``name`` is the model's. What only the network tells, such as a pattern that names no parameter, is the cell's to
    find out.
    """
    for stage in recipe.planned_stages():
        if isinstance(stage.optimizer, TimmOptimizer):
            alone = stage.optimizer.model_copy(update={"groups": ()})
            problems = [Problem(f"{name}: {place}", message) for place, message in _problems(alone.model_dump_json())]
            if problems:
                raise SettingsError(problems)


@cache
def _problems(settings: str) -> tuple[tuple[str, str], ...]:
    """Places and messages. A process that takes too long or dies tells nothing here; the cell then will."""
    command = [sys.executable, "-P", "-m", "ferbench.running.optimizers"]
    try:
        done = subprocess.run(command, input=settings, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return ()
    return tuple((place, message) for place, message in json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Read the settings of an optimizer, try it on one weight, and print what is wrong with them."""
    import torch

    from ferbench.training.optim import make_optimizer

    problems: tuple[Problem, ...] = ()
    try:
        weight = torch.nn.Parameter(torch.zeros(2, 2))
        make_optimizer(TimmOptimizer.model_validate_json(sys.stdin.read()), [("weight", weight)])
    except SettingsError as error:
        problems = error.problems
    print(json.dumps([(problem.place, problem.message) for problem in problems]))


if __name__ == "__main__":
    main()
