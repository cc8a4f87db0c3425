"""Decimal numbers of many rows of text at once, by whole-array operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def parse_bytes(texts: Sequence[bytes], width: int) -> np.ndarray | None:
    """Parse n texts of ``width`` numbers each, 0 to 255 in at most three digits, separated by blanks.

    Returns uint8 [n, width]; None when any text is otherwise.
    """
    if not texts:
        return np.empty((0, width), dtype=np.uint8)
    # Two blanks in front, so that every digit has two bytes before it; one behind, so that it has one after it.
    text = np.frombuffer(b"  " + b" ".join(texts) + b" ", dtype=np.uint8)
    value = text - np.uint8(ord("0"))
    digit = value < 10
    if not bool((digit | (text == ord(" "))).all()):
        return None
    if bool((digit[3:] & digit[2:-1] & digit[1:-2] & digit[:-3]).any()):  # four digits in a row
        return None
    value *= digit
    last = np.flatnonzero(digit[2:-1] & ~digit[3:])  # counted from the third byte
    ends = np.cumsum([len(text) + 1 for text in texts])
    if not np.array_equal(np.searchsorted(last, ends), np.arange(1, len(texts) + 1) * width):
        return None
    low = (value[2:] + value[1:-1] * np.uint8(10))[last]  # at most 99: what comes before the digit is one, or a blank
    hundreds = (value[:-2] * digit[1:-1])[last]
    numbers: np.ndarray = low + hundreds * np.uint8(100)
    if bool((hundreds > 2).any()) or bool((numbers < low).any()):  # beyond 255 bytes begin again at 0
        return None
    return numbers.reshape(len(texts), width)
