"""From a stranger's file to a folder beside the store that holds known names alone, of bounded sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ferbench.data.archives import DownloadEntry, walk_download
from ferbench.data.metering import BLOCK, DownloadLimits
from ferbench.errors import DataError
from ferbench.sharing.forms import FORMAT, MANIFEST, SCHEMA, Manifest, check_version, read_form, read_plain
from ferbench.store.files import disk_faults

LIMITS = DownloadLimits(members=500_000, member_bytes=4 << 30, total_bytes=32 << 30)
_CELL, _EVALUATION = r"cells/[0-9a-f]{20}", r"cells/[0-9a-f]{20}/evaluations/[0-9a-f]{20}"
KNOWN = {
    re.escape(MANIFEST): 64 << 20,
    r"datasets/[0-9a-f]{8,64}\.parquet": 2 << 30,
    rf"{_CELL}/(cell|status|environment|metrics)\.json": 8 << 20,
    rf"{_CELL}/sampler\.json": 256 << 20,
    rf"{_CELL}/(history\.csv|log\.txt)": 64 << 20,
    rf"{_CELL}/predictions\.parquet": 1 << 30,
    rf"{_CELL}/best\.safetensors": 4 << 30,
    rf"{_EVALUATION}/(evaluation|metrics)\.json": 8 << 20,
    rf"{_EVALUATION}/predictions\.parquet": 1 << 30,
}
"""Names of files in a pack, and how large each may be in bytes."""


@dataclass(frozen=True)
class Unpacked:
    """A pack's files in ``folder``; their names are good, their content is still to be checked."""

    source: Path
    folder: Path
    manifest: dict[str, Any]

    @property
    def cells(self) -> list[Path]:
        """Folders of its cells."""
        return [self.folder / "cells" / key for key in self.manifest["cells"]]

    def label(self, path: Path) -> str:
        """A file's name for people: that of the pack, then its place in it."""
        return f"{self.source.name}/{path.relative_to(self.folder).as_posix()}"


def unpack(source: Path, folder: Path) -> Unpacked:
    """Unpack ``source`` into ``folder``. Raises DataError for what is no pack, or holds anything but a pack's files."""
    if not source.is_file():
        raise DataError(f"{source} is no file. Name a pack that `ferbench pack` wrote.")
    manifest: dict[str, Any] = {}
    for entry in walk_download(source, LIMITS, levels=1, expand=_refuse_archive):
        name = PurePosixPath(*entry.path.parts[1:]).as_posix()
        size = next((size for known, size in KNOWN.items() if re.fullmatch(known, name)), None)
        if not manifest and name != MANIFEST:
            raise DataError(f"{source} is no pack of results: it does not begin with {MANIFEST}.")
        if size is None:
            raise DataError(f"{source} is refused: {name!r} is no file of a pack.")
        target = folder / name
        if target.exists():
            raise DataError(f"{source} is refused: {name!r} stands in it twice.")
        _write(entry, target, size)
        manifest = manifest or _manifest(target, source)
    found = {path.parent.name for path in (folder / "cells").glob("*/cell.json")}
    present = {path.name for path in (folder / "cells").glob("*")}
    if len(found) < len(manifest["cells"]) or found != set(manifest["cells"]) or present != found:
        odd = sorted((found | present) ^ set(manifest["cells"])) or sorted(present - found)
        raise DataError(f"{source} is refused: cell {odd[0]} is not both listed and there.")
    return Unpacked(source, folder, manifest)


def _manifest(path: Path, source: Path) -> dict[str, Any]:
    label = f"{source.name}/{MANIFEST}"
    value = read_plain(path, label)
    if value.get("format") != FORMAT:
        raise DataError(f"{source} is no pack of results: its {MANIFEST} says {value.get('format')!r}.")
    newer = isinstance(value.get("schema"), int) and value["schema"] > SCHEMA
    if newer:
        raise DataError(
            f"{source} was packed by a newer ferbench ({value.get('ferbench')}, schema {value['schema']}; this one "
            f"reads {SCHEMA}). Update ferbench, and merge it again."
        )
    check_version(value, Manifest, label)
    return read_form(Manifest, path, label)


def _write(entry: DownloadEntry, target: Path, most: int) -> None:
    with disk_faults(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with entry.open() as stream, target.open("xb") as handle:
            while block := stream.read(BLOCK):
                size += len(block)
                if size > most:
                    raise DataError(f"{entry.label} is refused: it is larger than {most:,} bytes.")
                handle.write(block)


def _refuse_archive(path: PurePosixPath) -> bool:
    raise DataError(f"{path} is refused: an archive is no file of a pack.")
