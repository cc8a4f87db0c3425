"""The Kirsch edge network: its masks, shapes, sizes and what it claims."""

from __future__ import annotations

import ferbench_kirsch
import pytest
import torch
from ferbench_kirsch.network import KirschCNN, KirschEdges, kirsch_masks
from torch import nn

from ferbench import NetSpec, SettingsError

MODELS = {model.full_name: model for model in ferbench_kirsch.ferbench_models()}


def test_the_masks_are_kirschs_eight_compass_directions() -> None:
    masks = kirsch_masks()[:, 0] * 15
    assert torch.equal(masks[0], torch.tensor([[5.0, 5.0, 5.0], [-3.0, 0.0, -3.0], [-3.0, -3.0, -3.0]]))
    assert torch.equal(masks[2], torch.tensor([[-3.0, -3.0, 5.0], [-3.0, 0.0, 5.0], [-3.0, -3.0, 5.0]]))
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == 8
    assert torch.equal(masks.sum(dim=(1, 2)), torch.zeros(8))


def test_a_step_gives_an_edge_of_one_and_flat_ground_and_the_border_give_none() -> None:
    picture = torch.zeros(1, 1, 12, 12)
    picture[..., 6:] = 1
    edges = KirschEdges()(picture)[0, 0]
    assert torch.allclose(edges[:, 5], torch.ones(12), atol=1e-6)
    assert edges[:, :5].abs().max() < 1e-6 and edges[:, 8:].abs().max() < 1e-6
    assert torch.allclose(KirschEdges()(torch.full((1, 1, 12, 12), 0.7)), torch.zeros(1, 1, 12, 12), atol=1e-6)


def test_edges_of_several_maps_are_those_of_each() -> None:
    maps = torch.rand(2, 3, 9, 9)
    alone = torch.stack([KirschEdges()(maps[:, [i]])[:, 0] for i in range(3)], dim=1)
    assert torch.allclose(KirschEdges()(maps), alone)
    assert (alone >= 0).all()


@pytest.mark.parametrize("edges", ["picture", "features", "none"])
def test_edges_add_no_parameters(edges: str) -> None:
    with torch.device("meta"):
        network = KirschCNN(NetSpec(7, 1, 48), edges=edges)  # type: ignore[arg-type]
    convolutions = 32 * (25 + 2) + 64 * (32 * 25 + 2) + 128 * (64 * 25 + 2)
    assert sum(p.numel() for p in network.parameters()) == convolutions + 512 * (128 * 36 + 1) + 7 * 513 == 2_620_647


@pytest.mark.parametrize(("channels", "size", "classes"), [(1, 48, 7), (3, 20, 8), (1, 8, 2)])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_input_gives_logits_and_every_parameter_learns(name: str, channels: int, size: int, classes: int) -> None:
    torch.manual_seed(0)
    network = KirschCNN(NetSpec(classes, channels, size), **MODELS[name].options.model_dump())
    logits = network(torch.rand(4, channels, size, size))
    assert logits.shape == (4, classes)
    nn.functional.cross_entropy(logits, torch.zeros(4, dtype=torch.int64)).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().any()] == []


def test_the_edges_of_the_picture_reach_every_stage() -> None:
    torch.manual_seed(0)
    network = KirschCNN(NetSpec(7, 1, 16)).eval()
    with torch.no_grad():
        for parameter in network.convolutions.parameters():
            parameter.zero_()
        seen: list[torch.Tensor] = []
        network.head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        picture = torch.rand(1, 1, 16, 16)
        network(picture)
    expected = nn.functional.max_pool2d(KirschEdges()(picture), 8)
    assert torch.allclose(seen[0], expected.expand(-1, 128, -1, -1))


def test_pictures_that_are_too_small_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: kirsch-cnn needs pictures of 8 pixels or more"):
        KirschCNN(NetSpec(7, 1, 7))


def test_the_claim_is_of_no_protocol_of_fer2013() -> None:
    (claim,) = (row for model in MODELS.values() for row in model.reported)
    assert (claim.value, claim.protocol, claim.extra_data) == (0.8856, "with-lfw", "LFW")
    assert "not comparable" in claim.caveat
