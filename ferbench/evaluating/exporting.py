"""A data set as folders of pictures with a table of labels, for other tools and to be shared."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from ferbench.data.splits import each_of
from ferbench.data.stored import Loaded
from ferbench.errors import DataError
from ferbench.evaluating.file_names import safe_names
from ferbench.nouns.dataset import Dataset, ProtocolRule
from ferbench.nouns.emotions import Side
from ferbench.nouns.sampler import Removed
from ferbench.nouns.split import Split, View
from ferbench.store.files import disk_faults, write_text

Layout = Literal["folders", "classes", "flat"]
SUFFIX = {"png": "png", "jpeg": "jpg"}
RESIZED = Image.Resampling.LANCZOS


@dataclass(frozen=True)
class Pictures:
    """In which form pictures are written. ``size``: of the square that they are made (None: as they are).

    ``frames``: how many of each clip (None: all). ``quality``: of JPEG, 1 to 100.
    """

    format: Literal["png", "jpeg"] = "png"
    size: int | None = None
    quality: int = 95
    frames: int | None = None
    layout: Layout = "folders"


@dataclass(frozen=True)
class Part:
    """Samples of one side. ``facts``: more columns of the table, each [n]; ``removed``: what a sampler left out."""

    side: Side
    split: Split
    facts: Mapping[str, np.ndarray] = field(default_factory=dict)
    removed: tuple[Removed, ...] = ()


@dataclass(frozen=True)
class Exported:
    """What was written: samples by side, files, and bytes in all."""

    folder: Path
    samples: Mapping[str, int]
    removed: int
    files: int
    size: int


def export(
    loaded: Loaded,
    rule: ProtocolRule,
    parts: Sequence[Part],
    target: Path,
    form: Pictures | None,
    about: dict[str, Any],
) -> Exported:
    """Write ``target``: ``labels.csv``, ``dataset.json`` and, unless ``form`` is None, a file for each sample.

    ``about`` goes into ``dataset.json`` too. The folder appears whole or not at all. Raises DataError where it is there
    already and not empty, and for samples that are no pictures; StoreError when the disk refuses.
    """
    target = target.expanduser().resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "is not empty" if target.is_dir() else "is a file"
        raise DataError(f"{target} {what}: nothing is overwritten. Name a folder that is not there yet.")
    if form is not None:
        _check_form(loaded.dataset, parts, form)
    with disk_faults(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            files = _write(loaded, parts, fresh, form)
            write_text(fresh / "dataset.json", _about(loaded, rule, parts, form, about))
            if form is not None and not loaded.dataset.public:
                write_text(fresh / "NOTICE.txt", notice(loaded.dataset))
            size = sum(path.stat().st_size for path in fresh.rglob("*") if path.is_file())
            fresh.chmod(0o755)
            fresh.rename(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    removed = sum(len(each.ids) for part in parts for each in part.removed)
    return Exported(target, {part.side: len(part.split) for part in parts}, removed, files, size)


def notice(dataset: Dataset) -> str:
    """What stands beside pictures that are not to be published."""
    return (
        f"The pictures in this folder are of the data set {dataset.name}.\n"
        f"Licence: {dataset.licence or 'not stated'}.\n"
        f"Source: {dataset.how_to_get or 'not stated'}\n\n"
        "They were exported for private use. They must not be published or passed on, nor shown in pages or papers,\n"
        "unless that licence allows it. Ids and labels alone, as `ferbench data export --ids-only` writes them, can\n"
        "be shared: whoever has the data set joins them with it.\n"
    )


def _check_form(dataset: Dataset, parts: Sequence[Part], form: Pictures) -> None:
    if dataset.modality == "eeg":
        raise DataError(f"{dataset.name} holds EEG, not pictures: export its ids and labels alone (--ids-only).")
    for part in parts:
        if form.layout != "flat" and part.split.label_kind in ("multi-hot", "real"):
            raise DataError(
                f"A sample of {dataset.name} has no single class that could name its folder: use --layout flat."
            )


def _write(loaded: Loaded, parts: Sequence[Part], fresh: Path, form: Pictures | None) -> int:
    """Write pictures and tables into ``fresh``; return the number of files with pictures."""
    soft = [part.split.classes for part in parts if np.ndim(part.split.targets) == 2]
    shares = [f"t_{name}" for name in (soft[0] if soft else ())]
    groups = list(dict.fromkeys(name for part in parts for name in part.split.groups))
    facts = list(dict.fromkeys(name for part in parts for name in part.facts))
    columns = ["id", *(["file"] if form else []), "label", "split", *map(_column, groups), "source", *facts, *shares]
    sources = _sources(loaded)
    files, places = 0, iter(_places(parts, form) if form else [])
    with (fresh / "labels.csv").open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        table = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        table.writeheader()
        for part in parts:
            view = View(frames=form.frames) if form else None
            pictures = each_of(part.split, loaded.dataset.inputs[0], view) if form else None
            for row, sample in enumerate(part.split.ids.tolist()):
                line = _line(part, row, sample, sources.get(sample, ""))
                if pictures is not None and form is not None:
                    picture, place = next(pictures), next(places)
                    files += _save(picture, fresh / place, form)
                    line["file"] = place if picture.ndim == 4 else f"{place}.{SUFFIX[form.format]}"
                table.writerow(line)
    removed = [(sample, each.reason) for part in parts for each in part.removed for sample in each.ids]
    if removed:
        with (fresh / "removed.csv").open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
            csv.writer(stream, lineterminator="\n").writerows([("id", "reason"), *removed])
    return files


def _column(group: str) -> str:
    return f"group_{group}" if group in ("id", "file", "label", "split", "source") else group


def _sources(loaded: Loaded) -> dict[str, str]:
    """The source of each sample, where the data set knows it (it was put together from others)."""
    values = loaded.samples.columns.get("source")
    return {} if values is None else dict(zip(loaded.samples.ids.tolist(), map(str, values.tolist()), strict=True))


def _line(part: Part, row: int, sample: str, source: str) -> dict[str, Any]:
    split = part.split
    line: dict[str, Any] = {"id": sample, "label": _label(split, row), "split": part.side, "source": source}
    line |= {_column(name): values[row] for name, values in split.groups.items()}
    line |= {name: values[row] for name, values in part.facts.items()}
    if np.ndim(split.targets) == 2:
        line |= {f"t_{name}": f"{share:.7g}" for name, share in zip(split.classes, split.targets[row], strict=True)}
    return line


def _label(split: Split, row: int) -> str:
    """The class of a sample, the most probable of several (of equal ones the first); empty where it has none."""
    if split.label_kind in ("multi-hot", "real"):
        return ""
    target = split.targets[row]
    return split.classes[int(target if np.ndim(target) == 0 else np.argmax(target))]


def _places(parts: Sequence[Part], form: Pictures) -> list[str]:
    """Where each sample of all parts stands below the folder that is written, without the ending of a file."""
    classes = dict.fromkeys(name for part in parts for name in part.split.classes)
    folders = dict(zip(classes, safe_names(classes), strict=True))
    names = safe_names(sample for part in parts for sample in part.split.ids.tolist())
    places: list[str] = []
    for part in parts:
        for row in range(len(part.split)):
            label = "" if form.layout == "flat" else folders[_label(part.split, row)]
            above = {"folders": [part.side, label], "classes": [label], "flat": ["files"]}[form.layout]
            places.append("/".join([*above, names[len(places)]]))
    return places


def _save(picture: np.ndarray, place: Path, form: Pictures) -> int:
    """Write a picture, or the frames of a clip into a folder; return the number of files."""
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3, 4):
        raise DataError(
            f"A sample is {picture.dtype} {list(picture.shape)}, no picture: export ids alone (--ids-only)."
        )
    if picture.ndim == 4:
        return sum(_save(frame, place / f"{i:05d}", form) for i, frame in enumerate(picture))
    path = place.parent / f"{place.name}.{SUFFIX[form.format]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture)
    if form.size is not None and image.size != (form.size, form.size):
        image = image.resize((form.size, form.size), RESIZED)
    if form.format == "jpeg":
        (image if image.mode == "L" else image.convert("RGB")).save(path, format="JPEG", quality=form.quality)
    else:
        image.save(path, format="PNG")
    return 1


def _about(
    loaded: Loaded, rule: ProtocolRule, parts: Sequence[Part], form: Pictures | None, more: Mapping[str, Any]
) -> str:
    dataset = loaded.dataset
    facts = {
        "dataset": dataset.name,
        "protocol": rule.name,
        "fingerprint": loaded.fingerprint,
        "partial": loaded.partial,
        "licence": dataset.licence,
        "how_to_get": dataset.how_to_get,
        "citation": f"{dataset.paper.authors} ({dataset.paper.year}). {dataset.paper.title}." if dataset.paper else "",
        "task": dataset.task,
        "classes": list(dict.fromkeys(name for part in parts for name in part.split.classes)),
        "samples": {part.side: _counts(part.split) for part in parts},
        "pictures": None
        if form is None
        else {
            "format": form.format,
            "size": form.size,
            "resampling": None if form.size is None else RESIZED.name.lower(),
            "quality": form.quality if form.format == "jpeg" else None,
            "frames": form.frames,
            "layout": form.layout,
        },
        **more,
    }
    return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def _counts(split: Split) -> dict[str, int]:
    found = Counter(_label(split, row) for row in range(len(split)))
    return {name: found[name] for name in [*split.classes, ""] if found[name]}
