"""The two sequence networks: sizes, Keras's attention, row order, what is claimed."""

from __future__ import annotations

import subprocess
import sys

import ferbench_cnn_attention
import pytest
import torch
from ferbench_cnn_attention.network import SelfAttention, as_sequence
from torch import nn

from ferbench import Model, NetSpec, SettingsError
from ferbench.nouns.reference import resolve

MODELS = {model.full_name: model for model in ferbench_cnn_attention.ferbench_models()}


def _built(model: Model, size: int = 48, channels: int = 1, **options: object) -> nn.Module:
    torch.manual_seed(0)
    spec = NetSpec(classes=7, channels=channels, size=size)
    network: nn.Module = resolve(model.build)(spec, **(model.options.model_dump() | options))
    return network


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _in_stages(*widths: int) -> int:
    """Parameters of the convolution stages, layer by layer: kernels, and two numbers a channel for normalisation."""
    pairs = zip((1, *widths), widths, strict=False)
    return sum(9 * before * after + 9 * after * after + 4 * after for before, after in pairs)


def _in_attention(width: int, heads: int = 8, key_dim: int = 8) -> int:
    """What Keras counts for its layer: three projections to the heads and one back, with biases."""
    inner = heads * key_dim
    return 3 * (width * inner + inner) + inner * width + width


@pytest.mark.parametrize(("variant", "widths"), list(ferbench_cnn_attention.SIZES.items()))
def test_parameters_are_those_of_the_readmes_layers(variant: str, widths: tuple[int, ...]) -> None:
    suffix, width = f"@{variant}" if variant else "", widths[-1]
    with torch.device("meta"):
        attention = _parameters(_built(MODELS[f"cnn-attention{suffix}"]))
        lstm = _parameters(_built(MODELS[f"cnn-lstm{suffix}"]))
    feed_forward = width * 2 * width + 2 * width + 2 * width * width + width
    encoder = _in_attention(width) + 2 * 2 * width + feed_forward
    assert attention == _in_stages(*widths) + 36 * width + encoder + width * 7 + 7
    assert lstm == _in_stages(*widths) + 4 * 128 * (width + 128 + 2) + 128 * 7 + 7


def test_attention_is_scaled_by_the_key_dimension_and_mixes_all_places_in_each_head() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention(12, heads=3, key_dim=5), torch.randn(2, 4, 12)
    parts = []
    for head in range(3):
        own = slice(5 * head, 5 * head + 5)
        query, key, value = (part(x)[..., own] for part in (layer.query, layer.key, layer.value))
        shares = torch.stack([torch.softmax(query[i] @ key[i].T / 5**0.5, dim=1) for i in range(2)])
        parts.append(torch.bmm(shares, value))
    torch.testing.assert_close(layer(x), layer.out(torch.cat(parts, dim=2)))


@pytest.mark.parametrize(("heads", "key_dim"), [(8, 8), (3, 20), (1, 64)])
def test_heads_and_key_dimension_need_not_divide_the_width(heads: int, key_dim: int) -> None:
    network = _built(MODELS["cnn-attention@small"], heads=heads, key_dim=key_dim)
    layer = network.get_submodule("encoder.0.attention")
    assert _parameters(layer) == _in_attention(128, heads, key_dim)
    assert network(torch.randn(2, 1, 48, 48)).shape == (2, 7)


def test_places_are_read_in_row_order_whatever_the_memory_layout() -> None:
    maps = torch.arange(12).view(1, 2, 2, 3).float()
    for given in (maps, maps.contiguous(memory_format=torch.channels_last)):
        assert as_sequence(given)[0].tolist() == [[0, 6], [1, 7], [2, 8], [3, 9], [4, 10], [5, 11]]


@pytest.mark.parametrize("name", ["cnn-attention@small", "cnn-lstm@small"])
def test_the_arrangement_of_the_places_counts(name: str) -> None:
    network = _built(MODELS[name]).eval()
    network.get_submodule("stages").forward = lambda x: x
    maps = torch.randn(1, 128, 6, 6)
    assert not torch.allclose(network(maps), network(maps.flip(2, 3)), atol=1e-5)


@pytest.mark.parametrize("name", ["cnn-attention", "cnn-lstm"])
def test_pictures_that_leave_one_place_are_refused(name: str) -> None:
    assert _built(MODELS[f"{name}@small"], size=16)(torch.randn(2, 1, 16, 16)).shape == (2, 7)
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: 3 stages need pictures of 16 pixels or more"):
        _built(MODELS[name], size=15)


@pytest.mark.parametrize("name", MODELS)
def test_small_settings_fit_the_model(name: str) -> None:
    from ferbench.nouns.settings import revised

    model = MODELS[name]
    widths = {"widths": model.small["model.options.widths"]}
    assert revised(model.recipe, {"input.size": model.small["recipe.input.size"]}).input.size == 32
    assert _parameters(_built(model, size=32, **widths)) < 200_000


def test_the_claim_is_disputed_and_of_no_protocol_that_fer2013_ranks() -> None:
    claims = [(model.full_name, number) for model in MODELS.values() for number in model.reported]
    assert [name for name, _ in claims] == ["cnn-attention"]
    number = claims[0][1]
    assert (number.value, number.protocol) == (0.827, "not-stated")
    assert number.caveat.startswith("disputed")


def test_the_plugin_module_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, ferbench_cnn_attention as p; list(p.ferbench_models())"
    code += "; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
