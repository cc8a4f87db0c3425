"""Ways to divide a data set, for :class:`ferbench.ProtocolRule`.

Each returns a function that takes the data set's samples and returns folds of indices. Wherever samples are dealt
anew, identical pixels stay on one side. numpy is imported on use: plugins' entry modules import this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ferbench.errors import DataError
from ferbench.nouns.dataset import Fold, Samples

if TYPE_CHECKING:
    import numpy as np

Divide = Callable[[Samples], Sequence[Fold]]


def given_split(train: str, val: str | None, test: str) -> Divide:
    """The data set's own split, by the names in ``Samples.origin``. ``val`` None: it is carved from train."""

    def divide(samples: Samples) -> Sequence[Fold]:
        validation = None if val is None else _rows_named(samples, [val])
        return [Fold(_rows_named(samples, [train]), validation, _rows_named(samples, [test]))]

    return divide


def merged_split(train: str, *tests: str) -> Divide:
    """The data set's own training set against all of ``tests`` together, those that the copy has; val is carved."""

    def divide(samples: Samples) -> Sequence[Fold]:
        present = _own_splits(samples)
        return [Fold(_rows_named(samples, [train]), None, _rows_named(samples, [t for t in tests if t in present]))]

    return divide


def grouped_holdout(fraction: float = 0.2, by: str | Sequence[str] | None = None, seed: int = 0) -> Divide:
    """A stratified ``fraction`` of all samples as test, the rest as train; val is carved.

    Identical pixels stay together; so do samples of one group where ``by`` names it (``subject``), or several.
    """

    def divide(samples: Samples) -> Sequence[Fold]:
        import numpy as np

        from ferbench.data.grouping import fraction_of

        rows = np.arange(len(samples.ids))
        test = fraction_of(samples, rows, fraction, _names(by), seed)
        return [Fold(rows[~test], None, rows[test])]

    return divide


def k_fold(folds: int, by: str | None = None, seed: int = 0) -> Divide:
    """Stratified k-fold cross-validation over all samples, grouped as in :func:`grouped_holdout`; val is carved."""

    def divide(samples: Samples) -> Sequence[Fold]:
        import numpy as np

        from ferbench.data.grouping import folds_of

        rows = np.arange(len(samples.ids))
        part = folds_of(samples, rows, folds, _names(by), seed)
        return [Fold(rows[part != fold], None, rows[part == fold]) for fold in range(folds)]

    return divide


def leave_one_group_out(by: str = "subject") -> Divide:
    """One fold for each group, in the order of their names: that group as test, all others as train; val is carved.

    Samples whose group is unknown (empty) are left out.
    """

    def divide(samples: Samples) -> Sequence[Fold]:
        import numpy as np

        from ferbench.data.grouping import group_values

        values = group_values(samples, by)
        names = [name for name in np.unique(values) if name != ""]
        if len(names) < 2:
            raise DataError(f"Leaving one {by} out needs at least two; the data set has {len(names)}.")
        known = values != ""
        return [Fold(np.flatnonzero(known & (values != n)), None, np.flatnonzero(values == n)) for n in names]

    return divide


def carve(divide: Divide, fraction: float = 0.1, by: str | Sequence[str] | None = None, seed: int = 0) -> Divide:
    """The folds of another division with val carved from train, where another part than a tenth is wanted."""

    def carved(samples: Samples) -> Sequence[Fold]:
        from ferbench.data.grouping import fraction_of

        folds = []
        for fold in divide(samples):
            if fold.val is not None:
                raise DataError("Val cannot be carved: the division has its own.")
            val = fraction_of(samples, fold.train, fraction, _names(by), seed)
            targets = dict(fold.targets)
            if "train" in targets:
                targets["train"] = targets["train"][~val]
            folds.append(Fold(fold.train[~val], fold.train[val], fold.test, targets))
        return folds

    return carved


def _names(by: str | Sequence[str] | None) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by or ())


def _own_splits(samples: Samples) -> list[str]:
    return [] if samples.origin is None else sorted(set(samples.origin.tolist()))


def _rows_named(samples: Samples, names: Sequence[str]) -> np.ndarray:
    import numpy as np

    known = _own_splits(samples)
    missing = [name for name in names if name not in known]
    if samples.origin is None or missing or not names:
        lacks, has = ", ".join(missing) or "to test on", ", ".join(known) or "none"
        raise DataError(f"This copy has no split {lacks}; its own splits are: {has}.")
    return np.flatnonzero(np.isin(samples.origin, list(names)))
