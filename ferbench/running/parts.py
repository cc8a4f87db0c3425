"""The parts of a suite: one for each of its named rows, or the suite itself."""

from __future__ import annotations

from collections.abc import Sequence

from ferbench.errors import Problem, SettingsError
from ferbench.nouns.suite import Suite, SuiteRow
from ferbench.plugins import Installed
from ferbench.running.request import Request


def parts_of(suite: Suite, request: Request, installed: Installed) -> tuple[Suite, ...]:
    """Return plain suites without rows; each has the name of its row, or none where the suite has no rows.

    ``suite`` has the request's lists in place of its own already. A row that names models (data sets, samplers) of its
    own keeps those that were asked for, and is left out where none was. Raises SettingsError when that leaves no row,
    or when two rows share a name.
    """
    if not suite.rows:
        return (suite.model_copy(update={"name": ""}),)
    names = [row.name for row in suite.rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError([Problem("rows", f"several are called {', '.join(twice)}; each needs a name of its own")])
    parts = [part for row in suite.rows if (part := _part(suite, row, request, installed))]
    if not parts:
        asked = ", ".join([*request.datasets, *request.models, *request.samplers])
        message = f"none of the suite's rows ({', '.join(names)}) has what was asked for: {asked}"
        raise SettingsError([Problem("rows", message)])
    return tuple(parts)


def _part(suite: Suite, row: SuiteRow, request: Request, installed: Installed) -> Suite | None:
    models = _narrowed(installed.expand("models", row.models or suite.models), row.models, request.models)
    samplers = _narrowed(installed.expand("samplers", row.samplers or suite.samplers), row.samplers, request.samplers)
    datasets = _narrowed(row.datasets or suite.datasets, row.datasets, request.datasets)
    if not (models and samplers and datasets):
        return None
    return suite.model_copy(
        update={
            "name": row.name,
            "rows": (),
            "datasets": datasets,
            "models": models,
            "samplers": samplers,
            "seeds": request.seeds or row.seeds or suite.seeds,
            "epochs": request.epochs or row.epochs or suite.epochs,
            "limit": request.limit or row.limit or suite.limit,
            "selection": row.selection or suite.selection,
            "set": {**suite.set, **row.set},
        }
    )


def _narrowed(all_names: Sequence[str], own: Sequence[str] | None, asked: Sequence[str]) -> tuple[str, ...]:
    """Of a row's own names those that were asked for; ``demo`` asks for every protocol of it."""
    if own is None or not asked:
        return tuple(all_names)
    return tuple(name for name in all_names if name in asked or name.rpartition("@")[0] in asked)
