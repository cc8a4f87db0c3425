"""Ways in which the field divides sets of few subjects, for :class:`ferbench.ProtocolRule`; numpy comes on use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ferbench import DataError, Fold, Samples

if TYPE_CHECKING:
    import numpy as np


def stepped_folds(folds: int, without: int | None = None) -> Callable[[Samples], Sequence[Fold]]:
    """Subjects sorted by id and dealt in turn: fold k tests subjects k, k + ``folds``, k + 2 ``folds``, and so on.

    The subject-independent protocol of CK+ and Oulu-CASIA (as in the list that Meng et al. 2019 publish). Subjects are
    dealt before classes are dropped, so that protocols with other classes have the same subjects in each fold.
    ``without`` leaves out clips that hold this class, neutral frames included. Val is carved.
    """

    def divide(samples: Samples) -> Sequence[Fold]:
        import numpy as np

        subjects, place = np.unique(_subjects(samples), return_inverse=True)
        if len(subjects) < folds:
            raise DataError(f"{len(subjects)} subjects cannot be dealt into {folds} folds.")
        kept = np.ones(len(place), dtype=bool)
        if without is not None:
            clips = samples.groups["clip"]
            kept = ~np.isin(clips, clips[samples.targets == without])
        part = place % folds
        return [_fold(kept & (part != fold), kept & (part == fold)) for fold in range(folds)]

    return divide


def listed_folds(*tests: tuple[str, ...]) -> Callable[[Samples], Sequence[Fold]]:
    """A fold for each of ``tests``, the subjects that it tests; all others are train. Val is carved.

    Raises DataError where a subject is in none of them.
    """

    def divide(samples: Samples) -> Sequence[Fold]:
        import numpy as np

        subjects = _subjects(samples)
        known = {name for test in tests for name in test}
        strange = sorted(set(subjects.tolist()) - known)
        if strange:
            raise DataError(f"the published folds do not name the subjects {', '.join(strange)}.")
        sides = [np.isin(subjects, test) for test in tests]
        return [_fold(~side, side) for side in sides]

    return divide


def indexed_folds(*blocks: tuple[int, int, int]) -> Callable[[Samples], Sequence[Fold]]:
    """Ten folds by the place of a picture in a list, class after class, each sorted by id; subjects are not looked at.

    ``blocks``: class, how many pictures it must have, how many of them a fold tests. Fold k tests the k-th run of each
    class; the last fold counts back from the end of the class, and nine runs that are longer than a class reach into
    the next: so does the code of which papers report numbers (WuJie1010, CK.py). Val is carved. Raises DataError
    unless all pictures are there.
    """

    def divide(samples: Samples) -> Sequence[Fold]:
        import numpy as np

        in_class = [np.flatnonzero(samples.targets == label) for label, _, _ in blocks]
        counts, wanted = [len(rows) for rows in in_class], [count for _, count, _ in blocks]
        if counts != wanted:
            raise DataError(f"it divides {sum(wanted):,} pictures by their places, and this copy has {sum(counts):,}.")
        order = np.concatenate([rows[np.argsort(samples.ids[rows])] for rows in in_class])
        ends = np.cumsum(wanted)
        folds = []
        for fold in range(10):
            tested = np.zeros(len(order), dtype=bool)
            for end, (_, count, size) in zip(ends, blocks, strict=True):
                first = end - size if fold == 9 else end - count + fold * size
                tested[first : first + size] = True
            folds.append(Fold(np.sort(order[~tested]), None, np.sort(order[tested])))
        return folds

    return divide


def _subjects(samples: Samples) -> np.ndarray:
    if "subject" not in samples.groups:
        raise DataError("the data set names no subjects.")
    return samples.groups["subject"]


def _fold(train: np.ndarray, test: np.ndarray) -> Fold:
    import numpy as np

    return Fold(np.flatnonzero(train), None, np.flatnonzero(test))
