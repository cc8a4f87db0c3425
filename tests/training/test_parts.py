"""Losses, initial weights, the order of an epoch, and the rule for precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ferbench import (
    BinaryCrossEntropy,
    CrossEntropy,
    HeInit,
    NormalInit,
    Sample,
    SettingsError,
    SquaredError,
    TrainingError,
    TruncatedNormalInit,
    XavierInit,
)
from ferbench.nouns.initial import Init
from ferbench.training import precision
from ferbench.training.batches import epoch_batches
from ferbench.training.freezing import select_trainable, train_mode
from ferbench.training.inference import mean_loss, monitored
from ferbench.training.initialise import initialise
from ferbench.training.loop import mixed_seed
from ferbench.training.losses import check_scores, make_loss
from ferbench.training.precision import choose_device, numerics_for
from ferbench.training.tally import check_finite

CPU = torch.device("cpu")
TARGETS = np.array([0, 0, 0, 1, 2, 2])


def test_cross_entropy_with_smoothing_and_balanced_weights_is_torchs() -> None:
    scores, target = torch.randn(6, 3), torch.from_numpy(TARGETS)
    ours = make_loss(CrossEntropy(label_smoothing=0.1, class_weights="balanced"), TARGETS, 3, CPU)(scores, target)
    weights = torch.tensor([6 / 9, 2.0, 1.0])
    theirs = F.cross_entropy(scores, target, weight=weights, label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(ours, theirs)


def test_soft_labels_several_labels_and_values_have_their_losses() -> None:
    scores, soft = torch.randn(6, 3), torch.rand(6, 3)
    ce = make_loss(CrossEntropy(), soft.numpy(), 3, CPU)(scores, soft)
    torch.testing.assert_close(ce, -(soft * scores.log_softmax(1)).sum(1))
    bce = make_loss(BinaryCrossEntropy(), soft.numpy(), 3, CPU)(scores, soft)
    torch.testing.assert_close(bce, F.binary_cross_entropy_with_logits(scores, soft, reduction="none").sum(1))
    mse = make_loss(SquaredError(), soft.numpy(), 3, CPU)(scores, soft)
    torch.testing.assert_close(mse, ((scores - soft) ** 2).mean(1))


def test_class_weights_of_another_number_are_refused() -> None:
    with pytest.raises(TrainingError, match="2 values for 3 classes"):
        make_loss(CrossEntropy(class_weights=(1.0, 2.0)), TARGETS, 3, CPU)


def test_scores_of_another_shape_are_refused_with_both_shapes() -> None:
    with pytest.raises(TrainingError, match=r"\(6, 4\).*\(6, 3\)"):
        check_scores(torch.zeros(6, 4), 6, 3)


@pytest.mark.parametrize(
    ("init", "sd"),
    [
        (HeInit(), (2 / (64 * 9)) ** 0.5),
        (XavierInit(), (2 / (32 * 9 + 64 * 9)) ** 0.5),
        (NormalInit(sd=0.05), 0.05),
        (TruncatedNormalInit(sd=0.02), 0.02 * 0.88),
    ],
)
def test_initial_weights_have_the_stated_spread_and_no_bias(init: Init, sd: float) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64))
    initialise(net, init)
    conv = net[0]
    assert isinstance(conv, nn.Conv2d)
    assert conv.weight.std().item() == pytest.approx(sd, rel=0.03)
    assert conv.bias is not None
    assert conv.bias.abs().max() == 0
    norm = net[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert set(norm.weight.tolist()) == {1.0}


def test_an_epoch_holds_every_sample_once_and_no_batch_of_one() -> None:
    rng = np.random.default_rng(0)
    batches = epoch_batches(10, Sample(), 4, rng)
    assert sorted(np.concatenate(batches).tolist()) == list(range(10))
    assert [len(b) for b in epoch_batches(9, Sample(), 4, rng)] == [4, 4]
    assert [len(b) for b in epoch_batches(1, Sample(), 4, rng)] == [1]
    drawn = epoch_batches(10, Sample(indices=np.array([3, 3, 5])), 4, rng)
    assert sorted(np.concatenate(drawn).tolist()) == [3, 3, 5]
    ruled = Sample(batches=lambda indices, size, rng: [indices[:2], indices[2:]])
    assert [len(b) for b in epoch_batches(10, ruled, 4, rng)] == [2, 8]


def test_precision_follows_the_processor_and_never_a_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_cpu_flags", lambda: {"avx2"})
    assert numerics_for(CPU, "auto").precision == "fp32"
    monkeypatch.setattr(precision, "_cpu_flags", lambda: {"avx512_bf16"})
    assert numerics_for(CPU, "auto").precision == "bf16"
    assert numerics_for(CPU, "fp32").precision == "fp32"


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="--device"):
        choose_device(name)


def test_a_loss_that_is_not_finite_is_named_with_epoch_and_step() -> None:
    with pytest.raises(TrainingError, match="epoch 3, step 2"):
        check_finite(np.array([1.0, 2.0, np.nan, np.inf]), 3)
    check_finite(np.array([1.0]), 0)


def test_frozen_parts_keep_weights_and_running_statistics() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    every = frozenset(name for name, _ in net.named_parameters())
    select_trainable(net, ("3.*",), every)
    train_mode(net)
    assert [p.requires_grad for p in net.parameters()] == [False] * 4 + [True] * 2
    assert not net[1].training
    assert net[3].training
    with pytest.raises(SettingsError, match="matches no parameter"):
        select_trainable(net, ("head.*",), every)
    select_trainable(net, ("*",), every - {"0.weight"})
    assert [name for name, p in net.named_parameters() if not p.requires_grad] == ["0.weight"]


def test_seeds_of_epochs_do_not_overlap() -> None:
    assert len({mixed_seed(seed, epoch) for seed in range(30) for epoch in range(30)}) == 900


def test_the_val_score_is_accuracy_or_the_loss() -> None:
    scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]], np.float32)
    accuracy, loss = monitored("single-label", "auto", np.array([0, 1, 1]), scores)
    assert accuracy == pytest.approx(2 / 3)
    assert loss == pytest.approx(-np.log([0.9, 0.6, 0.2]).mean())
    assert monitored("single-label", "loss", np.array([0, 1, 1]), scores)[0] == pytest.approx(-loss)
    assert mean_loss("regression", np.zeros((3, 2)), scores) == pytest.approx(float((scores**2).mean()))
    flags = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    expected = F.binary_cross_entropy(torch.from_numpy(scores), torch.from_numpy(flags), reduction="none").sum(1).mean()
    assert mean_loss("multi-label", flags, scores) == pytest.approx(float(expected), rel=1e-5)
    assert mean_loss("soft-labels", flags, scores) == pytest.approx(-np.log([0.9, 0.6, 0.8]).mean())
