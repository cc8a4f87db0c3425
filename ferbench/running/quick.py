"""A method tried out from a script or notebook: trained in this process, shown beside the stored rows."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch
from rich.console import Console

from ferbench.errors import FerbenchError, InterruptedRunError, Problem, SettingsError, TrainingError
from ferbench.evaluating.scoring import NetworkScorer
from ferbench.evaluating.setup import rebuild
from ferbench.nouns.emotions import LabelKind, Task
from ferbench.nouns.model import Model
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.settings import Options
from ferbench.plugins import Installed, discover
from ferbench.plugins.quarantine import described
from ferbench.reporting.board import QUICK, Leaderboard, Record
from ferbench.reporting.html import to_html
from ferbench.reporting.leaderboard import build as build_leaderboard
from ferbench.reporting.table import print_table
from ferbench.running.cell import perform
from ferbench.running.plan import make_plan
from ferbench.running.planned import Plan, PlannedCell
from ferbench.running.recording import record_run
from ferbench.running.request import Request
from ferbench.running.undisturbed import undisturbed
from ferbench.store.files import write_json
from ferbench.store.predictions import Predictions
from ferbench.store.store import Store
from ferbench.store.uses import note_cell
from ferbench.suites import override

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

VARIANT = "quick"
WIDTH = 140
WHY = "its code is in no installed plugin, so that nobody else could repeat it (`ferbench new model` makes one)"


@dataclass(frozen=True)
class Training:
    """One training of a quick try-out: a data set, fold and seed.

    ``net``: the network with its chosen weights, on the CPU, in evaluation mode. ``history``: a row an epoch.
    ``predictions``: a row for each sample of val and test (``split id label p_<class>``). ``metrics``: by side, name.
    """

    dataset: str
    protocol: str
    fold: int
    seed: int
    net: nn.Module
    history: pd.DataFrame
    predictions: pd.DataFrame
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Quick:
    """What a quick try-out came to. ``board``: its rows among the stored ones; nothing of it is in any store.

    ``net``, ``history``, ``predictions`` and ``metrics`` are those of the first of the ``trainings``.
    """

    trainings: tuple[Training, ...]
    board: Leaderboard

    @property
    def rows(self) -> list[Record]:
        """The rows of this method, one a data set: the columns of ``leaderboard.csv``."""
        return [row for row in self.board.rows if row["kind"] == QUICK]

    @property
    def row(self) -> Record:
        """The first of ``rows``."""
        return self.rows[0]

    @property
    def net(self) -> nn.Module:
        """The trained network."""
        return self.trainings[0].net

    @property
    def history(self) -> pd.DataFrame:
        """Losses, scores and learning rate, a row an epoch."""
        return self.trainings[0].history

    @property
    def predictions(self) -> pd.DataFrame:
        """Scores of val and test."""
        return self.trainings[0].predictions

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics by side (``val``, ``test``, ``train``) and name."""
        return self.trainings[0].metrics

    def __str__(self) -> str:
        text = io.StringIO()
        print_table(self.board, Console(file=text, width=WIDTH, force_jupyter=False, color_system=None))
        return text.getvalue()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return to_html(self.board)


def quick(
    build: Callable[..., nn.Module],
    recipe: Recipe | None = None,
    suite: str = "demo",
    *,
    name: str | None = None,
    datasets: Sequence[str] = (),
    epochs: int | None = None,
    seeds: Sequence[int] = (0,),
    limit: int | float | None = None,
    options: Mapping[str, Any] | None = None,
    set: Mapping[str, Any] | None = None,
    out: str | Path = "ferbench-runs",
    device: str | None = None,
    plugins: Sequence[str | Path] = (),
    verbose: bool = True,
) -> Quick:
    """Train ``build(spec, **options)`` in this process, and show its row, unranked, among the stored ones of ``out``.

    ``build``: a function or class that makes a network for a :class:`ferbench.NetSpec`. Data, protocol, epochs and
    metrics are the suite's (a name or a TOML file), as in ``ferbench run``: weights are chosen on val, test is
    reported; of a suite's samplers only ``plain`` is used. ``set``: overrides such as ``{"recipe.batch_size": 32}``.
    ``verbose``: print a line an epoch. Nothing is written to ``out``, which need not exist.

    >>> result = ferbench.quick(lambda spec: MyNet(spec.channels, spec.classes), epochs=3)  # doctest: +SKIP

    Raises FerbenchError for everything that is wrong with the request, TrainingError (from the original error) when the
    network fails, InterruptedRunError on Ctrl-C.
    """
    model = _model(build, recipe, options, name)
    files = tuple(Path(each) for each in plugins)
    installed = discover(files=files).with_model(model, "this program")
    request = Request(
        suite=suite,
        datasets=tuple(datasets),
        models=(model.full_name,),
        samplers=("plain",),
        seeds=tuple(seeds),
        epochs=epochs,
        limit=limit,
        overrides=tuple(override(key, value) for key, value in (set or {}).items()),
        device=device,
        plugins=files,
    )
    stored = [Path(out)] if (Path(out) / "store.json").exists() else []
    for path in stored:
        Store(path)  # a store that cannot be read is told before hours of training, not after
    try:
        plan = make_plan(request, installed)
        with TemporaryDirectory(prefix="ferbench-quick-") as folder:
            store = Store(Path(folder), create=True)
            record_run(plan, store)
            trainings = tuple(_train(cell, store, installed, verbose) for cell in plan.cells)
            return Quick(trainings, _board(plan, store, installed, stored))
    except KeyboardInterrupt:
        raise InterruptedRunError("Stopped. Nothing of a quick try-out is kept.") from None


def _model(
    build: Callable[..., nn.Module], recipe: Recipe | None, options: Mapping[str, Any] | None, name: str | None
) -> Model:
    problems = []
    if isinstance(build, torch.nn.Module):
        mend = "each training needs a new one; give what makes it, such as lambda spec: MyNet(spec.classes)"
        problems.append(Problem("build", f"is a network; {mend}"))
    elif not callable(build):
        message = "is no function or class; `ferbench.run` trains installed models by name"
        problems.append(Problem("build", f"{build!r:.80} {message}"))
    if recipe is not None and not isinstance(recipe, Recipe):
        problems.append(Problem("recipe", f"is {type(recipe).__name__}, not a ferbench.Recipe"))
    told = getattr(build, "__name__", type(build).__name__) if name is None else name
    shown = re.sub(r"[^a-z0-9._-]+", "-", told.lower()).strip("-._") if name is None else told
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", shown):
        problems.append(Problem("name", f"{shown!r} is no name; use lower case letters, digits and - _ . only"))
    plain = {key: value for key, value in (options or {}).items() if isinstance(value, bool | int | float | str)}
    for key in (options or {}).keys() - plain.keys():
        message = "is no number, text or bool; put it into build itself, such as lambda spec: MyNet(spec, layers)"
        problems.append(Problem(f"options.{key}", message))
    if problems:
        raise SettingsError(problems)
    kinds = {"__annotations__": {key: type(value) for key, value in plain.items()}, "__module__": __name__}
    own: type[Options] = type("QuickOptions", (Options,), {**plain, **kinds})
    return Model(
        name=shown,
        variant=VARIANT,
        build=build,
        recipe=recipe or Recipe(),
        options=own(),
        tasks=get_args(Task),
        label_kinds=get_args(LabelKind),
    )


def _train(cell: PlannedCell, store: Store, installed: Installed, verbose: bool) -> Training:
    folder = store.cell(cell.id)
    facts = cell.record["facts"] | {"kind": QUICK, "why_unranked": WHY}
    write_json(folder.path / "cell.json", cell.record | {"facts": facts})
    metrics = [installed.metric(each) for each in installed.names("metrics")]
    told = contextlib.nullcontext() if verbose else contextlib.redirect_stdout(io.StringIO())
    if verbose:
        print(f"{cell.label}:", flush=True)
    try:
        with undisturbed(), told:
            fitted, status = perform(folder, rebuild(folder.record, installed), lambda: metrics)
    except FerbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise TrainingError(f"{cell.label} {described(error)}") from error
    note_cell(folder, "training")
    folder.set_status("done", **status)
    assert isinstance(fitted.scorer, NetworkScorer)
    row = folder.record["row"]
    return Training(
        dataset=row["dataset"],
        protocol=row["protocol"],
        fold=cell.record["fold"],
        seed=cell.record["seed"],
        net=fitted.scorer.net.cpu().eval(),
        history=_history(folder.history()),
        predictions=_frame(folder.predictions()),
        metrics={side: values for side, values in folder.metrics().items() if isinstance(values, dict)},
    )


def _history(rows: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({key: pd.to_numeric([row[key] for row in rows]) for key in rows[0]})


def _frame(predictions: Predictions) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, np.ndarray] = {"split": predictions.split, "id": predictions.ids}
    if predictions.targets.ndim == 1:
        columns["label"] = predictions.targets
    else:
        columns |= {f"t_{name}": predictions.targets[:, i] for i, name in enumerate(predictions.classes)}
    columns |= {f"p_{name}": predictions.scores[:, i] for i, name in enumerate(predictions.classes)}
    return pd.DataFrame(columns)


def _board(plan: Plan, store: Store, installed: Installed, stored: Sequence[Path]) -> Leaderboard:
    """The quick rows among the stored rows of the same data sets and protocols."""
    metrics = [installed.metric(each) for each in installed.names("metrics")]
    board = build_leaderboard([store.out], metrics, reported=installed.reported, beside=stored)
    places = {(cell.record["row"]["dataset"], cell.record["row"]["protocol"]) for cell in plan.cells}
    blocks = [block for block in board.blocks if places & {(block.dataset, name) for name in block.protocols}]
    own_first = sorted(blocks, key=lambda block: all(row["kind"] != QUICK for row in block.rows))
    title = f"Quick try-out: {plan.suite.models[0]} on {plan.suite.name}"
    return replace(board, title=title, blocks=tuple(own_first), failures=())
