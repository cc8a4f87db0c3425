"""Face data sets in the layouts in which they are distributed, and any folder or table of pictures."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench import Dataset, Family, hookimpl
from ferbench_faces.lab import lab_datasets
from ferbench_faces.own import make
from ferbench_faces.wild import wild_datasets

plugin_api = 1


@hookimpl
def ferbench_datasets() -> Iterator[Dataset | Family]:
    """Sets from the web, sets recorded in a laboratory, and a user's own pictures."""
    yield from wild_datasets()
    yield from lab_datasets()
    yield Family(
        "folder", _folder, "Any folder of pictures: a folder a class, below train, val and test where these are"
    )
    yield Family(
        "csv", _table, "Any table of pictures: columns path and label, and split and subject if there are such"
    )


def _folder(argument: str) -> Dataset:
    from ferbench_faces.own_folder import find

    return make("folder", find, argument)


def _table(argument: str) -> Dataset:
    from ferbench_faces.own_table import find

    return make("csv", find, argument)
