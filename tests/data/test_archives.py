"""Downloads are read as they come, and hostile ones are refused."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench import DataError, DownloadLimits, walk_download

CONTENT = b"0,1 2 3\n" * 1000


def make_tar(path: Path, members: dict[str, bytes], mode: Any = "w:gz", change: str = "") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if change:
            info = tarfile.TarInfo("odd")
            info.type = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}[change]
            info.linkname = "/etc/passwd"
            tar.addfile(info)
    return path


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def contents(path: Path, **options: Any) -> dict[str, bytes]:
    found = {}
    for entry in walk_download(path, **options):
        with entry.open() as stream:
            found[entry.label] = stream.read()
    return found


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "zip"])
def test_archives_are_read_without_unpacking(tmp_path: Path, suffix: str) -> None:
    members = {"faces/a.csv": CONTENT, "b.csv": b"b"}
    path = tmp_path / f"set.{suffix}"
    made = make_zip(path, members) if suffix == "zip" else make_tar(path, members, "w:gz" if "gz" in suffix else "w")
    assert contents(made) == {f"set.{suffix}/faces/a.csv": CONTENT, f"set.{suffix}/b.csv": b"b"}


def test_plain_files_and_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "set" / "train").mkdir(parents=True)
    (tmp_path / "set" / "train" / "a.csv").write_bytes(CONTENT)
    make_zip(tmp_path / "set" / "b.zip", {"b.csv": b"b"})
    assert contents(tmp_path / "set") == {"set/b.zip/b.csv": b"b", "set/train/a.csv": CONTENT}
    assert contents(tmp_path / "set" / "train" / "a.csv") == {"a.csv": CONTENT}


def test_a_single_compressed_file_loses_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CONTENT[:4000]) + gzip.compress(CONTENT[4000:]))
    (entry,) = walk_download(tmp_path / "a.csv.gz")
    assert entry.path.name == "a.csv"
    assert contents(tmp_path / "a.csv.gz") == {"a.csv.gz": CONTENT}


def test_an_archive_in_an_archive_is_opened_but_not_a_third(tmp_path: Path) -> None:
    inner = make_tar(tmp_path / "inner.tar.gz", {"a.csv": CONTENT})
    middle = make_zip(tmp_path / "middle.zip", {"deep/inner.tar.gz": inner.read_bytes()})
    outer = make_zip(tmp_path / "outer.zip", {"middle.zip": middle.read_bytes()})
    assert contents(middle) == {"middle.zip/deep/inner.tar.gz/a.csv": CONTENT}
    with pytest.raises(DataError, match="too deep"):
        contents(outer)


def test_an_archive_that_is_not_wanted_stays_closed(tmp_path: Path) -> None:
    outer = make_zip(tmp_path / "outer.zip", {"a.csv": b"a", "b.zip": b"no archive at all"})
    assert contents(outer, expand=lambda path: path.name != "b.zip") == {"outer.zip/a.csv": b"a"}


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "x/../../a.csv", "C:/a.csv", "..\\a.csv"])
@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_paths_that_leave_the_archive_are_refused(tmp_path: Path, name: str, make: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="points outside of the archive"):
        contents(make(tmp_path / "bad.archive", {name: CONTENT}))


@pytest.mark.parametrize("change", ["link", "hard link", "device"])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, change: str) -> None:
    with pytest.raises(DataError, match=r"bad\.tar\.gz is refused: 'odd' is a link or device"):
        contents(make_tar(tmp_path / "bad.tar.gz", {"a.csv": CONTENT}, change=change))


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        info = zipfile.ZipInfo("odd")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="'odd' is a link or device"):
        contents(tmp_path / "bad.zip")


def test_pipes_and_dangling_links_in_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "a.csv")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "a.csv").symlink_to(tmp_path / "nowhere")
    for folder in ("pipe", "link"):
        with pytest.raises(DataError, match=r"a\.csv is neither a file nor a folder"):
            contents(tmp_path / folder)


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_bombs_are_refused_by_what_really_comes_out(tmp_path: Path, make: Callable[..., Path]) -> None:
    bomb = make(tmp_path / "bomb.archive", {"a.csv": bytes(10 << 20)})
    with pytest.raises(DataError, match="more than 200 times its size"):
        contents(bomb, limits=DownloadLimits(free_bytes=1 << 20))
    with pytest.raises(DataError, match="more than 5,000,000 bytes"):
        contents(bomb, limits=DownloadLimits(total_bytes=5_000_000))
    with pytest.raises(DataError, match=r"a\.csv is refused: it is larger than 5,000,000 bytes"):
        contents(bomb, limits=DownloadLimits(member_bytes=5_000_000))


def test_a_bomb_inside_an_archive_is_refused(tmp_path: Path) -> None:
    inner = make_zip(tmp_path / "inner.zip", {"a.csv": bytes(10 << 20)})
    outer = make_zip(tmp_path / "outer.zip", {"inner.zip": inner.read_bytes()})
    with pytest.raises(DataError, match=r"outer\.zip is refused: it unpacks to more than 200 times"):
        contents(outer, limits=DownloadLimits(free_bytes=1 << 20))


def test_a_sparse_file_that_is_all_holes_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("holes.csv")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"77777777777\0"  # its size once unpacked
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "bad.tar").write_bytes(bytes(header) + bytes(1024))
    with pytest.raises(DataError, match="not a plain file"):
        contents(tmp_path / "bad.tar")


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    crowd = make_zip(tmp_path / "crowd.zip", {f"{i}.csv": b"" for i in range(20)})
    with pytest.raises(DataError, match="more than 10 files"):
        contents(crowd, limits=DownloadLimits(members=10))


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "zip", "csv.gz"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.97])
def test_truncated_archives_are_named(tmp_path: Path, suffix: str, share: float) -> None:
    content = os.urandom(60_000)
    path = tmp_path / f"set.{suffix}"
    if suffix == "csv.gz":
        path.write_bytes(gzip.compress(content))
    elif suffix == "zip":
        make_zip(path, {"a.csv": content})
    else:
        make_tar(path, {"a.csv": content}, "w:gz" if "gz" in suffix else "w")
    whole = path.read_bytes() if suffix != "tar" else path.read_bytes()[: 512 + 60_000]
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=rf"set\.{suffix}.* (truncated or damaged|not the archive).*Download it again"):
        contents(path)


@pytest.mark.parametrize("suffix", ["tar.gz", "zip"])
def test_a_flipped_byte_is_found(tmp_path: Path, suffix: str) -> None:
    content = os.urandom(60_000)
    path = tmp_path / f"set.{suffix}"
    (make_zip if suffix == "zip" else make_tar)(path, {"a.csv": content})
    damaged = bytearray(path.read_bytes())
    damaged[30_000] ^= 255
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="truncated or damaged"):
        contents(path)


def test_other_things_than_data_are_named(tmp_path: Path) -> None:
    (tmp_path / "login.zip").write_text("<!DOCTYPE html><title>Sign in</title>", encoding="utf-8")
    (tmp_path / "empty.zip").write_bytes(b"")
    (tmp_path / "text.tar.gz").write_text("hello", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    make_zip(tmp_path / "hollow.zip", {})
    for name, message in {
        "login.zip": "is a web page",
        "empty.zip": "is empty",
        "text.tar.gz": "not the archive that its name promises",
        "folder": "holds no file",
        "hollow.zip": "holds no file",
        "absent.zip": "There is no file or folder",
    }.items():
        with pytest.raises(DataError, match=message):
            contents(tmp_path / name)


def test_an_archive_with_a_password_is_named(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "locked.zip", {"a.csv": CONTENT})
    locked = bytearray(path.read_bytes())
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(locked)
    with pytest.raises(DataError, match="locked with a password"):
        contents(path)
