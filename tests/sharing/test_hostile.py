"""A pack may come from anyone: whatever is not the form of a pack is refused with its place, and leaves nothing."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ferbench
from ferbench import DataError
from ferbench.plugins import Installed, discover
from ferbench.sharing import tables, unpacking
from ferbench.sharing.merging import merge_packs
from ferbench.store.store import Store
from tests.contract import Contract
from tests.sharing.conftest import Source, Tampered


@pytest.fixture
def cell(source: Source) -> str:
    """The place of a cell in the pack."""
    return f"cells/{source.cell('nearest').id}"


@pytest.fixture
def refused(tampered: Tampered, installed: Installed, tmp_path: Path) -> Callable[[str], None]:
    """Says that the pack, as it was tampered with, is refused so, and that nothing is left of it."""

    def check(words: str) -> None:
        with pytest.raises(DataError, match=words):
            merge_packs([tampered.packed()], tmp_path / "home", installed)
        assert not (tmp_path / "home").exists()

    return check


Refused = Callable[[str], None]


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.json",
        "/etc/evil.json",
        "cells/x/cell.json",
        "evil.py",
        "cells/{id}/last.pt",
        "cells/{id}/a/cell.json",
    ],
)
def test_names_that_no_pack_has_are_refused(tampered: Tampered, refused: Refused, cell: str, name: str) -> None:
    tampered.files[name.replace("cells/{id}", cell)] = b"{}"
    refused("is no file of a pack|points outside of the archive")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tampered: Tampered, refused: Refused, cell: str, kind: bytes) -> None:
    info = tarfile.TarInfo(f"{cell}/log.txt")
    info.type, info.linkname = kind, "/etc/passwd"
    tampered.odd.append(info)
    refused("is a link or device")


def test_an_archive_inside_and_a_name_that_stands_twice_are_refused(
    tampered: Tampered, refused: Refused, cell: str
) -> None:
    tampered.odd.append(tarfile.TarInfo(f"{cell}/cell.json"))
    refused("stands in it twice")
    tampered.files["more.tar.gz"] = b"\x1f\x8b"
    refused("an archive is no file of a pack")


def test_bombs_are_refused_by_what_comes_out(
    tampered: Tampered, refused: Refused, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tampered.files[f"{cell}/log.txt"] = bytes(65 << 20)
    refused("more than 200 times its size")
    tampered.files[f"{cell}/log.txt"] = b""
    tampered.files[f"{cell}/status.json"] = b" " * (8 << 20) + b"{}"
    refused(r"status\.json is refused: it is larger than 8,388,608 bytes")


def test_a_table_that_unpacks_to_gigabytes_is_refused_before_it_is_read(
    tampered: Tampered, refused: Refused, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{cell}/predictions.parquet"
    monkeypatch.setattr(tables, "MAX_TEXT", 100_000)
    tampered.retable(name, lambda table: table.set_column(1, "id", [["x" * 10_000] * len(table)]))
    assert len(tampered.files[name]) < 10_000
    refused("id holds more than 100,000 characters")
    monkeypatch.setattr(tables, "MAX_VALUES", 100)
    refused("holds more than 100 values")


def test_a_pack_that_is_cut_off_or_altered_is_damaged(source: Source, installed: Installed, tmp_path: Path) -> None:
    whole = source.pack.read_bytes()
    (tmp_path / "flipped.tar.gz").write_bytes(whole[:5000] + bytes([whole[5000] ^ 255]) + whole[5001:])
    for share in (0.1, 0.5, 0.99):
        (tmp_path / "cut.tar.gz").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError, match=r"cut\.tar\.gz.* is truncated or damaged"):
            merge_packs([tmp_path / "cut.tar.gz"], tmp_path / "home", installed)
    with pytest.raises(DataError, match=r"flipped\.tar\.gz"):
        merge_packs([tmp_path / "flipped.tar.gz"], tmp_path / "home", installed)
    assert not (tmp_path / "home").exists()


def test_other_files_are_no_packs(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("hello")
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "text.txt", "text.txt")
    with tarfile.open(tmp_path / "strange.tar", "w") as tar:
        info = tarfile.TarInfo("ferbench-pack.json")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"{}"))
    for name in ("text.txt", "other.tar.gz", "strange.tar"):
        with pytest.raises(DataError, match="is no pack of results"):
            merge_packs([tmp_path / name], tmp_path / "home", installed)
    for path in (tmp_path, tmp_path / "gone.tar.gz"):
        with pytest.raises(DataError, match="is no file"):
            merge_packs([path], tmp_path / "home", installed)


def test_a_cell_that_was_altered_has_another_id(tampered: Tampered, refused: Refused, cell: str) -> None:
    tampered.change(f"{cell}/cell.json", lambda value: value["row"].update(model="better"))
    refused("its id is not that of what it holds .* it was altered")


def test_the_list_of_cells_is_that_of_its_files(tampered: Tampered, refused: Refused, cell: str) -> None:
    del tampered.files[f"{cell}/cell.json"]
    refused("is not both listed and there")
    tampered.change("ferbench-pack.json", lambda value: value["cells"].pop())
    refused("is not both listed and there")


@pytest.mark.parametrize(
    ("name", "edit", "words"),
    [
        ("cell.json", lambda value: value.update(more=1), "more: Extra inputs are not permitted"),
        ("cell.json", lambda value: value["row"].update(more=1), "nothing here knows row.more; update ferbench"),
        ("cell.json", lambda value: value.update(seed="0"), "seed: Input should be a valid integer"),
        ("cell.json", lambda value: value.update(schema=2), "was written with schema 2, and this ferbench reads 1"),
        ("cell.json", lambda value: value["row"].update(fingerprint="../x"), "fingerprint: String should match"),
        ("cell.json", lambda value: value.update(label="\x1b[2Jtiny"), "holds control characters"),
        ("cell.json", lambda value: value.update(label="\u202etiny"), "holds control characters"),
        ("cell.json", lambda value: value["facts"].update(kind="measured"), "facts.kind: Input should be 'imported'"),
        ("cell.json", lambda value: value["facts"].update(kind="imported"), "says that it was imported"),
        ("status.json", lambda value: value.update(state="running"), "state: Input should be 'done' or 'failed'"),
        ("status.json", lambda value: value.update(train_seconds="1"), "train_seconds: Input should be a valid number"),
        ("status.json", lambda value: value.update(ended="yesterday"), "ended: Value error, Invalid isoformat"),
        ("environment.json", lambda value: value.update(versions=["torch"]), "versions: Input should be a valid dict"),
        ("cell.json", lambda value: value["facts"].update(unit="votes"), "facts.unit: Input should be 'sample'"),
        ("metrics.json", lambda value: value.update(train={"accuracy": [1]}), "train.accuracy"),
    ],
)
def test_json_has_its_form(
    tampered: Tampered, refused: Refused, cell: str, name: str, edit: Callable[[Any], object], words: str
) -> None:
    tampered.change(f"{cell}/{name}", edit)
    refused(words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"state": "done", "seconds": NaN}', "NaN is no number"),
        (b'{"state": "done", "more": -1e999}', "-1e999 is too large a number"),
        (b'{"state": "done", "more": 1' + b"0" * 400 + b"}", "10000000000000000000 is too large a number"),
        (b'{"state": "done", "state": "done"}', "a key stands twice"),
        (b"[" * 100_000, "no JSON that can be read"),
        (b'{"a": ' + b"[" * 50 + b"]" * 50 + b"}", "nested too deep"),
        (b"\xff\xfe", "no JSON that can be read"),
        (b"[1]", "it holds no object"),
    ],
)
def test_json_that_is_none_is_refused(tampered: Tampered, refused: Refused, cell: str, text: bytes, words: str) -> None:
    tampered.files[f"{cell}/status.json"] = text
    refused(words)


@pytest.mark.parametrize("name", ["status.json", "metrics.json", "predictions.parquet"])
def test_a_file_that_is_missing_is_named(tampered: Tampered, refused: Refused, cell: str, name: str) -> None:
    del tampered.files[f"{cell}/{name}"]
    refused(rf"tampered\.tar\.gz/{cell}/{name} is missing")


def test_a_fold_does_not_pass_for_the_whole(
    tampered: Tampered, refused: Refused, contract: Contract, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    contract.run(out, datasets=["squares@3-fold"], models=["nearest"])
    key = next(folder.id for folder in Store(out).cells if folder.record["fold"] == 0)
    pack = ferbench.pack([key], out=out, file=tmp_path / "fold.tar.gz")
    whole = Tampered(pack.file, tampered.path)
    whole.change(f"cells/{key}/cell.json", lambda value: value.update(folds=1))
    tampered.files = whole.files
    refused("it names 1 as the number of folds, its protocol has 3")


def test_a_place_of_a_plugin_is_never_taken_from_a_pack(
    tampered: Tampered, cell: str, installed: Installed, tmp_path: Path
) -> None:
    evil = tmp_path / "evil.py"
    evil.write_text("raise SystemExit('run')")
    tampered.change(f"{cell}/cell.json", lambda value: value.update(plugin_files=[str(evil)]))
    merge_packs([tampered.packed()], tmp_path / "home", installed)
    files = [name for folder in Store(tmp_path / "home").cells for name in folder.record["plugin_files"]]
    assert files and str(evil) not in files


@pytest.mark.parametrize("files", [3, {"metrics.json": "0" * 64}])
@pytest.mark.parametrize("state", ["done", "failed"])
def test_seals_are_never_taken_from_a_pack(
    tampered: Tampered, cell: str, installed: Installed, tmp_path: Path, state: str, files: object
) -> None:
    tampered.change(f"{cell}/status.json", lambda value: value.update(files=files, state=state))
    merge_packs([tampered.packed()], tmp_path / "home", installed)
    assert all(folder.damaged() == [] for folder in Store(tmp_path / "home").cells)


def scores(table: pa.Table, value: float) -> pa.Table:
    index = next(i for i, name in enumerate(table.column_names) if name.startswith("p_"))
    values = np.full(len(table), value, np.float32)
    return table.set_column(index, table.column_names[index], pa.array(values))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda table: scores(table, float("nan")), "not all of its scores and labels are finite"),
        (lambda table: table.append_column("code", [[b"x"] * len(table)]), "its columns are not split, id, label"),
        (lambda table: table.drop_columns("label"), "its columns are not split, id, label"),
        (lambda table: table.set_column(2, "label", [[9] * len(table)]), "labels are not all within 0 to 3"),
        (lambda table: table.set_column(0, "split", [["train"] * len(table)]), "none but those of val and test"),
        (lambda table: table.set_column(1, "id", [["a"] * len(table)]), "stand in it more than once"),
        (lambda table: table.set_column(1, "id", [["\x1b[2J"] * len(table)]), "id holds control characters"),
        (lambda table: table.set_column(1, "id", pa.array([None] * len(table), pa.string())), "have no id or no side"),
    ],
)
def test_predictions_have_their_form(
    tampered: Tampered, refused: Refused, cell: str, edit: Callable[[pa.Table], pa.Table], words: str
) -> None:
    tampered.retable(f"{cell}/predictions.parquet", edit)
    refused(words)


@pytest.mark.parametrize("name", ["predictions.parquet", "best.safetensors", "history.csv"])
def test_pickles_are_never_opened(tampered: Tampered, refused: Refused, cell: str, name: str) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return pytest.fail, ("a pickle was opened",)

    tampered.files[f"{cell}/{name}"] = pickle.dumps(Evil())
    refused("no Parquet file|is no safetensors file|is no table of numbers")


def test_tables_hold_text_and_numbers_alone(tampered: Tampered, refused: Refused, source: Source) -> None:
    fingerprint = source.cell("nearest").record["row"]["fingerprint"]
    name = f"datasets/{fingerprint}.parquet"
    whole = tampered.files[name]
    tampered.retable(name, lambda table: table.append_column("picture", [[b"PNG"] * len(table)]))
    refused("column 'picture' holds neither text nor numbers")
    tampered.files[name] = whole
    tampered.retable(name, lambda table: table.append_column("\x1b[2Jage", [[1.0] * len(table)]))
    refused("the names of its columns hold control characters")
    tampered.files[name] = whole
    tampered.retable(name, lambda table: table.append_column("votes", [[[1]] * len(table)]))
    refused("its votes are not one number for each of its classes")
    tampered.files[name] = whole
    tampered.retable(name, lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    refused("its ids are not there, or stand more than once")


def test_two_tables_of_one_data_set_are_refused_one_after_the_other_and_at_once(
    tampered: Tampered, source: Source, tmp_path: Path
) -> None:
    fingerprint = source.cell("tiny").record["row"]["fingerprint"]
    tampered.make_copies(fingerprint)
    other, stranger = tampered.packed(), discover()
    with pytest.raises(DataError, match=r"is refused: results\.tar\.gz/.* holds other samples"):
        merge_packs([source.pack, other], tmp_path / "home", stranger)
    assert not (tmp_path / "home").exists()
    merge_packs([source.pack], tmp_path / "home", stranger)
    with pytest.raises(DataError, match=r"is refused: .*home.* holds other samples"):
        merge_packs([other], tmp_path / "home", stranger)


def test_everything_that_is_wrong_is_said_at_once(tampered: Tampered, refused: Refused, source: Source) -> None:
    for model in ("tiny", "nearest"):
        tampered.change(f"cells/{source.cell(model).id}/status.json", lambda value: value.update(state="x"))
    refused(r"(?s)status\.json.*status\.json.*Nothing was merged\.$")


def test_a_pack_holds_what_the_list_of_names_allows(source: Source, tmp_path: Path) -> None:
    import re

    done = ferbench.pack(out=source.out, file=tmp_path / "all.tar.gz", failed=True, weights="best")
    with tarfile.open(done.file) as tar:
        names = [info.name for info in tar]
    unknown = [name for name in names if not any(re.fullmatch(known, name) for known in unpacking.KNOWN)]
    assert len(names) > 20 and unknown == []
    assert json.loads((source.cell("tiny").path / "cell.json").read_text())["plugin_files"], "the store keeps places"
    assert pq.read_metadata(source.cell("tiny").path / "predictions.parquet").num_rows == 80
