"""ImageNet's weights of the trunk, read from a file as Keras writes it; the numbers in it are made up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ferbench_lhcnet
import h5py
import numpy as np
import pytest
import torch
from ferbench_lhcnet.keras_weights import read_trunk
from ferbench_lhcnet.network import build_trunk

from ferbench import DataError, NetSpec
from ferbench.data.adding_weights import add_weights
from ferbench.data.weights import load_weights
from ferbench.training.transfer import transfer

BLOCKS = ((64, 64, 3), (64, 128, 4), (128, 256, 6), (256, 512, 3))
"""Channels before and after each stage, and its blocks."""
NORMAL = ("gamma", "beta", "moving_mean", "moving_variance")


def layers() -> Iterator[tuple[str, dict[str, tuple[int, ...]]]]:
    """The layers of Keras's ResNet34 without its top, with the shapes of their arrays."""

    def normal(channels: int) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(NORMAL, (channels,))

    yield "bn_data", dict.fromkeys(NORMAL[1:], (3,))
    yield "conv0", {"kernel": (7, 7, 3, 64)}
    yield "bn0", normal(64)
    for stage, (before, after, count) in enumerate(BLOCKS, 1):
        for unit in range(1, count + 1):
            name, given = f"stage{stage}_unit{unit}_", before if unit == 1 else after
            yield f"{name}bn1", normal(given)
            if unit == 1:
                yield f"{name}sc", {"kernel": (1, 1, before, after)}
            yield f"{name}conv1", {"kernel": (3, 3, given, after)}
            yield f"{name}bn2", normal(after)
            yield f"{name}conv2", {"kernel": (3, 3, after, after)}
    yield "bn1", normal(512)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "no_top.h5"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for layer, arrays in layers():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{part}:0".encode() for part in arrays]
            for part, shape in arrays.items():
                values = rng.normal(0, 0.05, shape) if part == "kernel" else rng.uniform(0.5, 1.5, shape)
                far = {"moving_mean": 129.0, "moving_variance": 4000.0} if layer == "bn_data" else {}
                group.create_dataset(f"{layer}/{part}:0", data=(values * far.get(part, 1)).astype(np.float32))
    return path


def copied(published: Path, tmp_path: Path, change: Callable[[h5py.File], Any]) -> Path:
    path = tmp_path / "changed.h5"
    path.write_bytes(published.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def test_every_array_comes_to_its_place_and_none_is_left(published: Path) -> None:
    found = read_trunk(published)
    with torch.device("meta"):
        state = build_trunk(NetSpec(7, 3, 224)).state_dict()
    counted = {name for name in state if not name.startswith("head") and "num_batches" not in name}
    assert set(found) == counted
    assert {name: value.shape for name, value in found.items()} == {name: tuple(state[name].shape) for name in counted}
    arrays = [(layer, part) for layer, parts in layers() for part in parts]
    assert len(found) == len(arrays) + 1  # the scale of the first normalisation, which is one
    with h5py.File(published) as file:
        kernel = file["stage3_unit2_conv1/stage3_unit2_conv1/kernel:0"][()]
        mean = file["stage2_unit1_bn2/stage2_unit1_bn2/moving_mean:0"][()]
        short = file["stage4_unit1_sc/stage4_unit1_sc/kernel:0"][()]
    assert found["stages.2.1.conv1.weight"][5, 7, 0, 2] == kernel[0, 2, 7, 5]
    assert np.array_equal(found["stages.1.0.bn2.running_mean"], mean)
    assert np.array_equal(found["stages.3.0.shortcut.weight"][:, :, 0, 0], short[0, 0].T)


def test_pixels_from_0_to_1_are_normalised_as_keras_does_those_from_0_to_255(published: Path) -> None:
    found = read_trunk(published)
    with h5py.File(published) as file:
        beta, mean, variance = (file[f"bn_data/bn_data/{part}:0"][()].astype(np.float64) for part in NORMAL[1:])
    pixels = np.arange(0, 256, 15.0)[:, None]
    expected = (pixels - mean) / np.sqrt(variance + 2e-5) + beta
    network = build_trunk(NetSpec(7, 3, 32)).eval()
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in found.items()}, strict=False)
    with torch.no_grad():
        given = network.bn_data(torch.from_numpy(pixels / 255).float().expand(-1, 3)[:, :, None, None])
    np.testing.assert_allclose(given[:, :, 0, 0].numpy(), expected, atol=2e-5)


def test_a_file_within_a_saved_model_is_read_as_well(published: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file, h5py.File(published) as source:
        inner = file.create_group("model_weights")
        for layer in source:
            source.copy(layer, inner)
    assert np.array_equal(read_trunk(path)["conv0.weight"], read_trunk(published)["conv0.weight"])


def test_registered_they_fill_the_trunk_and_leave_the_head(published: Path) -> None:
    md5 = hashlib.md5(published.read_bytes()).hexdigest()
    meta, _ = add_weights(replace(ferbench_lhcnet.IMAGENET, md5=md5), published)
    assert meta.trained_on == "ImageNet-1k" and meta.tensors == 177
    _, tensors = load_weights(meta.name, meta.sha256)
    network = build_trunk(NetSpec(7, 3, 64), hidden=8)
    fates = transfer(network, tensors, 7, {"image": torch.zeros(1, 3, 64, 64)}, "the trunk")
    assert fates.unused == () and fates.mismatched == {}
    assert {name.split(".")[0] for name in fates.missing if "num_batches" not in name} == {"head"}
    assert torch.equal(network.state_dict()["bn1.bias"], tensors["bn1.bias"])


def test_another_file_than_the_published_one_is_refused(published: Path) -> None:
    with pytest.raises(DataError, match=r"its MD5 is .*, and 8caaa0ad.* is wanted. Get it again: download https"):
        add_weights(ferbench_lhcnet.IMAGENET, published)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.pop("bn1"), "'bn1' is missing or a link"),
        (lambda file: file["bn1"].attrs.create("weight_names", [b"bn1/beta:0"]), "the layer bn1 has no gamma"),
        (lambda file: file["bn1/bn1/beta:0"].write_direct(np.full(512, np.nan, np.float32)), "numbers that are none"),
        (
            lambda file: (file["bn1/bn1"].pop("beta:0"), file["bn1/bn1"].create_dataset("beta:0", data=np.zeros(9))),
            r"bn1/beta is float64 \[9\], and float32 \[512\] is wanted",
        ),
        (
            lambda file: (
                file["bn1/bn1"].pop("beta:0"),
                file["bn1/bn1"].__setitem__("beta:0", h5py.ExternalLink("other.h5", "secret")),
            ),
            "'beta:0' is missing or a link",
        ),
        (
            lambda file: (file.pop("conv0"), file.__setitem__("conv0", h5py.SoftLink("/bn0"))),
            "'conv0' is missing or a link",
        ),
        (lambda file: (file.pop("conv0"), file.create_dataset("conv0", data=np.zeros(3))), "'conv0' is no group"),
        (
            lambda file: (file["bn1/bn1"].pop("beta:0"), file["bn1/bn1"].create_group("beta:0")),
            "bn1/beta is no array",
        ),
        (
            lambda file: (
                file["bn1/bn1"].pop("beta:0"),
                file["bn1/bn1"].create_dataset("beta:0", (512,), np.float32, external=[("/dev/zero", 0, 2048)]),
            ),
            "float32 .* is wanted",
        ),
    ],
    ids=["missing", "lacking", "nan", "shape", "external-link", "soft-link", "array", "group", "external-data"],
)
def test_other_files_and_hostile_ones_are_refused(
    published: Path, tmp_path: Path, change: Callable[[h5py.File], Any], words: str
) -> None:
    path = copied(published, tmp_path, change)
    with pytest.raises(DataError, match=rf"changed.h5 is not the trunk's weights as Keras writes them: .*{words}"):
        read_trunk(path)


def test_what_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.h5"
    path.write_text("<html>", encoding="utf-8")
    with pytest.raises(DataError, match="not the trunk's weights as Keras writes them"):
        read_trunk(path)
