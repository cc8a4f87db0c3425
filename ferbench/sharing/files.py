"""What lies beside the results of a cell that was brought: curves, logs, weights."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ferbench.errors import DataError
from ferbench.sharing.forms import is_clean, read_plain
from ferbench.store.files import write_text


def check_files(folder: Path, label: str) -> None:
    """Check those that are there; of a log what a terminal could obey is replaced. Raises DataError."""
    if (folder / "sampler.json").exists():
        read_plain(folder / "sampler.json", f"{label}/sampler.json")
    if (folder / "history.csv").exists():
        _check_history(folder / "history.csv", f"{label}/history.csv")
    if (folder / "log.txt").exists():
        text = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        write_text(folder / "log.txt", "".join(character if is_clean(character) else "?" for character in text))
    if (folder / "best.safetensors").exists():
        _check_weights(folder / "best.safetensors", f"{label}/best.safetensors")


def _check_weights(path: Path, label: str) -> None:
    try:
        with safe_open(path, framework="numpy") as weights:
            weights.keys()
    except SafetensorError as error:
        raise DataError(f"{label} is no safetensors file: {error}.") from None


def _check_history(path: Path, label: str) -> None:
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            header, *rows = list(csv.reader(handle))
        good = all(len(row) == len(header) and all(map(_is_number, row)) for row in rows)
    except (ValueError, csv.Error):
        good = False
    if not good or not all(re.fullmatch(r"[\w .:/@()+-]{1,100}", name) for name in header):
        raise DataError(f"{label} is refused: it is no table of numbers.")


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"|-?\d+(\.\d+)?([eE][+-]?\d+)?|-?inf|nan", text))
