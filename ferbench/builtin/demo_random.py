"""Random numbers for the demo data that are the same on every machine and under every release of numpy.

numpy promises that the raw stream of a bit generator never changes; it promises neither that of the distributions built
on it, nor that ``exp`` or ``sin`` round alike on two machines. The demo therefore uses nothing but raw bits, the four
basic operations and square roots, all of which IEEE 754 fixes to the last bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = np.ndarray
"""float32 throughout; numpy's stubs take float32 with a Python number for float64, so the type cannot say it."""

Ints = npt.NDArray[np.int64]


class Draws:
    """A seeded stream of draws."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def unit(self, *shape: int) -> Floats:
        """Uniform in [0, 1), float32 of ``shape``, of 24 bits so that float32 holds each exactly."""
        raw: npt.NDArray[np.uint64] = self._bits.random_raw(int(np.prod(shape)))
        values: Floats = (raw >> np.uint64(40)).astype(np.float32) / 2**24
        return values.reshape(shape)

    def uniform(self, n: int, low: float, high: float) -> Floats:
        """Uniform in [low, high), float32 [n]."""
        return low + (high - low) * self.unit(n)

    def bell(self, n: int, centre: float, spread: float) -> Floats:
        """Nearly normal: the sum of four uniforms, float32 [n], never beyond 3.5 ``spread``."""
        four = self.unit(4, n)
        values: Floats = centre + spread * 1.7320508 * (four[0] + four[1] + four[2] + four[3] - 2)
        return values

    def chance(self, n: int, probability: float) -> Floats:
        """1 with ``probability``, else 0, float32 [n]."""
        return (self.unit(n) < probability).astype(np.float32)

    def order(self, n: int) -> Ints:
        """A permutation of 0 … n-1."""
        return np.argsort(self._bits.random_raw(n), kind="stable").astype(np.int64)

    def below(self, n: int, limit: int) -> Ints:
        """Whole numbers in [0, limit), int64 [n]."""
        return (self.unit(n) * limit).astype(np.int64)

    def grain(self, *shape: int) -> Floats:
        """Nearly normal pixel noise of unit deviation, float32 of ``shape``: four random bytes summed per pixel."""
        count = int(np.prod(shape))
        raw = self._bits.random_raw((count + 1) // 2).astype("<u8").view(np.uint8).reshape(-1, 4)
        four = raw[:count].astype(np.int16)
        total = four[:, 0] + four[:, 1] + four[:, 2] + four[:, 3]
        return ((total - 510).astype(np.float32) / 147.8).reshape(shape)
