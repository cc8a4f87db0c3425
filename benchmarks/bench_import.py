"""The first import of FER2013 and later loads, beside pandas with a split per row.

    FERBENCH_TEST_DATA=… python -m pytest benchmarks/bench_import.py -o addopts= --benchmark-only -s

``FERBENCH_TEST_DATA`` names a folder with ``fer2013/fer2013.tar.gz``. The goals: import of the CSV file ≤ 2.5 s with at
most 1.5 GiB of memory, a cached load ≤ 30 ms. Importing hashes the file and every picture, checks the copy and writes
the cache; the peer only parses.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench import Dataset
from ferbench.data.places import data_root, dataset_root
from ferbench.data.registry import add, load
from ferbench.data.splits import make_splits
from ferbench.plugins import discover

ROWS = 35_887


@pytest.fixture(scope="module")
def archive() -> Path:
    """Kaggle's archive."""
    path = Path(os.environ.get("FERBENCH_TEST_DATA", "")) / "fer2013" / "fer2013.tar.gz"
    if "FERBENCH_TEST_DATA" not in os.environ or not path.exists():
        pytest.skip("FERBENCH_TEST_DATA does not name a folder with fer2013/fer2013.tar.gz")
    return path


@pytest.fixture(scope="module")
def csv(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file in it, 301 MB."""
    folder = tmp_path_factory.mktemp("csv")
    with tarfile.open(archive) as tar:
        tar.extract("fer2013/fer2013.csv", folder, filter="data")
    return folder / "fer2013" / "fer2013.csv"


@pytest.fixture
def fer2013(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dataset]:
    """The data set, registered nowhere."""
    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path))
    yield discover().dataset("fer2013")
    shutil.rmtree(data_root(), ignore_errors=True)


def _import_anew(dataset: Dataset, source: Path) -> int:
    shutil.rmtree(dataset_root(dataset), ignore_errors=True)
    return add(dataset, source).samples


def test_first_import_of_the_csv(benchmark: Any, fer2013: Dataset, csv: Path) -> None:
    assert benchmark.pedantic(_import_anew, (fer2013, csv), rounds=5, warmup_rounds=1) == ROWS


def test_first_import_of_the_archive(benchmark: Any, fer2013: Dataset, archive: Path) -> None:
    assert benchmark.pedantic(_import_anew, (fer2013, archive), rounds=5, warmup_rounds=1) == ROWS


def test_adding_the_same_again(benchmark: Any, fer2013: Dataset, csv: Path) -> None:
    add(fer2013, csv)
    assert benchmark.pedantic(lambda: add(fer2013, csv).already, rounds=5)


def test_cached_load(benchmark: Any, fer2013: Dataset, archive: Path) -> None:
    add(fer2013, archive)
    assert len(benchmark(lambda: load(fer2013)).samples.ids) == ROWS


def test_cached_load_with_every_pixel_read(benchmark: Any, fer2013: Dataset, archive: Path) -> None:
    """Load, divide, and copy the pixels of the three sides into memory."""
    add(fer2013, archive)

    def read() -> int:
        splits = make_splits(load(fer2013), fer2013.default_protocol)
        sides = (side.arrays for side in (splits.train, splits.val, splits.test))
        return sum(np.array(arrays["image"]).shape[0] for arrays in sides if arrays is not None)

    assert benchmark(read) == ROWS


def test_peer_pandas_with_a_split_per_row(benchmark: Any, csv: Path) -> None:
    import pandas as pd

    def read() -> int:
        table = pd.read_csv(csv)
        return len(np.stack([np.array(text.split(" "), dtype=np.uint8) for text in table["pixels"]]))

    assert benchmark.pedantic(read, rounds=2) == ROWS


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's high-water mark of a process is read from /proc")
def test_peak_memory_of_the_import(fer2013: Dataset, csv: Path) -> None:
    """In a process of its own, imports included. Its rusage would begin with what this process has used."""
    code = (
        "import sys; from ferbench.plugins import discover; from ferbench.data.registry import add;"
        "add(discover().dataset('fer2013'), sys.argv[1]);"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(csv)], capture_output=True, text=True, check=True)
    mebibytes = int(done.stdout) / 1024
    print(f"\npeak memory of the import: {mebibytes:,.0f} MiB")
    assert mebibytes < 1536
