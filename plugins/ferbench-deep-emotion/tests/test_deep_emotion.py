"""Deep-Emotion: counts and shapes of the port, the transformer's beginning, and dropout at evaluation."""

from __future__ import annotations

import copy

import ferbench_deep_emotion
import pytest
import torch
from ferbench_deep_emotion.network import DeepEmotion, SpatialTransformer, drawn_from, sampled
from torch import nn
from torch.nn import functional

from ferbench import L2, Model, NetSpec, NormalInit, SettingsError
from ferbench.training.initialise import initialise

MODELS = {model.full_name: model for model in ferbench_deep_emotion.ferbench_models()}
SPEC = NetSpec(classes=7, channels=1, size=48)


def _built(model: Model, spec: NetSpec = SPEC) -> DeepEmotion:
    torch.manual_seed(0)
    return DeepEmotion(spec, **model.options.model_dump())


def test_the_parameters_are_those_of_the_port() -> None:
    with torch.device("meta"):
        for model in MODELS.values():
            assert sum(parameter.numel() for parameter in _built(model).parameters()) == 66_877


def test_every_part_leaves_what_the_port_counts_on() -> None:
    net, x = _built(MODELS["deep-emotion"]), torch.zeros(2, 1, 48, 48)
    assert net.transformer.localisation(x).shape == (2, 640)
    assert net.transformer(x).shape == x.shape
    assert net.features(x).shape == (2, 810)
    assert DeepEmotion(NetSpec(6, 3, 18))(torch.zeros(2, 3, 18, 18)).shape == (2, 6)


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: deep-emotion needs pictures of 18 pixels or more"):
        DeepEmotion(NetSpec(7, 1, 17))


def test_the_sampler_gives_what_grid_sample_gives_with_its_gradients() -> None:
    torch.manual_seed(1)
    x = torch.rand(3, 2, 9, 11)
    maps = torch.tensor([1.0, 0, 0, 0, 1, 0]).reshape(1, 2, 3) + 0.4 * torch.randn(3, 2, 3)
    ours, theirs = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    grid = functional.affine_grid(theirs, [3, 2, 9, 11], align_corners=False)
    expected = functional.grid_sample(x, grid, align_corners=False)
    got = sampled(x, ours)
    assert torch.allclose(got, expected, atol=1e-5)
    (got**2).sum().backward()
    (expected**2).sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-3, atol=1e-3)


class Stock(nn.Module):
    """What the port describes, of PyTorch's own parts: the same numbers in the same order, and ``grid_sample``."""

    def __init__(self, net: DeepEmotion) -> None:
        super().__init__()
        self.net = copy.deepcopy(net)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        part, look = self.net.features, self.net.transformer
        place = functional.relu(functional.max_pool2d(look.localisation[0](x), 2))
        place = functional.relu(functional.max_pool2d(look.localisation[3](place), 2))
        change = look.regressor[2](functional.relu(look.regressor[0](place.flatten(1))))
        theta = (change + torch.tensor([1.0, 0, 0, 0, 1, 0])).reshape(-1, 2, 3)
        seen = functional.grid_sample(
            x, functional.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False
        )
        seen = functional.relu(part[0](seen))
        seen = functional.relu(functional.max_pool2d(part[2](seen), 2))
        seen = functional.relu(part[5](seen))
        seen = functional.relu(functional.max_pool2d(part[8](part[7](seen)), 2))
        logits: torch.Tensor = self.net.output(functional.relu(self.net.hidden(seen.flatten(1))))
        return logits


def test_a_step_of_training_is_that_of_the_port_s_network() -> None:
    """In double precision: in single precision a place beside a whole pixel may fall to either side of it."""
    torch.manual_seed(3)
    net = DeepEmotion(SPEC, dropout=0.0)
    for parameter in net.transformer.regressor[2].parameters():
        nn.init.normal_(parameter, std=0.02)  # off the identity, where all its gradients count
    ours, theirs = net.double().train(), Stock(net).double().train()
    x, y = torch.rand(16, 1, 48, 48, dtype=torch.double) * 2 - 1, torch.arange(16) % 7
    for each in (ours, theirs):
        functional.cross_entropy(each(x), y).backward()
    for (name, own), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert own.grad is not None and other.grad is not None
        far = float((own.grad - other.grad).norm() / (other.grad.norm() + 1e-6))
        assert far < 1e-5, f"{name}: the maps are made in single precision, which leaves no more"


@pytest.mark.parametrize("name", list(MODELS))
def test_the_transformer_begins_with_about_the_whole_picture_however_it_is_initialised(name: str) -> None:
    transformer = _built(MODELS[name]).transformer
    initialise(transformer, MODELS[name].recipe.init)
    x = torch.rand(8, 1, 48, 48) * 2 - 1
    with torch.no_grad():
        seen = transformer(x)
        change = transformer.regressor(transformer.localisation(x))
    assert float(change.abs().max()) < 0.2
    assert float(seen.std()) > 0.3  # a map to the middle pixel would leave pictures of one grey
    if "port" in name:
        assert torch.allclose(seen, x, atol=1e-5)


def test_everything_learns_the_transformer_included() -> None:
    net = _built(MODELS["deep-emotion"])
    initialise(net, MODELS["deep-emotion"].recipe.init)
    loss = functional.cross_entropy(net(torch.rand(16, 1, 48, 48)), torch.arange(16) % 7)
    loss.backward()
    still = [key for key, p in net.named_parameters() if p.grad is None or not p.grad.abs().any()]
    assert [key for key in still if key != "features.7.bias"] == []  # batch normalisation cancels this one


def test_dropout_is_off_at_evaluation_but_for_the_port_as_it_is() -> None:
    x = torch.rand(4, 1, 48, 48)
    right, wrong = _built(MODELS["deep-emotion@port"]).eval(), _built(MODELS["deep-emotion@port-dropout"]).eval()
    with torch.no_grad():
        assert right.load_state_dict(wrong.state_dict()).missing_keys == []
        assert not torch.allclose(right(x), wrong(x), atol=1e-3)
        wrong.dropout.p = 0.0
        assert torch.allclose(right(x), wrong(x), atol=1e-6)


def test_what_the_port_drops_at_evaluation_is_half_and_differs_by_picture() -> None:
    torch.manual_seed(2)
    draws = drawn_from(torch.rand(200, 1, 48, 48), 810)
    kept = (draws >= 0.5).float()
    assert 0.49 < float(kept.mean()) < 0.51
    assert float(kept.mean(0).min()) > 0.3  # no unit is always dropped
    assert float(kept.mean(0).max()) < 0.7
    assert float(kept.mean(1).min()) > 0.4
    correlation = torch.corrcoef(kept[:50])
    assert float((correlation - torch.eye(50)).abs().max()) < 0.2
    assert bool(((draws >= 0) & (draws < 1)).all())


def test_the_mistake_gives_a_picture_the_same_score_in_any_company() -> None:
    net, x = _built(MODELS["deep-emotion@port-dropout"]).eval(), torch.rand(5, 1, 48, 48)
    with torch.no_grad():
        alone = torch.cat([net(x[index : index + 1]) for index in range(5)])
        assert torch.allclose(net(x), alone, atol=1e-5)
        assert torch.allclose(net(x.flip(0)).flip(0), alone, atol=1e-5)


def test_the_second_part_of_the_loss_is_squared_in_the_paper_and_plain_in_the_thesis() -> None:
    for name, squared in (("deep-emotion", True), ("deep-emotion@norm", False)):
        recipe = MODELS[name].recipe
        (term,) = recipe.terms
        assert isinstance(term, L2)
        assert term.squared is squared
        layers = dict(_built(MODELS[name]).named_modules())
        assert [type(layers[pattern.removesuffix(".weight")]) for pattern in term.patterns] == [nn.Linear, nn.Linear]
        assert recipe.init == NormalInit(sd=0.05)
        assert (recipe.epochs, recipe.optimizer.lr) == (500, 0.005)
    assert MODELS["deep-emotion@port"].recipe.terms == ()


def test_the_identity_is_no_part_of_the_weights() -> None:
    assert "identity" not in SpatialTransformer(1, 48).state_dict()


def test_every_number_of_the_paper_stands_under_a_protocol_that_its_data_set_has() -> None:
    from ferbench.plugins import discover

    installed = discover()
    claims = {item.dataset: item for item in MODELS["deep-emotion"].reported}
    assert {name: item.value for name, item in claims.items()} == {
        "fer2013": 0.7002,
        "ck-plus": 0.98,
        "jaffe": 0.928,
        "ferg": 0.993,
    }
    for name, item in claims.items():
        assert item.protocol in {rule.name for rule in installed.dataset(name).protocols}
        assert item.caveat
