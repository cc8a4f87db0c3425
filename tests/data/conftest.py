"""A small made-up data set, and the folder that it is registered in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench import DataError, Dataset, Parsed, ProtocolRule, ReadContext, Samples, given_split, k_fold
from ferbench.data.registry import add, load
from ferbench.data.stored import Loaded

COUNT = 60
CLASSES = ("anger", "fear", "neutral")


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FERBENCH_DATA of this test."""
    folder = tmp_path / "registered"
    monkeypatch.setenv("FERBENCH_DATA", str(folder))
    return folder


def toy_samples(count: int = COUNT) -> tuple[Samples, np.ndarray]:
    """Samples of three classes and ten subjects, divided 2:1:1, and their pictures uint8 [n, 4, 4]."""
    rng = np.random.default_rng(1)
    index = np.arange(count)
    sides = np.array(["train", "train", "val", "test"])
    samples = Samples(
        ids=np.array([f"toy-{i:03d}" for i in index]),
        targets=index % 3,
        origin=sides[index * 4 // count],
        groups={},
        columns={"votes": rng.integers(0, 10, (count, 3))},
    )
    return samples, rng.integers(0, 256, (count, 4, 4), dtype=np.uint8)


def toy_dataset(read: Callable[[Path | None, ReadContext], Parsed], **changes: object) -> Dataset:
    """A data set that is read by ``read``."""
    given = given_split("train", "val", "test")
    facts: dict[str, Any] = {
        "name": "toys",
        "description": "sixty small squares",
        "classes": CLASSES,
        "protocols": (ProtocolRule("official", given), ProtocolRule("3-fold", k_fold(3))),
        "licence": "Free",
        "how_to_get": "Ask for toys.txt",
    }
    return Dataset(read=read, **(facts | changes))


def read_toys(path: Path | None, context: ReadContext) -> Parsed:
    """Read a file that holds the word toys; ``toys, half`` is a partial copy, ``toys, other`` has other pixels."""
    words = path.read_text(encoding="utf-8") if path else "toys"
    if not words.startswith("toys"):
        raise DataError(f"{path} does not hold toys.")
    samples, pictures = toy_samples()
    return Parsed(
        samples,
        {"image": pictures + np.uint8("other" in words)},
        partial="half of it is missing" if "half" in words else "",
        notes=("Toys for tests.",),
    )


@pytest.fixture
def toys() -> Dataset:
    """The data set, not registered."""
    return toy_dataset(read_toys)


@pytest.fixture
def toys_file(tmp_path: Path) -> Path:
    """A download of it."""
    path = tmp_path / "toys.txt"
    path.write_text("toys", encoding="utf-8")
    return path


@pytest.fixture
def loaded(toys: Dataset, toys_file: Path) -> Loaded:
    """The data set, registered and loaded."""
    add(toys, toys_file)
    return load(toys)


@pytest.fixture
def load_made() -> Callable[..., Loaded]:
    """A function that loads a data set made of the given samples and pictures, by the protocols of its arguments."""

    def _load(samples: Samples, pictures: np.ndarray | None = None, **changes: object) -> Loaded:
        if pictures is None:
            pictures = np.random.default_rng(0).integers(0, 256, (len(samples.ids), 4, 4), dtype=np.uint8)
        return load(toy_dataset(lambda *_: Parsed(samples, {"image": pictures}), embedded=True, **changes))

    return _load
