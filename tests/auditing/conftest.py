"""Data sets for audits: the demo, whose truth is known, and small made-up ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferbench import Dataset, Parsed, ProtocolRule, Samples, given_split, k_fold
from ferbench.auditing.audit import audit
from ferbench.builtin.demo import demo_dataset
from ferbench.data.registry import load
from ferbench.data.stored import Loaded

CLASSES = ("anger", "fear")
PROTOCOLS = (
    ProtocolRule("official", given_split("train", "val", "test"), allow_leak=True),
    ProtocolRule("folds", k_fold(3), allow_leak=True),
)


@pytest.fixture(scope="session")
def demo(shared_data_root: Path) -> Loaded:
    """The demo data."""
    return load(demo_dataset())


@pytest.fixture(scope="session")
def audited(demo: Loaded) -> dict[str, Any]:
    """The audit of the demo."""
    return audit(demo, demo.dataset.default_protocol)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Loaded]:
    """A function that loads a data set of the given inputs, half of it train, a quarter each val and test."""
    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path / "registered"))

    def make(values: np.ndarray, targets: np.ndarray | None = None, **changes: Any) -> Loaded:
        count = len(values)
        samples = Samples(
            ids=np.array([f"s{i:03d}" for i in range(count)]),
            targets=np.arange(count) % 2 if targets is None else targets,
            origin=np.array(["train", "train", "val", "test"])[np.arange(count) * 4 // count],
            groups=changes.pop("groups", {}),
            columns=changes.pop("columns", {}),
        )
        facts: dict[str, Any] = {"name": "made", "description": "made up", "classes": CLASSES, "protocols": PROTOCOLS}
        return load(Dataset(read=lambda *_: Parsed(samples, {"image": values}), embedded=True, **(facts | changes)))

    return make


def faces(count: int, seed: int = 0) -> np.ndarray:
    """Smooth random pictures, uint8 [n, 48, 48], no two of them alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((48, 48), Image.Resampling.BICUBIC)) for each in coarse])
