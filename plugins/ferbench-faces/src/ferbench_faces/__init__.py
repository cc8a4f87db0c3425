"""Face data sets in the layouts in which they are distributed, and any folder or table of pictures."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench import Dataset, hookimpl
from ferbench_faces.lab import lab_datasets

plugin_api = 1


@hookimpl
def ferbench_datasets() -> Iterator[Dataset]:
    """Sets recorded in a laboratory."""
    yield from lab_datasets()
