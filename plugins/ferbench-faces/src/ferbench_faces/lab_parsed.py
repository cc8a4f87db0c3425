"""What every reader of a laboratory set returns: the samples whose pictures could be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ferbench import Parsed, Samples
from ferbench_faces.pictures import Pictures


def parsed(
    pictures: Pictures,
    ids: Sequence[str],
    targets: np.ndarray,
    groups: Mapping[str, Sequence[str]],
    faults: Sequence[str] = (),
    notes: Sequence[str] = (),
    protocols: tuple[str, ...] | None = None,
    columns: Mapping[str, Sequence[str] | np.ndarray] | None = None,
) -> Parsed:
    """The data set of ``pictures``, of which ``kept`` names the rows in everything else; ``faults`` make it partial."""
    kept = pictures.kept
    return Parsed(
        samples=Samples(
            ids=np.array(ids)[kept],
            targets=np.asarray(targets)[kept],
            groups={name: np.array(values)[kept] for name, values in groups.items()},
            columns={name: np.array(values)[kept] for name, values in (columns or {}).items()},
        ),
        inputs={"image": pictures.images},
        protocols=protocols,
        partial="; ".join(faults),
        notes=tuple(notes),
        corrupted=pictures.corrupted,
    )
