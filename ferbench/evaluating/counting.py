"""Parameters and FLOPs of an installed model at its reference input, kept by the hash of its source."""

from __future__ import annotations

import json
from pathlib import Path

from ferbench.data.places import data_root
from ferbench.identity import digest
from ferbench.nouns.model import Model
from ferbench.nouns.reference import resolve
from ferbench.store.files import write_json


def reference_counts(model: Model, source_hash: str) -> dict[str, int | None]:
    """Return ``params`` and ``flops`` of a network (None for an estimator); counted once for each source."""
    if model.build is None:
        return {"params": None, "flops": None}
    path = _cache(model, source_hash)
    if path.exists():
        return dict(json.loads(path.read_text()))
    from ferbench.training.counting import flops, parameters

    net = resolve(model.build)(model.reference, **model.options.model_dump())
    counts: dict[str, int | None] = {"params": parameters(net), "flops": flops(net, model.reference)}
    write_json(path, counts)
    return counts


def _cache(model: Model, source_hash: str) -> Path:
    key = {"source": source_hash, "model": model.full_name, "options": model.options.model_dump(mode="json")}
    return data_root() / "counts" / f"{digest(key)}.json"
