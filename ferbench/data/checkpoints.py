"""Files of weights that others wrote: read as tensors and plain data, never as code.

A file is taken for what its content says, whatever its name ends in: safetensors, or what ``torch.save`` writes.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferbench.data.finished import finished_format
from ferbench.errors import DataError

if TYPE_CHECKING:
    import torch

MAX_BYTES = 16 * 2**30
"""The largest file that is read, and the most that its tensors may hold together."""

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network")
"""Keys under which trainers keep a network's state beside the optimizer's; the first that is there counts."""

PREFIXES = ("module.", "_orig_mod.")
"""What ``DataParallel`` and ``torch.compile`` put before every name."""

SAFETENSORS_HEADER = 100 * 2**20
TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of ``torch.save`` begin that were written before torch 1.6: a pickled number."""

CONVERT = (
    "Load it where you trust it, and write its tensors as safetensors: "
    "safetensors.torch.save_file(net.state_dict(), 'weights.safetensors'); then add that file."
)


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a file by name, and what was done to get at them."""

    tensors: Mapping[str, torch.Tensor]
    notes: tuple[str, ...] = ()


def looks_like_weights(path: Path) -> bool:
    """Whether a file holds safetensors, what ``torch.save`` writes or a finished model; its first bytes tell."""
    return path.is_file() and (_kind(path) != "" or finished_format(path) is not None)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file of weights; tensors lie on the CPU, each with memory of its own.

    Raises DataError for one that is too large, damaged, hostile, or holds anything but tensors and plain data.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{path} has {size:,} bytes; weights of more than {MAX_BYTES:,} are not read.")
    kind = _kind(path)
    if not kind:
        raise DataError(
            f"{path} is no file of weights: neither safetensors nor what torch.save writes, nor a finished model "
            "(.onnx or .skops); perhaps a web page that was saved instead of the download."
        )
    content, path_within = _unwrapped(_safetensors(path) if kind == "safetensors" else _torch(path, kind))
    found = _tensors(path, content)
    names, prefix = _without_prefix(list(found))
    notes = [f"read from its {' → '.join(path_within)!r} part"] if path_within else []
    notes += [f"names without the leading {prefix!r}"] if prefix else []
    others = len(content) - len(found)
    notes += [f"{others} entries that are no tensors left out"] if others else []
    import torch

    layout = torch.contiguous_format
    owned = {name: x.detach().clone(memory_format=layout) for name, x in zip(names, found.values(), strict=True)}
    return Checkpoint(owned, tuple(notes))


def _kind(path: Path) -> str:
    """``safetensors``, ``zip`` (of torch.save), ``legacy`` (the same before torch 1.6), ``pickle``, or nothing."""
    with path.open("rb") as stream:
        head = stream.read(len(TORCH_LEGACY))
    if int.from_bytes(head[:8], "little") <= SAFETENSORS_HEADER and head[8:9] == b"{":
        return "safetensors"
    if head.startswith(TORCH_LEGACY):
        return "legacy"
    if re.match(rb"\x80[\x02-\x05]", head):
        return "pickle"
    if head.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                return "zip" if any(name.endswith("/data.pkl") for name in archive.namelist()) else ""
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return ""
    return ""


def _safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(f"{path} is damaged, or not what it claims to be: {error}.") from None


def _torch(path: Path, kind: str) -> Any:
    if kind == "pickle":
        raise DataError(
            f"{path} is a pickle, which may run code when it is read, so it is not. {CONVERT} A scikit-learn pipeline "
            "(also of joblib) is written so: skops.io.dump(joblib.load('model.joblib'), 'model.skops')"
        )
    if kind == "zip":
        _check_archive(path)
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        what = re.search(r"GLOBAL (\S+)", str(error))
        named = f" ({what[1]})" if what else ""
        raise DataError(
            f"{path} holds more than tensors and plain data{named}. Reading that may run code, so it is not read. "
            f"{CONVERT}"
        ) from None
    except Exception as error:  # a damaged or hostile file makes torch raise nearly anything
        first = str(error).partition("\n")[0][:300]
        raise DataError(f"{path} cannot be read by torch ({type(error).__name__}: {first}). {CONVERT}") from None


def _check_archive(path: Path) -> None:
    """Refuse an archive that holds more than its own size: torch.save never compresses."""
    with zipfile.ZipFile(path) as archive:
        claimed = sum(item.file_size for item in archive.infolist())
    if claimed > path.stat().st_size:
        raise DataError(f"{path} claims to hold {claimed:,} bytes, more than its own size; torch.save writes no such.")


def _unwrapped(content: Any) -> tuple[Mapping[Any, Any], list[str]]:
    """Go down to the mapping of names to tensors; return it and the keys on the way."""
    way: list[str] = []
    while isinstance(content, Mapping) and len(way) < 4:
        inner = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = content[inner]
        way.append(inner)
    return (content if isinstance(content, Mapping) else {}), way


def _tensors(path: Path, content: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    import torch

    found = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not found:
        keys = ", ".join(map(str, list(content)[:8])) or "none"
        raise DataError(
            f"{path} holds no tensors by name (its keys: {keys}). A network's state_dict is wanted, at the top or "
            f"under one of {', '.join(WRAPPERS)}."
        )
    total = 0
    for name, value in found.items():
        if value.layout != torch.strided or value.is_quantized or value.is_complex() or value.device.type != "cpu":
            raise DataError(f"{path}: {name!r} is no plain tensor. {CONVERT}")
        claimed = value.numel() * value.element_size()
        total += claimed
        if claimed > value.untyped_storage().nbytes() or total > MAX_BYTES:
            raise DataError(f"{path}: {name!r} of shape {tuple(value.shape)} claims more than the file holds.")
    return found


def _without_prefix(names: list[str]) -> tuple[list[str], str]:
    gone = ""
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) and name != p for name in names)), ""):
        names = [name.removeprefix(prefix) for name in names]
        gone += prefix
    return names, gone
