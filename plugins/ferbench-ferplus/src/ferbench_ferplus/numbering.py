"""How FER+ numbers its pictures: ``fer0032220.png`` is row 32,298 of fer2013.csv, not row 32,220.

Taken from the column "Image name" of fer2013new.csv, which is row for row that of fer2013.csv.
"""

from __future__ import annotations

import numpy as np

TWINS = {5_274: 6_953, 5_348: 11_785, 15_835: 8_403, 34_334: 33_120}
"""Rows that have the number of another picture, whose pixels are theirs too."""

# fmt: off
PASSED_OVER = (
    59, 501, 2059, 2171, 2809, 3262, 3931, 4275, 5082, 5274, 5439, 5722, 5881, 6458, 6699, 7172, 7496, 7527, 7629, 8030,
    8737, 8856, 9026, 9500, 9673, 9679, 9797, 10023, 10423, 11244, 11286, 11295, 11846, 12289, 12352, 13148, 13402,
    13697, 13988, 14148, 14279, 15144, 15835, 15838, 15894, 16540, 17081, 17620, 18337, 19238, 19632, 20222, 20712,
    20817, 21817, 21937, 22198, 22314, 22927, 23596, 23894, 24053, 24441, 24891, 25219, 25603, 25909, 26383, 26860,
    26897, 28601, 29447, 29557, 30002, 30705, 30981, 31127, 31825, 32662, 32683, 34334, 35121, 35469, 35632, 35743,
)
# fmt: on
"""Rows that do not count. Other pictures without a name do, and leave a gap between the names."""


def numbered_rows(rows: int) -> np.ndarray:
    """The row of each number, int64, among the first ``rows`` rows of fer2013.csv."""
    return np.setdiff1d(np.arange(rows), PASSED_OVER)
