"""A store with a finished run, its pack, and packs that somebody tampered with."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ferbench
from ferbench.plugins import Installed, discover
from ferbench.store.store import CellFolder, Store
from tests.contract import PLUGIN, Contract


@dataclass(frozen=True)
class Source:
    """A finished run of a network, one that requires it, an estimator, and a method that fails; and its pack."""

    out: Path
    pack: Path

    def cell(self, model: str) -> CellFolder:
        """The cell of a model."""
        return next(cell for cell in Store(self.out).cells if cell.record["row"]["model"] == model)


@pytest.fixture(scope="session")
def source(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The store and its pack, which no test changes."""
    folder = tmp_path_factory.mktemp("source")
    contract.run(folder / "out", models=["tiny", "student", "nearest", "raising"], seeds=1)
    ferbench.pack(out=folder / "out", file=folder / "results.tar.gz")
    return Source(folder / "out", folder / "results.tar.gz")


@pytest.fixture(scope="session")
def installed(contract: Contract) -> Installed:
    """Everything that is installed, with the contract plugin."""
    return discover(files=[PLUGIN])


class Tampered:
    """The files of a pack by name, to be changed and packed again."""

    def __init__(self, pack: Path, path: Path) -> None:
        self.path, self.odd = path, list[tarfile.TarInfo]()
        with tarfile.open(pack) as tar:
            self.files = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]

    def change(self, name: str, edit: Callable[[Any], object]) -> None:
        """Edit a JSON file in place."""
        value = json.loads(self.files[name])
        edit(value)
        self.files[name] = json.dumps(value).encode()

    def retable(self, name: str, edit: Callable[[pa.Table], pa.Table]) -> None:
        """Replace a Parquet file by what ``edit`` makes of it."""
        sink = io.BytesIO()
        pq.write_table(edit(pq.read_table(io.BytesIO(self.files[name]))), sink)
        self.files[name] = sink.getvalue()

    def make_copies(self, fingerprint: str) -> None:
        """Let a data set's table say that all its pictures are copies of one."""

        def copies(table: pa.Table) -> pa.Table:
            one = pa.array([7] * len(table), pa.uint64())
            return table.set_column(table.column_names.index("pixel_hash"), "pixel_hash", one)

        self.retable(f"datasets/{fingerprint}.parquet", copies)

    def rename(self, key: str, record: dict[str, Any]) -> None:
        """Give a cell another record, with its own id."""
        self.files = {name.replace(key, record["id"]): content for name, content in self.files.items()}
        self.files[f"cells/{record['id']}/cell.json"] = json.dumps(record).encode()
        self.change("ferbench-pack.json", lambda value: value["cells"].remove(key))
        self.change("ferbench-pack.json", lambda value: value["cells"].append(record["id"]))

    def packed(self) -> Path:
        """Write the pack."""
        with gzip.open(self.path, "wb") as raw, tarfile.open(fileobj=raw, mode="w|") as tar:
            for name, content in self.files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            for info in self.odd:
                tar.addfile(info)
        return self.path


@pytest.fixture
def tampered(source: Source, tmp_path: Path) -> Tampered:
    """The pack's files, to be tampered with."""
    return Tampered(source.pack, tmp_path / "tampered.tar.gz")
