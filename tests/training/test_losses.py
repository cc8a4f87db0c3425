"""Losses of hard, soft, drawn and accepted labels, each against its formula written out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ferbench import Batch, BinaryCrossEntropy, CrossEntropy, Focal, SquaredError, SquaredHinge, StepContext
from ferbench.errors import TrainingError
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.losses import LABEL_KINDS, Loss
from ferbench.training.losses import ACCEPTED_EPSILON, Supervised, batch_weights, class_weights, make_loss

CPU = torch.device("cpu")
K = 4
HARD = np.array([0, 0, 0, 1, 2, 3, 3, 0])
WEIGHTS = (1.0, 2.0, 0.5, 3.0)
FLAGS = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 1, 1], [1, 0, 0, 1]], np.float32)


def scores(n: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float32) * 2


def shares(n: int = 8) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).dirichlet(np.ones(K), n).astype(np.float32))


def losses(settings: Loss, given: torch.Tensor, target: torch.Tensor, kind: LabelKind | None = None) -> list[float]:
    found: list[float] = make_loss(settings, target.numpy(), K, CPU, kind)(given, target).tolist()
    return found


def probabilities(row: torch.Tensor) -> list[float]:
    grown = [math.exp(value) for value in row.tolist()]
    return [value / sum(grown) for value in grown]


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_is_lins_formula(gamma: float, weights: tuple[float, ...] | None) -> None:
    given, soft = scores(), shares()
    w, settings = weights or (1.0,) * K, Focal(gamma=gamma, class_weights=weights)
    by_hand = [[w[c] * (1 - p) ** gamma * -math.log(p) for c, p in enumerate(probabilities(row))] for row in given]
    hard = [row[label] for row, label in zip(by_hand, HARD, strict=True)]
    assert losses(settings, given, torch.from_numpy(HARD), "hard") == pytest.approx(hard, rel=1e-4)
    expected = [
        sum(t * each for t, each in zip(ts, row, strict=True)) for ts, row in zip(soft.tolist(), by_hand, strict=True)
    ]
    assert losses(settings, given, soft, "soft") == pytest.approx(expected, rel=1e-4)


def test_focal_loss_without_gamma_is_cross_entropy() -> None:
    given, soft = scores(), shares()
    assert losses(Focal(gamma=0), given, soft) == pytest.approx(losses(CrossEntropy(), given, soft), rel=1e-5)


def test_focal_loss_has_a_gradient_where_the_network_is_certain() -> None:
    certain = torch.tensor([[200.0, 0.0, 0.0, 0.0]], requires_grad=True)
    loss = make_loss(Focal(gamma=0.5), HARD, K, CPU)(certain, torch.tensor([0]))
    (gradient,) = torch.autograd.grad(loss.sum(), certain)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_squared_hinge_is_tangs_formula(weights: tuple[float, ...] | None) -> None:
    given = scores()
    expected = [
        (weights or (1.0,) * K)[label]
        * sum(max(0.0, 1 - s * (1 if c == label else -1)) ** 2 for c, s in enumerate(row))
        for row, label in zip(given.tolist(), HARD, strict=True)
    ]
    settings = SquaredHinge(class_weights=weights)
    assert losses(settings, given, torch.from_numpy(HARD), "hard") == pytest.approx(expected, rel=1e-5)
    far = torch.full((1, K), -1.5)
    far[0, 2] = 1.5
    assert losses(settings, far, torch.tensor([2])) == [0.0], "beyond the margin nothing is to be gained"


def test_cross_entropy_of_accepted_labels_is_that_of_the_published_code() -> None:
    given = scores(4)
    target = (1 - ACCEPTED_EPSILON) * FLAGS + ACCEPTED_EPSILON
    expected = [
        -math.log(max(t * p for t, p in zip(ts, probabilities(row), strict=True)))
        for ts, row in zip(target.tolist(), given, strict=True)
    ]
    assert losses(CrossEntropy(), given, torch.from_numpy(FLAGS), "accepted") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_one_accepted_class_counts_as_a_hard_label(smoothing: float, weights: tuple[float, ...] | None) -> None:
    given, settings = scores(), CrossEntropy(label_smoothing=smoothing, class_weights=weights)
    flags = torch.from_numpy(np.eye(K, dtype=np.float32)[HARD])
    hard = losses(settings, given, torch.from_numpy(HARD), "hard")
    assert losses(settings, given, flags, "accepted") == pytest.approx(hard, rel=1e-5)


def test_only_the_most_probable_accepted_class_is_pushed() -> None:
    given = scores(4).requires_grad_()
    loss = make_loss(CrossEntropy(), FLAGS, K, CPU, "accepted")(given, torch.from_numpy(FLAGS))
    (gradient,) = torch.autograd.grad(loss.sum(), given)
    best = (given.detach() + torch.from_numpy(FLAGS).log()).argmax(1)
    torch.testing.assert_close(gradient, given.detach().softmax(1) - F.one_hot(best, K))


class Given(torch.nn.Module):
    """A network whose scores are given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def weighed(settings: CrossEntropy, samples: torch.Tensor | None, target: torch.Tensor) -> torch.Tensor:
    """The loss of a batch with the weights of its samples and those of the classes."""
    of_classes = class_weights(settings, HARD, K, CPU)
    batch = Batch({"image": scores()}, target, weight=batch_weights(samples, of_classes, target))
    context = StepContext(0, 0, 0, ("a", "b", "c", "d"), CPU, np.random.default_rng(0))
    return Supervised(make_loss(settings, HARD, K, CPU))(Given(), batch, context).loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weights_of_classes_make_the_loss_of_a_batch_torchs(smoothing: float) -> None:
    target = torch.from_numpy(HARD)
    theirs = torch.nn.CrossEntropyLoss(torch.tensor(WEIGHTS), label_smoothing=smoothing)(scores(), target)
    ours = weighed(CrossEntropy(class_weights=WEIGHTS, label_smoothing=smoothing), None, target)
    torch.testing.assert_close(ours, theirs)


def test_weights_of_samples_by_their_class_make_the_loss_of_a_batch_torchs() -> None:
    target, of_classes = torch.from_numpy(HARD), torch.tensor(WEIGHTS)
    theirs = torch.nn.CrossEntropyLoss(of_classes)(scores(), target)
    torch.testing.assert_close(weighed(CrossEntropy(), of_classes[target], target), theirs)
    both = torch.nn.CrossEntropyLoss(of_classes.square())(scores(), target)
    torch.testing.assert_close(weighed(CrossEntropy(class_weights=WEIGHTS), of_classes[target], target), both)


def test_a_batch_without_any_weight_has_no_loss() -> None:
    target = torch.from_numpy(HARD)
    assert weighed(CrossEntropy(), torch.zeros(len(target)), target) == 0
    assert batch_weights(None, None, target) is None


BALANCED: list[tuple[LabelKind, np.ndarray, list[float]]] = [
    ("hard", HARD, [4, 1, 1, 2]),
    ("soft", np.array([[0.5, 0.5, 0, 0], [0, 0.25, 0.75, 0], [0, 0, 0, 1]], np.float32), [0.5, 0.75, 0.75, 1]),
    ("drawn", np.array([[0.5, 0.5, 0, 0], [0, 0.25, 0.75, 0], [0, 0, 0, 1]], np.float32), [0.5, 0.75, 0.75, 1]),
    ("accepted", FLAGS, [1, 1 / 2 + 1 / 3, 1 + 1 / 3, 1 / 3 + 1 / 2]),
]


@pytest.mark.parametrize(("kind", "targets", "counts"), BALANCED, ids=[kind for kind, *_ in BALANCED])
@pytest.mark.parametrize("settings", [CrossEntropy(), Focal()], ids=lambda each: each.name)
def test_balanced_weights_are_those_of_the_samples_that_a_class_can_expect(
    settings: Any, kind: LabelKind, targets: np.ndarray, counts: list[float]
) -> None:
    if kind not in LABEL_KINDS[settings.name]:
        return
    weights = tuple(sum(counts) / (K * count) for count in counts)
    batch = torch.tensor([2, 0, 3, 1]) if kind in ("hard", "drawn") else torch.from_numpy(targets[:3])
    given = scores(len(batch))
    balanced, written = (settings.model_copy(update={"class_weights": each}) for each in ("balanced", weights))
    found = [make_loss(each, targets, K, CPU, kind)(given, batch) for each in (balanced, written)]
    torch.testing.assert_close(found[0], found[1])
    assert not torch.allclose(found[0], make_loss(settings, targets, K, CPU, kind)(given, batch))


def test_a_class_without_samples_has_a_finite_balanced_weight() -> None:
    settings = CrossEntropy(class_weights="balanced", label_smoothing=0.1)
    assert np.isfinite(losses(settings, scores(3), torch.tensor([0, 0, 1]))).all()


EVERY: list[tuple[Loss, LabelKind, torch.Tensor]] = [
    (CrossEntropy(), "hard", torch.from_numpy(HARD)),
    (CrossEntropy(), "soft", shares()),
    (CrossEntropy(), "accepted", torch.from_numpy(np.tile(FLAGS, (2, 1)))),
    (Focal(), "hard", torch.from_numpy(HARD)),
    (Focal(), "soft", shares()),
    (SquaredHinge(), "hard", torch.from_numpy(HARD)),
    (BinaryCrossEntropy(), "multi-hot", torch.from_numpy(np.tile(FLAGS, (2, 1)))),
    (SquaredError(), "real", torch.randn(8, K)),
]
NAMES = [f"{settings.name}-{kind}" for settings, kind, _ in EVERY]


@pytest.mark.parametrize(("settings", "kind", "target"), EVERY, ids=NAMES)
def test_weights_of_samples_weigh_every_loss(settings: Loss, kind: LabelKind, target: torch.Tensor) -> None:
    loss = make_loss(settings, target.numpy(), K, CPU, kind)
    given, weight = scores(), torch.tensor([0.0, 1, 2, 0, 0, 0.5, 1, 1])
    context = StepContext(0, 0, 0, tuple("abcd"), CPU, np.random.default_rng(0))
    found = Supervised(loss)(torch.nn.Identity(), Batch({"x": given}, target, None, weight), context)
    torch.testing.assert_close(found.loss, (loss(given, target) * weight).sum() / 8)


@pytest.mark.parametrize(("settings", "kind", "target"), EVERY, ids=NAMES)
def test_losses_of_bf16_scores_are_computed_in_float32(settings: Loss, kind: LabelKind, target: torch.Tensor) -> None:
    loss, given = make_loss(settings, target.numpy(), K, CPU, kind), scores().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(given, target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss(given.float(), target))


UNFIT: list[tuple[Loss, LabelKind]] = [
    (SquaredHinge(), "soft"),
    (SquaredHinge(), "accepted"),
    (Focal(), "accepted"),
    (BinaryCrossEntropy(), "hard"),
    (CrossEntropy(), "multi-hot"),
]


@pytest.mark.parametrize(("settings", "kind"), UNFIT)
def test_a_loss_without_a_form_for_the_labels_says_which_it_takes(settings: Loss, kind: LabelKind) -> None:
    takes = ", ".join(LABEL_KINDS[settings.name])
    with pytest.raises(TrainingError, match=rf"labels are {kind}; the loss {settings.name} takes {takes}\."):
        make_loss(settings, FLAGS, K, CPU, kind)
