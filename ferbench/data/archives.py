"""Safe reading of downloads: folders, tar, tar.gz and zip, as streams, never unpacked to disk.

Archives come from strangers. Links, devices, absolute paths and ``..`` are refused, and bombs are stopped by counting
the bytes that really come out: sizes that an archive states about itself are never believed.
"""

from __future__ import annotations

import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from ferbench.data.metering import AGAIN, BLOCK, DownloadLimits, Gunzip, Meter, damage, member, unpacked
from ferbench.errors import DataError

_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".gz")


@dataclass(frozen=True)
class DownloadEntry:
    """One file of a download. ``open`` works until the next entry is asked for.

    ``label`` names it for people (``fer2013.zip/train/angry/1.jpg``), ``path`` is its place inside the download.
    """

    label: str
    path: PurePosixPath
    open: Callable[[], IO[bytes]]


Expand = Callable[[PurePosixPath], bool]
"""Whether an archive that lies inside the download is to be opened; asked when its turn comes."""


@dataclass(frozen=True)
class _Rules:
    limits: DownloadLimits
    levels: int
    expand: Expand


def walk_download(
    source: Path, limits: DownloadLimits | None = None, levels: int = 2, expand: Expand | None = None
) -> Iterator[DownloadEntry]:
    """Yield every file of a download: a folder's, an archive's, or the file itself.

    Archives inside are opened as well, ``levels`` archives deep, where ``expand`` (default: always) agrees. Raises
    DataError that names the file when it is missing, empty, truncated, damaged or hostile.
    """
    rules = _Rules(limits or DownloadLimits(), levels, expand or (lambda _: True))
    with _access(source):
        if source.is_dir():
            yield from _folder(source, rules)
        else:
            yield from _file(source, PurePosixPath(source.name), source.name, rules)


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb", buffering=0)


def _folder(root: Path, rules: _Rules) -> Iterator[DownloadEntry]:
    found = False
    for path in sorted(root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        if not path.exists() or not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path} is neither a file nor a folder, or a link to nowhere or to a folder: remove it.")
        found = True
        inside = PurePosixPath(path.relative_to(root).as_posix())
        label = f"{root.name}/{inside}"
        if not _is_archive(inside):
            yield DownloadEntry(label, inside, partial(_opened, path))
        elif rules.expand(inside):
            yield from _file(path, inside, label, rules)
    if not found:
        raise DataError(f"The folder {root} holds no file.")


def _file(path: Path, inside: PurePosixPath, label: str, rules: _Rules) -> Iterator[DownloadEntry]:
    size = path.stat().st_size
    if not size:
        raise DataError(f"{label} is empty. {AGAIN}")
    with path.open("rb") as stream:
        kind = _kind(stream)
        if kind == "page":
            raise DataError(
                f"{label} is a web page, not data: the download was refused, for want of a login perhaps. "
                "Log in with a browser and download it again."
            )
        if kind:
            yield from _unpack(stream, kind, inside, label, Meter(label, size, rules.limits), rules)
        elif _is_archive(inside):
            raise DataError(f"{label} is not the archive that its name promises: it is damaged. {AGAIN}")
        else:
            yield DownloadEntry(label, inside, lambda: path.open("rb", buffering=0))


def _unpack(
    stream: IO[bytes], kind: str, inside: PurePosixPath, label: str, meter: Meter, rules: _Rules
) -> Iterator[DownloadEntry]:
    """Yield the entries of an archive that is open as ``stream``, which can seek."""
    deeper = replace(rules, levels=rules.levels - 1)
    for entry in _MEMBERS[kind](stream, inside, label, meter):
        if not _is_archive(entry.path):
            yield entry
        elif not rules.expand(entry.path):
            continue
        elif rules.levels <= 1:
            raise DataError(f"{entry.label} lies too deep, archives within archives: unpack the outer one by hand.")
        else:
            # Its copy lies in a nameless file while it is read, since a zip needs to seek and a member cannot.
            with tempfile.TemporaryFile() as copy, entry.open() as content:
                while block := content.read(BLOCK):
                    copy.write(block)
                copy.seek(0)
                inner = _kind(copy)
                if inner in ("", "page"):
                    raise DataError(f"{entry.label} is not the archive that its name promises: it is damaged. {AGAIN}")
                yield from _unpack(copy, inner, entry.path, entry.label, meter, deeper)


def _tar(stream: IO[bytes], inside: PurePosixPath, label: str, meter: Meter) -> Iterator[DownloadEntry]:
    found = False
    with damage(label), tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK) as tar:
        while info := tar.next():
            tar.members = []  # type: ignore[attr-defined]  # it would remember them all
            meter.add_member()
            path = _safe(info.name, label)
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                raise DataError(f"{label} is refused: {info.name!r} is a link or device, not a plain file.")
            found = True

            def read(info: tarfile.TarInfo = info, name: str = f"{label}/{path}") -> IO[bytes]:
                content = tar.extractfile(info)
                assert content is not None  # only links and devices have none
                return member(content, name, meter, unpacks=False)

            yield DownloadEntry(f"{label}/{path}", inside / path, read)
        while stream.read(BLOCK):  # to the end, where gzip keeps its check sum
            pass
    if not found:
        raise DataError(f"{label} holds no file. {AGAIN}")


def _zip(stream: IO[bytes], inside: PurePosixPath, label: str, meter: Meter) -> Iterator[DownloadEntry]:
    with damage(label), zipfile.ZipFile(stream) as archive:
        if all(info.is_dir() for info in archive.infolist()):
            raise DataError(f"{label} holds no file. {AGAIN}")
        for info in archive.infolist():
            meter.add_member()
            path = _safe(info.filename, label)
            if info.is_dir():
                continue
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                raise DataError(f"{label} is refused: {info.filename!r} is a link or device, not a plain file.")
            if info.flag_bits & 1:
                raise DataError(f"{label} is locked with a password. Unpack it by hand, and add the folder.")

            def read(info: zipfile.ZipInfo = info, name: str = f"{label}/{path}") -> IO[bytes]:
                with damage(name):
                    return member(archive.open(info), name, meter, unpacks=True)

            yield DownloadEntry(f"{label}/{path}", inside / path, read)


def _gzip(stream: IO[bytes], inside: PurePosixPath, label: str, meter: Meter) -> Iterator[DownloadEntry]:
    """A gzip file holds a tar, or one file that lacks only the suffix of its name."""
    content = unpacked(Gunzip(stream), label, meter)
    if _is_tar(content.peek(512)[:512]):
        yield from _tar(content, inside, label, meter)
    else:
        meter.add_member()
        yield DownloadEntry(label, inside.with_suffix(""), lambda: content)


_MEMBERS = {"tar": _tar, "zip": _zip, "gzip": _gzip}


def _safe(name: str, label: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise DataError(f"{label} is refused: its member {name!r} points outside of the archive.")
    return path


def _is_archive(path: PurePosixPath) -> bool:
    return path.name.lower().endswith(_SUFFIXES)


def _kind(stream: IO[bytes]) -> str:
    """Return zip, gzip, tar or page (HTML) by the first bytes, never by the name; empty for anything else."""
    head = stream.read(512)
    stream.seek(0)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head.lstrip()[:1] == b"<":
        return "page"
    return "tar" if _is_tar(head) else ""


def _is_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


@contextmanager
def _access(source: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"There is no file or folder {error.filename or source}. Check the path.") from None
    except PermissionError as error:
        raise DataError(f"{error.filename or source} may not be read: mend its permissions.") from None
