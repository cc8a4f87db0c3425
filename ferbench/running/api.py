"""Runs and leaderboards as single calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ferbench.data.attributes import outdated
from ferbench.errors import InterruptedRunError
from ferbench.nouns.event import CellEvent, RunEvent
from ferbench.plugins import Installed, discover
from ferbench.reporting.board import Leaderboard
from ferbench.reporting.formats import write
from ferbench.reporting.leaderboard import build
from ferbench.running.devices import cuda_devices
from ferbench.running.elsewhere import Elsewhere, fitting_cells, score_elsewhere
from ferbench.running.estimate import Estimate, estimate
from ferbench.running.executor import Executor, Slot, make_slots
from ferbench.running.launch import Launcher, make_launcher
from ferbench.running.plan import make_plan
from ferbench.running.planned import Plan, PlannedCell
from ferbench.running.recording import discard, mend, record_run
from ferbench.running.request import Request, require_device
from ferbench.running.view import View, counted, duration
from ferbench.store.store import State, Store
from ferbench.suites import override, parse_seeds

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunResult:
    """What a run came to. ``done`` and ``failed`` are cell ids; ``faults`` is what went wrong on other data sets."""

    run_id: str
    out: Path
    done: tuple[str, ...]
    failed: tuple[str, ...]
    leaderboard: Leaderboard
    faults: tuple[str, ...] = ()


def run(
    suite: str,
    *,
    datasets: Sequence[str] = (),
    models: Sequence[str] = (),
    samplers: Sequence[str] = (),
    seeds: int | Sequence[int] | None = None,
    epochs: int | None = None,
    limit: int | float | None = None,
    set: dict[str, Any] | None = None,
    out: str | Path = "ferbench-runs",
    device: str | None = None,
    jobs: int | None = None,
    fresh: bool = False,
    plugins: Sequence[str | Path] = (),
) -> RunResult:
    """Train and evaluate a suite (a name or a TOML file), as ``ferbench run`` does.

    >>> result = ferbench.run("demo", models=["small-cnn"], seeds=2)  # doctest: +SKIP

    Raises FerbenchError for everything that the command line reports with exit code 2; cells that fail are in
    ``failed``, their causes in the store.
    """
    numbers = parse_seeds(str(seeds)) if isinstance(seeds, int) else tuple(seeds or ())
    request = Request(
        suite=suite,
        datasets=tuple(datasets),
        models=tuple(models),
        samplers=tuple(samplers),
        seeds=numbers,
        epochs=epochs,
        limit=limit,
        overrides=tuple(override(name, value) for name, value in (set or {}).items()),
        out=Path(out),
        device=device,
        jobs=jobs,
        fresh=fresh,
        plugins=tuple(Path(name) for name in plugins),
    )
    return Run(request, Console(stderr=True, markup=False, highlight=False)).execute()


def leaderboard(
    out: str | Path = "ferbench-runs", sort: str | None = None, run: str | None = None, by: str | None = None
) -> pd.DataFrame:
    """The leaderboard of a store as a data frame: the columns of ``leaderboard.csv``, unrounded.

    ``by``: an attribute of the samples, by whose slices the rows are cut.
    """
    import pandas as pd

    table = make_leaderboard([Path(out)], discover(), run, sort, by)
    return pd.DataFrame(list(table.rows), columns=list(table.columns))


def make_leaderboard(
    out: Sequence[Path],
    installed: Installed,
    run_id: str | None = None,
    sort: str | None = None,
    by: str | None = None,
) -> Leaderboard:
    """Build the leaderboard of one store or several. Raises StoreError, UnknownNameError."""
    metrics = [installed.metric(name) for name in installed.names("metrics")]
    return build(out, metrics, run_id, sort, installed.reported, by=by)


class Run:
    """One run, from request to leaderboard. ``command`` is kept with it: what the user typed, where that is known."""

    def __init__(self, request: Request, console: Console, command: str = "") -> None:
        self.request, self.console, self.command = request, console, command
        self.installed = discover(files=request.plugins)

    def plan(self) -> Plan:
        """The plan. Raises FerbenchError for a user's mistake."""
        return make_plan(self.request, self.installed)

    def execute(self) -> RunResult:
        """Plan, estimate, train, evaluate, and write the leaderboard."""
        launcher = make_launcher()  # it imports torch while this process plans
        try:
            plan = self.plan()
            _require_device(plan, launcher)
            store = Store(self.request.out, create=True)
            return self._execute(plan, store, launcher)
        except KeyboardInterrupt:
            raise InterruptedRunError(
                "Stopped. What is finished is kept; the same command goes on from there."
            ) from None
        finally:
            launcher.close()

    def dry_run(self) -> dict[str, Any]:
        """What a run would do: its cells, which are done, and the estimated hours, as plain data."""
        launcher = make_launcher()
        try:
            plan = self.plan()
            _require_device(plan, launcher)
            known = (self.request.out / "store.json").exists()
            store = Store(self.request.out) if known else None
            done = {
                cell.id
                for cell in plan.cells
                if store and not self.request.fresh and store.cell(cell.id).state == "done"
            }
            open_cells = [cell for cell in plan.cells if cell.id not in done]
            timing = self._estimate(plan, store, open_cells, launcher, make_slots(plan.run, cuda_devices(launcher)))
        finally:
            launcher.close()
        return {
            "cells": [
                {
                    "id": cell.id,
                    "label": cell.label,
                    "done": cell.id in done,
                    "requires": list(cell.requires),
                    "roles": dict(cell.record["requires"]),
                }
                for cell in plan.cells
            ],
            "skipped": [{"what": item.what, "why": item.why} for item in plan.skipped],
            "estimated_hours": timing.total(open_cells, plan.run.jobs) / 3600,
            "cells_not_estimated": timing.unknown(open_cells),
            "warnings": timing.absurd(open_cells),
        }

    def _execute(self, plan: Plan, store: Store, launcher: Launcher) -> RunResult:
        run_id = record_run(plan, store, self.command)
        event = RunEvent(store.out, run_id, plan.suite.name, tuple(cell.id for cell in plan.cells))
        self.installed.notify("ferbench_run_started", event)
        todo = self._announce(plan, store)
        if todo:
            self._train(plan, store, launcher, run_id, todo)
        faults = self._score_elsewhere(plan, store, launcher)
        table = make_leaderboard([store.out], self.installed, run_id)
        write(table, store.out)
        self.installed.notify("ferbench_run_finished", event)
        states = {cell.id: store.cell(cell.id).state for cell in plan.cells}
        return RunResult(
            run_id,
            store.out,
            tuple(key for key, state in states.items() if state == "done"),
            tuple(key for key, state in states.items() if state == "failed"),
            table,
            tuple(faults),
        )

    def _announce(self, plan: Plan, store: Store) -> list[PlannedCell]:
        """Say what there is to do; return the cells not yet done, their records written."""
        if self.request.fresh:
            for cell in plan.cells:
                discard(store, cell)
        for cell in plan.cells:
            broken = mend(store, cell)
            if broken:
                self.console.print(
                    f"{cell.label}: {', '.join(broken)} was damaged and is removed; what is needed of it is made anew.",
                    style="yellow",
                    soft_wrap=True,
                )
        todo = [cell for cell in plan.cells if store.cell(cell.id).state != "done"]
        resumed = sum((store.cell(cell.id).resume / "state.pt").exists() for cell in todo)
        text = (
            f"Suite {plan.suite.name}: {counted(len(plan.cells), 'cell')}, {len(plan.cells) - len(todo)} already done"
        )
        self.console.print(text + (f", {resumed} to go on where it stopped" if resumed else "") + ".")
        if plan.skipped:
            self.console.print(f"Skipped, because it does not fit together ({len(plan.skipped)}):", style="dim")
            for item in plan.skipped[:5]:
                self.console.print(f"  {item.what}: {item.why}", style="dim")
        for loaded in plan.tables.values():
            if note := outdated(loaded):
                self.console.print(note, style="yellow", soft_wrap=True)
        for info in self.installed.plugins:
            if info.state == "broken":
                self.console.print(f"Plugin {info.name} is set aside: {info.cause}", style="yellow", soft_wrap=True)
        return todo

    def _estimate(
        self, plan: Plan, store: Store | None, todo: list[PlannedCell], launcher: Launcher, slots: list[Slot]
    ) -> Estimate:
        if not plan.run.probe:
            return Estimate({})
        with self.console.status("Timing each method for a moment …"):
            return estimate(store, todo, launcher, slots[0])

    def _train(self, plan: Plan, store: Store, launcher: Launcher, run_id: str, todo: list[PlannedCell]) -> None:
        slots = make_slots(plan.run, cuda_devices(launcher))
        timing = self._estimate(plan, store, todo, launcher, slots)
        total, unknown = timing.total(todo, plan.run.jobs), timing.unknown(todo)
        if total:
            others = f", and {counted(unknown, 'cell')} that cannot be timed beforehand" if unknown else ""
            self.console.print(f"About {duration(total)} on {slots[0].name.split()[0]} × {len(slots)}{others}.")
        for warning in timing.absurd(todo):
            self.console.print(f"Warning: {warning}", style="bold yellow")

        def left() -> float | None:
            waiting = [cell for cell in todo if executor.board.states[cell.id] not in ("done", "failed")]
            return timing.total(waiting, plan.run.jobs) or None

        def finished(cell: PlannedCell, state: State) -> None:
            view.finished(cell, state)
            folder = store.cell(cell.id).path
            event = CellEvent(store.out, run_id, cell.id, state, folder)
            self.installed.notify("ferbench_cell_finished", event)

        executor = Executor(store, todo, plan.run, launcher, slots, finished)
        view = View(store, self.console, len(todo), left)
        try:
            with view:
                executor.run_all(view.show)
        except KeyboardInterrupt:
            executor.stop()
            raise InterruptedRunError(
                f"Stopped. Done: {sum(state == 'done' for state in executor.board.states.values())} of "
                f"{counted(len(todo), 'cell')}; a running one keeps what it had reached. The same command goes on from "
                "there."
            ) from None

    def _score_elsewhere(self, plan: Plan, store: Store, launcher: Launcher) -> list[str]:
        """Score the cells on the suite's further data sets; say and return what went wrong."""
        faults: list[str] = []
        slot = make_slots(plan.run, cuda_devices(launcher))[0] if plan.suite.evaluate_on else None
        for name in plan.suite.evaluate_on:
            assert slot is not None
            fitting = fitting_cells(plan.cells, self.installed, name)
            if len(fitting) < len(plan.cells):
                left = counted(len(plan.cells) - len(fitting), "cell")
                self.console.print(f"{name}: another task or kind of data than that of {left}.", style="dim")
            if fitting:
                with self.console.status(f"Scoring on {name} …"):
                    faults += score_elsewhere(store, fitting, Elsewhere(name, self.request.plugins), launcher, slot)
        for fault in faults:
            self.console.print(fault, style="yellow", soft_wrap=True)
        return faults


def _require_device(plan: Plan, launcher: Launcher) -> None:
    """Refuse a GPU that is not there before anything is written; only who names one waits for the answer."""
    if plan.run.device.startswith("cuda"):
        require_device(plan.run.device, cuda_devices(launcher))
