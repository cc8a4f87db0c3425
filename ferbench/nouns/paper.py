"""Publications and the numbers that they report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A citation."""

    title: str
    authors: str
    year: int
    url: str = ""
    venue: str = ""


@dataclass(frozen=True)
class Reported:
    """A number that a publication reports. It is shown as reported, never ranked with measured ones.

    ``value`` is a fraction (0.702, not 70.2). ``locator`` says where it stands ("Table 2"). ``classes`` is the number
    of classes of the reported experiment (0: that of the protocol). ``selection`` is the rule by which the authors
    chose the checkpoint, ``extra_data`` what was used beyond the training set. ``caveat`` is shown beside the number.
    ``method`` and ``paper`` are needed only for rows that stand by themselves (``ferbench_reported``); ``models`` are
    those that report the same claim: in a table that has one of them, it stands once.
    """

    dataset: str
    protocol: str
    split: str
    metric: str
    value: float
    locator: str
    classes: int = 0
    selection: str = "best-val"
    extra_data: str = ""
    caveat: str = ""
    method: str = ""
    paper: Paper | None = None
    models: tuple[str, ...] = ()
