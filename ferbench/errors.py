"""What can go wrong, one exception type per kind of fault.

Every message is meant for a person: what is wrong, where, and how to mend it. The command line prints it without a
traceback and exits with code 2 (``--debug`` shows the traceback).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class FerbenchError(Exception):
    """Base of every fault that a user can mend."""


class UnknownNameError(FerbenchError):
    """A name of a data set, model, sampler, metric, suite, protocol or key that is not there."""


class DataError(FerbenchError):
    """Data that is corrupt, incomplete, hostile or not what it claims to be."""


class MissingDataError(DataError):
    """Data that has not been registered on this machine."""


class PluginError(FerbenchError):
    """A plugin that is broken or that breaks the contract."""


class StoreError(FerbenchError):
    """The output folder cannot be used: unwritable, full, of another schema, or in use."""


class TrainingError(FerbenchError):
    """A training that failed: loss not finite, out of memory, output of the wrong shape, impossible settings."""


class TrackingError(FerbenchError):
    """A tracking server or database that cannot be used: not installed, unreachable, refusing, of another version."""


class InterruptedRunError(FerbenchError):
    """A run that its user stopped. Everything finished is kept, and the same command goes on."""


@dataclass(frozen=True)
class Problem:
    """One mistake in a settings file or option: where it is, and what is wrong."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class SettingsError(FerbenchError):
    """Mistakes in a suite, recipe, option or ``--set``; all of them, not only the first."""

    def __init__(self, problems: Sequence[Problem], title: str = "These settings cannot be used") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([f"{title}:", *(f"  {problem}" for problem in self.problems)]))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the closest known names, or an empty string.

    >>> did_you_mean("smal-cnn", ["small-cnn", "knn"])
    " Did you mean 'small-cnn'?"
    """
    close = difflib.get_close_matches(name, sorted(set(known)), n=3, cutoff=0.6)
    if not close:
        return ""
    return f" Did you mean {' or '.join(repr(candidate) for candidate in close)}?"
