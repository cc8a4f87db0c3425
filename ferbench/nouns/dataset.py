"""Data sets and the protocols that divide them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ferbench.errors import MissingDataError
from ferbench.nouns.emotions import LabelKind, Modality, Task
from ferbench.nouns.paper import Paper
from ferbench.nouns.split import View

if TYPE_CHECKING:
    import numpy as np


DEALT_AS = "dealt_as"
"""A column of :class:`Samples`."""


@dataclass(frozen=True)
class Samples:
    """What is known of every sample of a data set, in its own order (n samples).

    ``ids``: str [n], unique, never changing. ``targets``: int64 [n] class indices, or float32 [n, k] for tasks beyond
    a single label. ``origin``: str [n], the split that the data set itself names (``Training``), where it does.
    ``groups``: subject, clip or trial by name, each [n]. ``columns``: further facts kept in the data set's table
    (action units, source), each [n] or [n, k]; ``votes`` among them are how many annotators chose each class, [n, k] in
    the order of the data set's classes; ``box`` is the part of each streamed picture that is read: left, top, right and
    bottom in pixels, integers [n, 4], given to ``decode`` as ``view.box``; ``dealt_as``, uint64 [n], are the ``hashes``
    of the pictures of which these were made, so that protocols deal them to the same sides. ``hashes``: uint64 [n], of
    each sample's pixels; filled in when the data set is registered, equal for identical pixels.
    """

    ids: np.ndarray
    targets: np.ndarray
    origin: np.ndarray | None = None
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    hashes: np.ndarray | None = None


@dataclass(frozen=True)
class Fold:
    """One division of a data set: indices into its :class:`Samples`, int64, without overlap.

    ``val`` None: a grouped tenth of ``train`` is carved with the protocol's seed. ``targets`` replaces the targets of
    a side (aligned with its indices) where a protocol trains on other labels than it tests on.
    """

    train: np.ndarray
    val: np.ndarray | None
    test: np.ndarray
    targets: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class ProtocolRule:
    """How a data set is divided.

    ``divide`` makes the folds. ``unit`` is what may not stand on two sides. ``classes`` keeps a subset of the data
    set's classes (samples of others are dropped, targets renumbered in this order). ``train_labels`` is the form of
    the training targets where it is not the task's own. ``ranking`` is a name shared by protocols whose val and test
    samples and targets are the same, so that their rows may be ranked together. ``allow_leak`` lets groups stand on
    several sides; every table then says so. ``seed`` belongs to the protocol: seeds of a run never change a split.
    ``mark`` is a note that stands beside every row, for what no reader may overlook.
    """

    name: str
    divide: Callable[[Samples], Sequence[Fold]]
    description: str = ""
    unit: Literal["sample", "subject", "clip", "trial"] = "sample"
    classes: tuple[str, ...] | None = None
    train_labels: LabelKind | None = None
    ranking: str = ""
    allow_leak: bool = False
    seed: int = 0
    mark: str = ""


@dataclass(frozen=True)
class Parsed:
    """What a data set's ``read`` returns.

    ``inputs``: uint8 arrays [n, height, width] or [n, height, width, channels] by input name (clips: [n, frames,
    height, width, channels]; EEG: float32 [n, channels, samples]); or ``files``: one path per sample, read later by the
    data set's ``decode`` (streamed sets). ``protocols`` names those that this copy can
    offer (None: all). ``partial`` says what is missing or altered in the copy, empty for a good one; it marks every
    row. ``corrupted``: files that cannot be read and were left out, "file: why"; a suite says how many it bears
    (``allow_corrupted``). ``notes`` are printed when the data set is added; those of one that is made from others stand
    at its rows.
    """

    samples: Samples
    inputs: Mapping[str, np.ndarray] | None = None
    files: Sequence[str] | None = None
    protocols: tuple[str, ...] | None = None
    partial: str = ""
    notes: tuple[str, ...] = ()
    corrupted: tuple[str, ...] = ()


def _nothing_registered(name: str) -> Parsed:
    raise MissingDataError(f"The data set {name!r} is not on this machine.")


@dataclass(frozen=True)
class ReadContext:
    """Given to a data set's ``read``.

    ``allow_partial``: whether the user lets an incomplete copy pass (``--allow-partial``). ``registered``: another
    data set on this machine by its name, for one that builds on it (its ``files``, if it streams, with their whole
    paths); raises MissingDataError where it is not there.
    When that one is registered anew from other data, this one is read again too as soon as it is added again.
    """

    allow_partial: bool = False
    registered: Callable[[str], Parsed] = _nothing_registered


Read = Callable[[Path | None, ReadContext], Parsed]
"""Reads a download (file, archive or folder), or makes an embedded data set (path None)."""

Decode = Callable[[Path, View, "np.random.Generator"], Mapping[str, "np.ndarray"]]
"""Reads one sample of a streamed data set into arrays by input name.

Of a clip these are the frames that ``view.chosen`` names, uint8 [frames, height, width, channels]; of a picture
``view.box``, where there is one.
"""


@dataclass(frozen=True)
class Dataset:
    """Finds, checks and loads data.

    ``read`` and ``decode`` are functions or ``"package.module:name"`` (imported on first use). ``embedded`` data sets
    are made on first use and need no download; ``version`` changes when what they make changes. ``how_to_get`` tells
    where the data come from; it is printed when they are missing. ``place``: the file or folder itself, where the data
    set's name says it (``folder:PATH``), so that ``ferbench data add`` needs no path. ``public`` says that the licence
    lets sample pictures appear in published pages; what draws some of another data set says that they are to be kept.
    ``bases`` are the data sets from which an embedded one is made: its ``read`` gets each by
    ``context.registered(name)``, and is called anew when one of them has changed.
    """

    name: str
    description: str
    classes: tuple[str, ...]
    protocols: tuple[ProtocolRule, ...]
    read: Read | str
    task: Task = "single-label"
    modality: Modality = "image"
    inputs: tuple[str, ...] = ("image",)
    decode: Decode | str | None = None
    bases: tuple[Dataset, ...] = ()
    embedded: bool = False
    synthetic: bool = False
    public: bool = False
    version: str = "1"
    licence: str = ""
    how_to_get: str = ""
    place: str = ""
    paper: Paper | None = None
    tags: frozenset[str] = frozenset()

    @property
    def default_protocol(self) -> ProtocolRule:
        """The protocol that is used when none is named: the first."""
        return self.protocols[0]


def split_protocol(text: str) -> tuple[str, str]:
    """Divide ``NAME@PROTOCOL``; the protocol is empty where none is named. An ``@`` further up in a path names none.

    >>> split_protocol("folder:a@b/faces@80-20"), split_protocol("folder:a@b/faces")
    (('folder:a@b/faces', '80-20'), ('folder:a@b/faces', ''))
    """
    name, at, protocol = text.rpartition("@")
    return (name, protocol) if at and "/" not in protocol else (text, "")
