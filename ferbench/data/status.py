"""What data sets are on this machine, found out without opening one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from ferbench.data import cache
from ferbench.data.cache import Meta
from ferbench.data.places import data_root, dataset_root
from ferbench.errors import DataError
from ferbench.nouns.dataset import Dataset


@dataclass(frozen=True)
class Status:
    """What is known of a data set on this machine, without opening it. ``cause`` says why it is damaged."""

    dataset: str
    state: Literal["registered", "missing", "damaged", "embedded"]
    cause: str = ""
    meta: Meta | None = None


def status(dataset: Dataset) -> Status:
    """Return whether a data set is there and whole, from sizes alone."""
    try:
        meta = cache.read_meta(dataset_root(dataset))
        if meta:
            cache.check(dataset_root(dataset), meta)
    except DataError as error:
        return Status(dataset.name, "embedded" if dataset.embedded else "damaged", str(error))
    if dataset.embedded:
        return Status(dataset.name, "embedded", meta=meta)
    return Status(dataset.name, "registered" if meta else "missing", meta=meta)


def registered_beside(known: Collection[str]) -> list[Status]:
    """Return what is registered under names that are not ``known``: those of families (``folder:PATH``) among them."""
    found = []
    for root in sorted((data_root() / "datasets").glob("*")):
        try:
            meta = cache.read_meta(root)
        except DataError:
            continue  # the data set of that name says so, where it is known
        if meta is None or meta.dataset in known:
            continue
        try:
            cache.check(root, meta)
            found.append(Status(meta.dataset, "registered", meta=meta))
        except DataError as error:
            found.append(Status(meta.dataset, "damaged", str(error)))
    return found
