"""The store: the folder where cells live. It is enough by itself to compute every metric and table."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ferbench.errors import StoreError
from ferbench.store.files import disk_faults, file_digest, is_parquet, read_object, write_json, write_text
from ferbench.store.lease import is_live

if TYPE_CHECKING:
    from ferbench.store.predictions import Predictions

SCHEMA = 1
SEALED = ("predictions.parquet", "metrics.json", "best.safetensors", "last.safetensors")
"""Results of a cell: what they were when it finished is kept in ``status.json``, so that a change is noticed."""
State = Literal["planned", "running", "done", "failed", "skipped"]


@dataclass(frozen=True)
class CellFolder:
    """The files of one cell."""

    path: Path

    @property
    def id(self) -> str:
        """The cell's id, the name of its folder."""
        return self.path.name

    @property
    def record(self) -> dict[str, Any]:
        """``cell.json``: everything in the id, and facts for the table. Raises StoreError when it is not there."""
        return self._read(self.path / "cell.json")

    @property
    def environment(self) -> dict[str, Any]:
        """``environment.json``: device, threads, precision, versions, machine; empty before the first start."""
        return self._optional("environment.json")

    @property
    def status(self) -> dict[str, Any]:
        """``status.json``; a cell counts as planned when it says that it runs although no living process holds it, and
        when its predictions or metrics are gone.
        """
        status = self._optional("status.json") or {"state": "planned"}
        if status["state"] == "running" and not is_live(self.path / "lease.json"):
            status["state"] = "planned"
        if status["state"] == "done":
            lost = [name for name in ("predictions.parquet", "metrics.json") if not (self.path / name).exists()]
            if lost:
                status = {"state": "planned", "cause": f"its {lost[0]} is missing"}
        return status

    @property
    def state(self) -> State:
        """The state in :attr:`status`."""
        state: State = self.status["state"]
        return state

    @property
    def resume(self) -> Path:
        """The folder of the unfinished training."""
        return self.path / "resume"

    def set_status(self, state: State, **facts: Any) -> None:
        """Write ``status.json``: the state and what is known beside it.

        Facts already there stay, but for those of a merge once the cell is trained here.
        """
        known = self._optional("status.json")
        if state == "running":
            known.pop("merged", None)
        write_json(self.path / "status.json", {**known, "cause": "", **facts, "state": state})

    def seal(self, *names: str) -> None:
        """Keep in ``status.json`` the SHA-256 of those of ``SEALED`` that are there and not kept yet."""
        status = self._optional("status.json")
        kept = status.get("files", {}) if status.get("state") == "running" else {}
        new = [name for name in names if name not in kept and (self.path / name).exists()]
        files = {**kept, **{name: file_digest(self.path / name) for name in new}}
        self.set_status(status.get("state", "planned"), files=files)

    def finish(self, **facts: Any) -> None:
        """Seal what the cell wrote, and set its status to done."""
        self.seal(*SEALED)
        self.set_status("done", **facts)

    def verify(self, name: str) -> None:
        """Raise StoreError when one of ``SEALED`` was changed after the cell finished."""
        if self._changed(name):
            fresh = " --fresh" if name.endswith(".safetensors") else ""
            raise StoreError(
                f"{self.path / name} is not what the cell wrote: it was changed after the cell finished, by a plugin, "
                f"another program or a faulty disk. `ferbench run{fresh}` with its suite makes it anew."
            )

    def changed(self) -> list[Path]:
        """Those of ``SEALED`` that were changed after the cell finished, weights included."""
        return [self.path / name for name in SEALED if self._changed(name)]

    def _changed(self, name: str) -> bool:
        known = self._optional("status.json").get("files", {}).get(name)
        path = self.path / name
        return known is not None and path.exists() and file_digest(path) != known

    def metrics(self, evaluation: str = "default") -> dict[str, Any]:
        """Metrics per side, as the cell computed them. Raises StoreError when they are missing or damaged."""
        found = self._read(self._evaluation(evaluation) / "metrics.json")
        if evaluation == "default":
            self.verify("metrics.json")
        return found

    def predictions(self, evaluation: str = "default") -> Predictions:
        """Stored predictions. Raises StoreError when they are missing or damaged."""
        from ferbench.store.predictions import read_predictions

        found = read_predictions(self._evaluation(evaluation) / "predictions.parquet")
        if evaluation == "default":
            self.verify("predictions.parquet")
        return found

    def evaluations(self) -> list[str]:
        """Ids of the further evaluations."""
        folder = self.path / "evaluations"
        return sorted(p.name for p in folder.iterdir() if (p / "metrics.json").exists()) if folder.exists() else []

    def history(self) -> list[dict[str, str]]:
        """``history.csv``: a row per epoch, or per look at val where an epoch has several; empty before the first."""
        path = self.path / "history.csv"
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8", errors="replace") as handle:
            return list(csv.DictReader(handle))

    def write_history(self, rows: Sequence[Mapping[str, float | int | None]]) -> None:
        """Write ``history.csv`` anew; numbers in their shortest exact form."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        lines = [",".join(columns)]
        lines += [",".join("" if row.get(c) is None else repr(row[c]) for c in columns) for row in rows]
        write_text(self.path / "history.csv", "\n".join(lines) + "\n")

    def damaged(self) -> list[Path]:
        """Those of its files that are there but cannot be read, and results that were changed; not the weights."""
        broken = []
        for name in ("cell.json", "environment.json", "status.json", "metrics.json"):
            try:
                self._optional(name)
            except StoreError:
                broken.append(self.path / name)
        predictions = self.path / "predictions.parquet"
        if predictions.exists() and not is_parquet(predictions):
            broken.append(predictions)
        if self.path / "status.json" not in broken:
            broken += [self.path / name for name in SEALED[:2] if self._changed(name)]
        return list(dict.fromkeys(broken))

    def _evaluation(self, name: str) -> Path:
        return self.path if name == "default" else self.path / "evaluations" / name

    def _optional(self, name: str) -> dict[str, Any]:
        path = self.path / name
        return read_object(path) if path.exists() else {}

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            return read_object(path)
        except FileNotFoundError:
            raise StoreError(f"{path} is missing; run the suite again to make it anew.") from None


class Store:
    """A folder of cells, runs and data set tables."""

    def __init__(self, out: Path, create: bool = False) -> None:
        """Open ``out``; with ``create`` make it.

        Raises StoreError when it is missing, unwritable or of another schema.
        """
        self.out = out
        marker = out / "store.json"
        if create and not marker.exists():
            if not is_unicode(out):
                raise StoreError(f"{str(out)!r} holds bytes that are no Unicode text; Parquet files cannot lie there.")
            with disk_faults(out):
                out.mkdir(parents=True, exist_ok=True)
            write_json(marker, {"schema": SCHEMA, "written_by": "ferbench"})
        if not marker.exists():
            raise StoreError(
                f"There are no results in {out}. Name their folder with --out, or start with `ferbench run`."
            )
        schema = read_object(marker).get("schema")
        if schema != SCHEMA:
            raise StoreError(
                f"{out} was written with schema {schema}, this ferbench reads schema {SCHEMA}. "
                "Use the ferbench version that wrote it, or another --out."
            )

    def cell(self, cell_id: str) -> CellFolder:
        """The folder of a cell, which need not exist yet."""
        return CellFolder(self.out / "cells" / cell_id)

    @property
    def cells(self) -> Iterator[CellFolder]:
        """All cells, by id."""
        folder = self.out / "cells"
        for path in sorted(folder.iterdir()) if folder.exists() else []:
            if (path / "cell.json").exists():
                yield CellFolder(path)

    def find(self, prefix: str) -> CellFolder:
        """The cell whose id begins with ``prefix``. Raises StoreError when there is none, or more than one."""
        found = [cell for cell in self.cells if cell.id.startswith(prefix)]
        if len(found) != 1:
            what = "No cell" if not found else f"{len(found)} cells"
            raise StoreError(
                f"{what} in {self.out} with an id that begins with {prefix!r}; the folders in {self.out / 'cells'} are "
                "named by their ids, and `ferbench run … --dry-run` prints a run's ids with their labels."
            )
        return found[0]

    def dataset_table(self, fingerprint: str) -> Path:
        """Where the table of a data set lies."""
        return self.out / "datasets" / f"{fingerprint}.parquet"

    def dataset_audit(self, fingerprint: str) -> Path:
        """Where the leaderboard finds figures of a data set's audit, by protocol; it need not be there."""
        return self.out / "datasets" / f"{fingerprint}.audit.json"

    def run_ids(self) -> list[str]:
        """Ids of all runs, oldest first: each begins with the run's number."""
        folder = self.out / "runs"
        found = [path.stem for path in folder.glob("*.json")] if folder.exists() else []
        return sorted(
            (name for name in found if re.fullmatch(r"\d+-.+", name)), key=lambda name: (run_number(name), name)
        )

    def run(self, run_id: str | None = None) -> dict[str, Any]:
        """What a run asked for (default: the latest). Raises StoreError when there is none of that id."""
        known = self.run_ids()
        wanted = run_id or (known[-1] if known else "")
        if wanted not in known:
            raise StoreError(f"There is no run {wanted!r} in {self.out}. Known: {', '.join(known) or 'none'}.")
        return read_object(self.out / "runs" / f"{wanted}.json")

    def new_run_id(self) -> str:
        """Reserve the id of a new run: ids count up, so that neither a clock that jumps nor a second run matters."""
        folder = self.out / "runs"
        number = max(map(run_number, self.run_ids()), default=0) + 1
        with disk_faults(folder):
            folder.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    (folder / f".{number:04d}").touch(exist_ok=False)
                    return f"{number:04d}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
                except FileExistsError:
                    number += 1

    def write_run(self, run: Mapping[str, Any]) -> None:
        """Write ``runs/<id>.json``."""
        write_json(self.out / "runs" / f"{run['id']}.json", dict(run))


def is_unicode(path: Path) -> bool:
    """Whether a path is text throughout; file systems allow any bytes."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def run_number(run_id: str) -> int:
    """The number with which a run's id begins."""
    return int(run_id.partition("-")[0])
