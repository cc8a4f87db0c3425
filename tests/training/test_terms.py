"""Terms beside the loss: the centre loss with its centres, the island loss, norms of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ferbench import SAM, SGD, Batch, CrossEntropy, Recipe, SettingsError, Stage, StepContext, StepResult
from ferbench.errors import TrainingError
from ferbench.nouns.losses import L2, Centre
from ferbench.nouns.losses import Term as TermSettings
from ferbench.training.losses import Supervised, make_loss
from ferbench.training.precision import Numerics
from ferbench.training.step import Stepper, training_step
from ferbench.training.terms import CentreTerm, WithTerms, islands, make_terms, with_terms
from tests.training.tiny import CLASSES, CPU, NUMERICS, SIGNED, Memory, TinyNet, loaded, trained

RECIPE = Recipe(epochs=4, batch_size=12, optimizer=SGD(lr=0.05), input=SIGNED)
CONTEXT = StepContext(0, 0, 0, CLASSES, CPU, np.random.default_rng(0))
LABELS = torch.tensor([0, 1, 1, 0, 0])


class Head(nn.Module):
    """A network that is given its features."""

    def __init__(self, features: int = 4, classes: int = 3) -> None:
        super().__init__()
        self.body = nn.Linear(features, features, bias=False)
        self.head = nn.Linear(features, classes)
        nn.init.eye_(self.body.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        logits: torch.Tensor = self.head(self.body(x))
        return logits


def plain() -> Supervised:
    return Supervised(make_loss(CrossEntropy(), np.zeros(1, np.int64), 3, CPU))


def features(n: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


def with_term(settings: TermSettings, net: nn.Module) -> WithTerms:
    made = with_terms(plain(), make_terms([settings], net, 3, CPU))
    assert isinstance(made, WithTerms)
    return made


def centres_of(objective: WithTerms) -> torch.Tensor:
    term = objective.terms[0]
    assert isinstance(term, CentreTerm)
    return term.centres


def moved(centres: torch.Tensor, x: torch.Tensor, labels: torch.Tensor, alpha: float, island: float) -> torch.Tensor:
    """Centres after one step, class by class: Wen et al.'s update and Cai et al.'s."""
    result = centres.clone()
    for j in range(len(centres)):
        own = x[labels == j]
        shift = (centres[j] - own).sum(0) / (1 + len(own))
        for k in range(len(centres)):
            a, b = centres[j], centres[k]
            if k != j and a.norm() > 0 and b.norm() > 0:
                pull = b / (a.norm() * b.norm()) - (a @ b) / (a.norm() ** 3 * b.norm()) * a
                shift = shift + island / (len(centres) - 1) * pull
        result[j] = centres[j] - alpha * shift
    return result


@pytest.mark.parametrize("island", [0.0, 10.0])
def test_the_centre_loss_and_its_centres_are_those_of_the_papers(island: float) -> None:
    net = Head()
    objective = with_term(Centre(weight=0.1, alpha=0.5, island=island), net)
    expected = torch.zeros(3, 4)
    for step in range(4):
        x = features(seed=step)
        result = objective(net, Batch({"x": x}, LABELS), CONTEXT)
        centre = sum(float((row - expected[label]).square().sum()) for row, label in zip(x, LABELS, strict=True)) / 10
        pairs = sum(
            float(torch.cosine_similarity(expected[j], expected[k], dim=0)) + 1
            for j in (0, 1)
            for k in (0, 1)
            if j != k and step
        )
        loss = float(plain()(net, Batch({"x": x}, LABELS), CONTEXT).loss.detach())
        assert float(result.loss.detach()) == pytest.approx(loss + 0.1 * (centre + island * pairs), rel=1e-5)
        assert float(result.logs["centre"]) == pytest.approx(centre, rel=1e-5)
        assert float(result.logs.get("island", 0)) == pytest.approx(pairs if island else 0, abs=1e-5)
        expected = moved(expected, x, LABELS, 0.5, island)
        torch.testing.assert_close(centres_of(objective), expected)
    assert not expected[2].any(), "a class that never came keeps its centre"


def test_the_gradient_of_the_island_loss_is_that_of_autograd() -> None:
    centres = features(3).requires_grad_()
    value, gradient = islands(centres)
    (expected,) = torch.autograd.grad(value, centres)
    torch.testing.assert_close(2 * gradient.detach(), expected)


def test_features_are_drawn_to_centres_that_have_no_gradient() -> None:
    net = Head()
    objective = with_term(Centre(weight=1.0), net)
    objective(net, Batch({"x": features()}, LABELS), CONTEXT)
    before = centres_of(objective)
    x = features(seed=1).requires_grad_()
    result = objective(net, Batch({"x": x}, LABELS), CONTEXT)
    (found,) = torch.autograd.grad(result.loss - plain()(net, Batch({"x": x}, LABELS), CONTEXT).loss, x)
    torch.testing.assert_close(found, (x.detach() - before[LABELS]) / 5)
    assert not centres_of(objective).requires_grad


def test_weights_of_samples_weigh_their_distance_and_their_pull() -> None:
    net, weight = Head(), torch.tensor([0.0, 1, 2, 0, 1])
    weighted, doubled = (with_term(Centre(), net) for _ in range(2))
    x = features()
    found = weighted(net, Batch({"x": x}, LABELS, None, weight), CONTEXT)
    rows = torch.tensor([1, 2, 2, 4])
    same = doubled(net, Batch({"x": x[rows]}, LABELS[rows]), CONTEXT)
    torch.testing.assert_close(found.logs["centre"] * 5, same.logs["centre"] * 4)
    torch.testing.assert_close(centres_of(weighted), centres_of(doubled))


def test_a_soft_label_counts_as_its_most_probable_class() -> None:
    net, soft = Head(), torch.tensor([[0.6, 0.4, 0], [0.1, 0.9, 0], [0, 0.5, 0.5], [1, 0, 0], [0.4, 0.3, 0.3]])
    hard_term, soft_term = (with_term(Centre(), net) for _ in range(2))
    hard_term(net, Batch({"x": features()}, LABELS), CONTEXT)
    soft_term(net, Batch({"x": features()}, soft), CONTEXT)
    torch.testing.assert_close(centres_of(soft_term), centres_of(hard_term))


def test_terms_are_computed_in_float32_under_bf16() -> None:
    net = Head()
    objective = with_term(Centre(island=1.0), net)
    numerics = Numerics(CPU, "bf16")
    for step in range(2):
        with numerics.autocast():
            result = objective(net, Batch({"x": features(seed=step)}, LABELS), CONTEXT)
    assert result.loss.dtype == centres_of(objective).dtype == torch.float32
    result.loss.backward()
    assert net.body.weight.grad is not None


NORMS: list[tuple[bool, Callable[[TinyNet], torch.Tensor]]] = [
    (True, lambda net: net.conv.weight.square().sum() + net.head.weight.square().sum()),
    (False, lambda net: torch.cat([net.conv.weight.flatten(), net.head.weight.flatten()]).norm()),
]


@pytest.mark.parametrize(("squared", "norm"), NORMS, ids=["squared", "root"])
@pytest.mark.parametrize("chunks", [1, 3])
def test_the_norm_of_parameters_is_added_once_a_step(
    squared: bool, norm: Callable[[TinyNet], torch.Tensor], chunks: int
) -> None:
    nets = [TinyNet(norm=False) for _ in range(2)]
    x = torch.rand(12, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    batch = Batch({"x": x}, torch.arange(12) % 3)
    settings = L2(patterns=("conv.*", "*.weight"), weight=0.3, squared=squared)
    still = torch.optim.SGD(nets[0].parameters(), lr=0.0)
    stepper = Stepper(nets[0], with_term(settings, nets[0]), still, NUMERICS, False, SGD())
    result, _ = training_step(stepper, batch, CONTEXT, chunks)
    expected = plain()(nets[1], batch, CONTEXT).loss + 0.3 * norm(nets[1])
    expected.backward()
    torch.testing.assert_close(result.loss, expected.detach())
    assert float(result.logs["l2"]) == pytest.approx(float(norm(nets[1]).detach()), rel=1e-5)
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-7)


def test_both_passes_of_sharpness_aware_minimisation_move_the_centres_once() -> None:
    centres = []
    for sam in (None, SAM(rho=0.1)):
        net = Head()
        objective = with_term(Centre(weight=0.1, alpha=0.5), net)
        still = torch.optim.SGD(net.parameters(), lr=0.0)
        stepper = Stepper(net, objective, still, NUMERICS, False, SGD(sam=sam))
        training_step(stepper, Batch({"x": features()}, LABELS), CONTEXT, 1)
        centres.append(objective.state_dict()["terms"][0]["centres"])
    assert centres[0].abs().sum() > 0
    torch.testing.assert_close(centres[1], centres[0], rtol=0, atol=0)


def test_the_root_of_a_norm_of_nothing_has_a_finite_gradient() -> None:
    net = Head()
    nn.init.zeros_(net.head.bias)
    result = with_term(L2(patterns=("head.bias",), squared=False), net)(net, Batch({"x": features()}, LABELS), CONTEXT)
    result.loss.backward()
    assert net.head.bias.grad is not None and torch.isfinite(net.head.bias.grad).all()


def test_a_pattern_that_matches_nothing_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(SettingsError, match=r"recipe.terms.1.patterns.*'heads.\*' matches no parameter.*head.weight"):
        make_terms([Centre(), L2(patterns=("conv.*", "heads.*"))], TinyNet(), 3, CPU)


def test_a_network_without_a_last_linear_layer_is_told_what_to_do() -> None:
    with pytest.raises(TrainingError, match=r"Conv2d has no torch\.nn\.Linear with 3 outputs\. Let it end with one"):
        make_terms([Centre()], nn.Conv2d(1, 3, 1), 3, CPU)


class Unused(Head):
    """Never calls its head."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return nn.functional.linear(x, self.head.weight)


class Tokens(Head):
    """Scores every token, then takes the mean."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        logits: torch.Tensor = self.head(x[:, None].expand(-1, 2, -1)).mean(1)
        return logits


@pytest.mark.parametrize(("kind", "message"), [(Unused, "never called its last"), (Tokens, r"given \[5, 2, 4\]")])
def test_features_that_are_not_one_row_a_sample_are_refused(kind: type[Head], message: str) -> None:
    net = kind()
    with pytest.raises(TrainingError, match=message):
        with_term(Centre(), net)(net, Batch({"x": features()}, LABELS), CONTEXT)


def test_no_hook_stays_on_the_network() -> None:
    net = Head()
    objective = with_term(Centre(), net)
    with pytest.raises(RuntimeError):
        objective(net, Batch({"x": torch.zeros(5, 9)}, LABELS), CONTEXT)
    objective(net, Batch({"x": features()}, LABELS), CONTEXT)
    assert not net.head._forward_pre_hooks


BOTH = RECIPE.model_copy(update={"terms": (Centre(island=1.0), L2(patterns=("conv.*",)), L2(patterns=("head.*",)))})


def test_terms_stand_in_the_history_and_change_the_training() -> None:
    result, bare = trained(BOTH), trained(RECIPE)
    first = result.history[0]
    assert {key for key in first if key.startswith("log_")} == {"log_centre", "log_island", "log_l2", "log_l2_2"}
    assert all(isinstance(first[key], float) for key in first if key.startswith("log_"))
    assert result.history[-1]["train_loss"] != bare.history[-1]["train_loss"]
    assert not torch.equal(result.last["conv.weight"], bare.last["conv.weight"])


def test_a_training_with_terms_that_goes_on_repeats_the_uninterrupted_one() -> None:
    whole = Memory()
    reference = trained(BOTH, whole)
    again = trained(BOTH, Memory(whole.kept[1]))
    assert [row["train_loss"] for row in again.history] == [row["train_loss"] for row in reference.history]
    assert [row["log_centre"] for row in again.history] == [row["log_centre"] for row in reference.history]
    assert all(torch.equal(value, again.last[key]) for key, value in reference.last.items())


def test_centres_outlive_a_stage() -> None:
    watch = Memory()
    still = SGD(lr=1e-12, momentum=0.0)
    stages = (Stage(epochs=2, optimizer=still), Stage(epochs=1, optimizer=still))
    trained(RECIPE.model_copy(update={"stages": stages, "terms": (Centre(),)}), watch, net=TinyNet(norm=False))
    kept = [loaded(state)["objective"]["terms"][0]["centres"] for state in watch.kept]
    assert all(centres.abs().sum() > 0 for centres in kept)
    apart = [float((a - kept[-1]).norm()) for a in kept]
    assert apart[0] > apart[1] > 0, "the second stage went on from the centres of the first"


class Counting(nn.Module):
    """An objective of a method's own, with something that learns and a state."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        """Cross-entropy of scaled scores."""
        scores = net(batch.inputs["image"]) * self.scale
        return StepResult(nn.functional.cross_entropy(scores, batch.target), scores, {"own": 1.0})


def test_terms_are_added_to_a_methods_own_objective_as_well() -> None:
    whole = Memory()
    objective = Counting()
    result = trained(BOTH, whole, objective=objective)
    assert float(objective.scale.detach()) != 1.0, "what the objective learns is learnt"
    assert {"log_own", "log_centre", "log_l2"} <= set(result.history[0])
    again = trained(BOTH, Memory(whole.kept[1]), objective=Counting())
    assert all(torch.equal(value, again.last[key]) for key, value in result.last.items())


def test_without_terms_the_objective_is_itself() -> None:
    objective: Any = plain()
    assert with_terms(objective, ()) is objective
