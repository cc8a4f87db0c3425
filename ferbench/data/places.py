"""Where registered data lie."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from ferbench.nouns.dataset import Dataset


def data_root() -> Path:
    """Return the folder of registered data: ``FERBENCH_DATA``, or the platform's folder for user data."""
    chosen = os.environ.get("FERBENCH_DATA")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path("ferbench")


def dataset_root(dataset: Dataset) -> Path:
    """Return the folder that holds a data set."""
    return data_root() / "datasets" / folder_name(dataset.name)


def folder_name(name: str) -> str:
    """Return a folder's name of its own for ``name``; such as ``folder:PATH`` are made fit for the file system."""
    plain = re.sub(r"[^A-Za-z0-9._+-]", "-", name).strip(".")[:80]
    if plain != name:
        plain += "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
    return plain
