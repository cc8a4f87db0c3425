"""Files of weights that others wrote: what is read of them, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ferbench import DataError
from ferbench.data import checkpoints
from ferbench.data.checkpoints import looks_like_weights, read_checkpoint

STATE = OrderedDict({"conv.weight": torch.arange(8.0).view(2, 1, 2, 2), "head.bias": torch.tensor([1.0, 2.0])})


def names_and_values(path: Path) -> dict[str, list[float]]:
    return {name: value.flatten().tolist() for name, value in read_checkpoint(path).tensors.items()}


EXPECTED = {"conv.weight": [0.0, 1, 2, 3, 4, 5, 6, 7], "head.bias": [1.0, 2.0]}


@pytest.mark.parametrize("ending", [".pt", ".pth", ".bin", ".ckpt", ".tar", ".anything"])
def test_what_torch_saves_is_read_whatever_its_name_ends_in(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"net{ending}"
    torch.save(STATE, path)
    assert names_and_values(path) == EXPECTED
    torch.save(STATE, path, _use_new_zipfile_serialization=False)
    assert names_and_values(path) == EXPECTED
    assert looks_like_weights(path)


def test_safetensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file(dict(STATE), path)
    assert names_and_values(path) == EXPECTED
    assert read_checkpoint(path).notes == ()


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        ({"state_dict": STATE, "epoch": 3}, ("read from its 'state_dict' part",)),
        ({"model": {"net": STATE}, "optimizer": {}}, ("read from its 'model → net' part",)),
        ({f"module.{name}": value for name, value in STATE.items()}, ("names without the leading 'module.'",)),
        (
            {"net": {f"_orig_mod.module.{name}": value for name, value in STATE.items()}},
            ("read from its 'net' part", "names without the leading '_orig_mod.module.'"),
        ),
        ({**STATE, "epoch": 7, "best": 0.7}, ("2 entries that are no tensors left out",)),
    ],
)
def test_wrappers_and_prefixes_of_trainers_are_taken_off(tmp_path: Path, content: Any, notes: tuple[str, ...]) -> None:
    torch.save(content, tmp_path / "net.pt")
    assert names_and_values(tmp_path / "net.pt") == EXPECTED
    assert read_checkpoint(tmp_path / "net.pt").notes == notes


def test_a_prefix_that_only_some_names_have_stays(tmp_path: Path) -> None:
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "net.pt")
    assert set(read_checkpoint(tmp_path / "net.pt").tensors) == {"module.a", "b"}


def test_tensors_that_share_memory_each_get_their_own(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    torch.save({"a": shared, "b": shared[:3], "c": shared.view(2, 3).t()}, tmp_path / "net.pt")
    found = read_checkpoint(tmp_path / "net.pt").tensors
    assert len({value.data_ptr() for value in found.values()}) == 3
    assert all(value.is_contiguous() for value in found.values())
    assert found["c"].tolist() == [[0, 3], [1, 4], [2, 5]]


class Hostile:
    """Makes a folder as soon as somebody unpickles it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def test_a_file_that_would_run_code_does_not_run_it(tmp_path: Path) -> None:
    trace, path = tmp_path / "it-ran", tmp_path / "net.pth"
    for zipped in (True, False):
        torch.save({"state_dict": STATE, "extra": Hostile(trace)}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(DataError, match=r"more than tensors and plain data \(posix.mkdir\).*safetensors"):
            read_checkpoint(path)
    path.write_bytes(pickle.dumps({"conv.weight": np.ones(3), "extra": Hostile(trace)}))
    with pytest.raises(DataError, match=r"is a pickle, which may run code.*safetensors"):
        read_checkpoint(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists(), "it would have run"


def test_a_whole_pickled_network_is_refused_with_the_mend(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "net.pt")
    with pytest.raises(DataError, match=r"torch.nn.modules.linear.Linear.*save_file\(net.state_dict\(\)"):
        read_checkpoint(tmp_path / "net.pt")


def header(path: Path, description: dict[str, Any], content: bytes = b"", length: int | None = None) -> None:
    text = json.dumps(description).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + content)


@pytest.mark.parametrize(
    "description",
    [
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 800]}},
        {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}},
        {"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]}},
    ],
)
def test_a_safetensors_header_that_lies_is_refused(tmp_path: Path, description: dict[str, Any]) -> None:
    header(tmp_path / "net.safetensors", description, b"\0" * 8)
    with pytest.raises(DataError, match="is damaged, or not what it claims to be"):
        read_checkpoint(tmp_path / "net.safetensors")


def test_a_tensor_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save({"a": torch.ones(1).expand(10**12)}, path)
    with pytest.raises(DataError, match=r"'a' of shape \(1000000000000,\) claims more than the file holds"):
        read_checkpoint(path)


def test_an_archive_that_unpacks_to_more_than_its_size_is_refused(tmp_path: Path) -> None:
    path, bomb = tmp_path / "net.pt", tmp_path / "bomb.pt"
    torch.save({"a": torch.zeros(100_000)}, path)
    with zipfile.ZipFile(path) as given, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as made:
        for item in given.infolist():
            made.writestr(item.filename, given.read(item))
    with pytest.raises(DataError, match=r"claims to hold .* more than its own size"):
        read_checkpoint(bomb)


def test_files_and_tensors_beyond_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.pt"
    torch.save({"a": torch.zeros(1000), "b": torch.zeros(1000)}, path)
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 5000)
    with pytest.raises(DataError, match="weights of more than 5,000 are not read"):
        read_checkpoint(path)
    shared = torch.zeros(1000)
    torch.save({"a": shared, "b": shared}, path)
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 7000)
    with pytest.raises(DataError, match=r"'b' of shape .* claims more"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>", "is no file of weights: .*web page"),
        (b"", "is no file of weights"),
        (b"PK\x03\x04 and then nothing", "is no file of weights"),
    ],
)
def test_what_is_no_file_of_weights_is_said_to_be_none(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    assert not looks_like_weights(path)
    with pytest.raises(DataError, match=words):
        read_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "net.pt"
    torch.save(STATE, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"no file of weights|cannot be read by torch"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.ones(1)], r"holds no tensors by name \(its keys: none\)"),
        ({"epoch": 3, "lr": 0.1}, r"holds no tensors by name \(its keys: epoch, lr\)"),
        ({"a": torch.eye(2).to_sparse()}, "'a' is no plain tensor"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "'a' is no plain tensor"),
    ],
)
def test_content_without_plain_tensors_by_name_is_refused(tmp_path: Path, content: Any, words: str) -> None:
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(DataError, match=words):
        read_checkpoint(tmp_path / "net.pt")
