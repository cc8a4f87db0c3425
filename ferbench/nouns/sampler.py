"""Samplers: what is done to the training data of a cell, and to nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ferbench.errors import PluginError
from ferbench.nouns.paper import Paper
from ferbench.nouns.reference import resolve
from ferbench.nouns.requirement import Requires
from ferbench.nouns.settings import Options
from ferbench.nouns.split import Split

if TYPE_CHECKING:
    import numpy as np

    from ferbench.nouns.model import RequiredCell


@dataclass(frozen=True)
class Removed:
    """Training samples that a sampler left out, and why."""

    ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Sample:
    """What a sampler decides; n training samples.

    ``indices``: int64 [m], the samples of an epoch (repetition allowed; None: all). ``weights``: float32 [n], weight
    of each sample in the loss; that of a batch is Σ w·loss / Σ w, as PyTorch's with weights of classes. ``targets``:
    replaced targets of all n. ``extra_inputs`` and ``extra_targets``: further samples [e, ...], appended behind the n.
    ``batches``: a rule that divides the indices of an epoch into batches (None: shuffled, the last one smaller).
    ``removed``: what was left out and why. ``reason``: why targets were replaced.
    """

    indices: np.ndarray | None = None
    weights: np.ndarray | None = None
    targets: np.ndarray | None = None
    extra_inputs: Mapping[str, np.ndarray] | None = None
    extra_targets: np.ndarray | None = None
    batches: Callable[[np.ndarray, int, np.random.Generator], list[np.ndarray]] | None = None
    removed: tuple[Removed, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Facts:
    """A column of a data set, for the n training samples.

    ``values``: [n] or [n, k], zero or empty where that data set has no such sample; ``known``: bool [n], where it has.
    ``classes``: the data set's, which is the order of the columns of its ``votes``.
    """

    values: np.ndarray
    known: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Reads:
    """A data set, beside the one that is trained on, of whose columns a sampler reads the training samples' rows.

    Its fingerprint becomes part of the row key. Where it is not registered, or has none of the samples, a combination
    is left out; ``optional``: it goes on without.
    """

    dataset: str
    optional: bool = False


def _no_facts(dataset: str, column: str) -> Facts:
    raise PluginError(f"The sampler asks for {column!r} of {dataset!r}, which its `reads` does not name.")


@dataclass(frozen=True)
class SampleContext:
    """Given to a sampler beside the training split: random generator, options, the cells it requires.

    Of a required cell it may use the network, to score training samples; asking for scores of val or test raises
    PluginError. ``facts(dataset, column)`` gives the training samples' rows of a column, of the data set itself or of
    one that the sampler ``reads``, found by id and checked by pixels. It raises MissingDataError where an optional one
    is not there, DataError for an unknown column or other pictures, PluginError for a data set that is not named.
    """

    rng: np.random.Generator
    classes: tuple[str, ...]
    options: Options
    required: Mapping[str, RequiredCell] = field(default_factory=dict)
    facts: Callable[[str, str], Facts] = _no_facts


ReadsOf = Sequence[Reads] | Callable[..., Sequence[Reads]] | str
"""Data sets that a sampler reads, or a function of its options (or ``"package.module:name"``) that returns them."""


@dataclass(frozen=True)
class Sampler:
    """``sample(train, context)`` sees the training split only: copies, which nobody else uses."""

    name: str
    sample: Callable[[Split, SampleContext], Sample] | str
    description: str = ""
    options: Options = field(default_factory=Options)
    requires: Requires = field(default_factory=dict)
    reads: ReadsOf = ()
    streams: bool = True
    """False where it needs all training samples in memory."""
    tags: frozenset[str] = frozenset()
    paper: Paper | None = None


def reads_of(sampler: Sampler, options: Options) -> tuple[Reads, ...]:
    """The data sets that a sampler with these options reads. Raises PluginError for anything else."""
    reads = resolve(sampler.reads)
    found = reads(options) if callable(reads) else reads
    if isinstance(found, str | Mapping) or not all(isinstance(each, Reads) for each in found):
        raise PluginError(f"{sampler.name}: reads gave {found!r:.60}; it must give a sequence of ferbench.Reads.")
    return tuple(found)
