"""A new tracking database, made whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ferbench.store.files import disk_faults


def make_database(path: Path) -> None:
    """Make MLflow's SQLite database where there is none yet; ``path`` is seen only when it has all its tables.

    MLflow takes seconds for its tables, and cannot go on where it was stopped among them: a run that is interrupted
    in its first moments would leave a folder of results that can never be tracked.
    """
    from mlflow.tracking import MlflowClient

    if path.exists():
        return
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with disk_faults(path), tempfile.TemporaryDirectory(prefix=".mlflow-", dir=path.parent) as folder:
        first, whole = Path(folder) / "first.db", Path(folder) / "whole.db"
        MlflowClient(f"sqlite:///{first}").search_experiments(max_results=1)
        # MLflow keeps the file open; SQLite's locks must not be those of two names for one file.
        shutil.copyfile(first, whole)
        try:
            os.link(whole, path)
        except FileExistsError:
            pass  # another program was quicker
        except OSError:  # a file system without links
            whole.replace(path)
