"""Samplers: what is done to the training data of a cell, and to nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ferbench.nouns.paper import Paper
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
    of each sample in the loss. ``targets``: replaced targets of all n. ``extra_inputs`` and ``extra_targets``: further
    samples [e, ...], appended behind the n. ``batches``: a rule that divides the indices of an epoch into batches
    (None: shuffled, the last one smaller). ``removed``: what was left out and why.
    """

    indices: np.ndarray | None = None
    weights: np.ndarray | None = None
    targets: np.ndarray | None = None
    extra_inputs: Mapping[str, np.ndarray] | None = None
    extra_targets: np.ndarray | None = None
    batches: Callable[[np.ndarray, int, np.random.Generator], list[np.ndarray]] | None = None
    removed: tuple[Removed, ...] = ()


@dataclass(frozen=True)
class SampleContext:
    """Given to a sampler beside the training split: random generator, options, the cells it requires.

    Of a required cell it may use the network, to score training samples; asking for scores of val or test raises
    PluginError.
    """

    rng: np.random.Generator
    classes: tuple[str, ...]
    options: Options
    required: Mapping[str, RequiredCell] = field(default_factory=dict)


@dataclass(frozen=True)
class Sampler:
    """``sample(train, context)`` sees the training split only."""

    name: str
    sample: Callable[[Split, SampleContext], Sample] | str
    description: str = ""
    options: Options = field(default_factory=Options)
    requires: Mapping[str, str] = field(default_factory=dict)
    streams: bool = True
    """False where it needs all training samples in memory."""
    tags: frozenset[str] = frozenset()
    paper: Paper | None = None
