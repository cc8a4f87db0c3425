"""Sets recorded in a laboratory."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench import Dataset


def lab_datasets() -> Iterator[Dataset]:
    """Every set recorded in a laboratory."""
    yield from ()
