"""The objectives against the formulas, on numbers small enough to work out; and what they know after a kill."""

from __future__ import annotations

import copy
import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from ferbench_noisy_faces.dan import AffinityAndPartition, affinity_loss, partition_loss
from ferbench_noisy_faces.eac import AttentionConsistency, flip_difference
from ferbench_noisy_faces.rul import AddUp, mixed
from ferbench_noisy_faces.scn import SelfCure, doubts, low_group, rank_loss
from torch import nn

from ferbench import Batch, Objective, StepContext, TrainingError

CLASSES = ("anger", "fear", "joy")


def _context(epoch: int = 0, seed: int = 0) -> StepContext:
    return StepContext(epoch, 0, 0, CLASSES, torch.device("cpu"), np.random.default_rng(seed))


def _batch(logits: torch.Tensor, labels: list[int], index: list[int] | None = None) -> Batch:
    places = torch.tensor(index or list(range(len(labels))))
    return Batch({"image": logits}, torch.tensor(labels), index=places)


class _Given(nn.Module):
    """In the place of a network: pictures are the logits, and all are of one importance or of those given."""

    def __init__(self, importance: list[float]) -> None:
        super().__init__()
        self.importance = torch.tensor(importance, requires_grad=True)

    def weighed(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.importance[: len(x)], x


def _self_cure(**changes: Any) -> SelfCure:
    settings: dict[str, Any] = {"high": 0.5, "margin": 0.2, "relabel_margin": 0.2, "relabel_epoch": 3, "relabel": "all"}
    return SelfCure(**(settings | changes))


def test_the_group_of_low_importance_is_what_the_highest_leave() -> None:
    importance = torch.tensor([0.9, 0.1, 0.5, 0.7, 0.3, 0.2, 0.8, 0.4, 0.6, 0.05])
    assert low_group(importance, 0.7).nonzero().flatten().tolist() == [1, 5, 9]
    assert low_group(torch.tensor([0.3, 0.6]), 0.1).tolist() == [True, False]
    assert low_group(torch.tensor([0.3, 0.6]), 0.99).tolist() == [True, False]


@pytest.mark.parametrize(("margin", "wanted"), [(0.15, 0.0), (0.7, 0.1), (0.6, 0.0)])
def test_rank_loss_asks_the_groups_to_lie_a_margin_apart(margin: float, wanted: float) -> None:
    importance = torch.tensor([0.9, 0.8, 0.1, 0.4])
    loss = rank_loss(importance, torch.tensor([False, False, True, True]), margin)
    torch.testing.assert_close(loss, torch.tensor(wanted), atol=1e-6, rtol=0)
    assert rank_loss(importance[:1], torch.tensor([True]), margin) == 0


def test_a_label_is_doubted_where_another_class_is_likelier_by_the_margin() -> None:
    probabilities = torch.tensor([[0.6, 0.3, 0.1], [0.45, 0.35, 0.2], [0.6, 0.3, 0.1]])
    assert doubts(probabilities.log(), torch.tensor([1, 1, 0]), 0.2).tolist() == [True, False, False]


SURE = torch.tensor([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0], [4.0, 0.0, 0.0]])


def test_scn_relabels_from_its_epoch_on_and_the_label_holds_from_the_next_time() -> None:
    objective, net = _self_cure(), _Given([0.9, 0.8, 0.1, 0.4])
    batch = _batch(SURE, [0, 1, 2, 1], index=[3, 0, 7, 5])
    old = nn.functional.cross_entropy(SURE, batch.target)
    new = nn.functional.cross_entropy(SURE, torch.tensor([0, 1, 2, 0]))
    losses = [objective(net, batch, _context(epoch)).loss.detach() for epoch in range(4)]
    # Groups lie 0.6 apart, more than the margin. Epochs count from 0 here, so the third is number 2.
    torch.testing.assert_close(torch.stack(losses), torch.stack([old, old, old, new]))
    assert objective.labels.tolist() == [1, -1, -1, 0, -1, 0, -1, 2]


def test_scn_knows_a_relabelled_sample_again_in_another_batch() -> None:
    objective, net = _self_cure(relabel_epoch=1), _Given([0.5, 0.5])
    objective(net, _batch(SURE[:2], [2, 1], index=[8, 4]), _context())
    result = objective(net, _batch(SURE[[1, 0]], [1, 2], index=[6, 8]), _context(1))
    assert result.logs["relabelled"] == 0.5
    torch.testing.assert_close(
        result.loss - result.logs["rank_loss"], nn.functional.cross_entropy(SURE[[1, 0]], torch.tensor([1, 0]))
    )


@pytest.mark.parametrize(("relabel", "wanted"), [("all", [0, 1]), ("low", [2, 1])])
def test_the_paper_relabels_pictures_of_low_importance_alone(relabel: str, wanted: list[int]) -> None:
    objective = _self_cure(relabel_epoch=1, relabel=relabel)
    objective(_Given([0.9, 0.1]), _batch(SURE[:2], [2, 2]), _context())
    assert objective.labels.tolist() == wanted


def test_affinity_is_the_squared_distance_to_the_own_centre_in_units_of_the_centres_spread() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    centres = torch.tensor([[0.0, 0.0], [2.0, 1.0], [4.0, -1.0]])
    spread = 4.0 + 1.0  # unbiased variances of 0, 2, 4 and of 0, 1, -1
    wanted = ((1 + 0) + (4 + 4)) / 2 / spread
    torch.testing.assert_close(affinity_loss(features, centres, torch.tensor([0, 1])), torch.tensor(wanted))


def test_partition_falls_as_heads_differ_and_is_none_for_one_head() -> None:
    heads = torch.tensor([[[1.0, 2.0], [3.0, 6.0]]])
    torch.testing.assert_close(partition_loss(heads), torch.tensor(math.log(1 + 2 / 5)))  # variances 2 and 8
    assert partition_loss(heads * 3) < partition_loss(heads)
    assert partition_loss(heads[:, :1]) == 0


def test_heads_that_say_the_same_cost_what_they_cost_the_authors_and_break_nothing() -> None:
    heads = torch.ones(3, 4, 6, requires_grad=True)
    loss = partition_loss(heads)
    loss.backward()
    torch.testing.assert_close(loss, torch.tensor(math.log(1 + 4 / 2.220446049250313e-16)))
    assert heads.grad is not None
    assert not heads.grad.any()


class _Attended(nn.Module):
    """In the place of DAN or EAC: gives what it was made with, one after the other."""

    def __init__(self, *given: tuple[torch.Tensor, ...]) -> None:
        super().__init__()
        self.given, self.seen = list(given), list[torch.Tensor]()

    def attended(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.seen.append(x)
        return self.given.pop(0)


def test_dan_adds_cross_entropy_affinity_and_partition_and_learns_its_centres() -> None:
    torch.manual_seed(0)
    logits, features, heads = torch.randn(4, 3), torch.randn(4, 6), torch.randn(4, 2, 6)
    labels = [0, 1, 2, 1]
    objective = AffinityAndPartition(classes=3, width=6)
    result = objective(_Attended((logits, features, heads)), _batch(logits, labels), _context())
    wanted = (
        nn.functional.cross_entropy(logits, torch.tensor(labels))
        + affinity_loss(features, objective.centres, torch.tensor(labels))
        + partition_loss(heads)
    )
    torch.testing.assert_close(result.loss, wanted)
    result.loss.backward()
    assert objective.centres.grad is not None
    assert objective.centres.grad.abs().sum() > 0


def test_turning_maps_back_is_what_the_authors_grid_does() -> None:
    torch.manual_seed(0)
    attention, mirrored = torch.randn(2, 3, 7, 7), torch.randn(2, 3, 7, 7)
    across, down = torch.meshgrid(torch.linspace(1, -1, 7), torch.linspace(-1, 1, 7), indexing="xy")
    grid = torch.stack([across, down], dim=-1).expand(2, -1, -1, -1)
    turned = nn.functional.grid_sample(mirrored, grid, padding_mode="border", align_corners=True)
    torch.testing.assert_close(
        flip_difference(attention, mirrored), (attention - turned).square().mean(), atol=1e-5, rtol=1e-5
    )


def test_eac_mirrors_what_was_erased_and_asks_only_the_picture_for_its_label() -> None:
    torch.manual_seed(0)
    pictures = torch.randn(2, 1, 4, 4)
    logits, others, attention, mirrored = (
        torch.randn(2, 3),
        torch.randn(2, 3),
        torch.randn(2, 3, 2, 2),
        torch.randn(2, 3, 2, 2),
    )
    net = _Attended((logits, attention), (others, mirrored))
    result = AttentionConsistency(5.0)(net, Batch({"image": pictures}, torch.tensor([0, 2])), _context())
    assert torch.equal(net.seen[1], pictures.flip(3))
    wanted = (
        nn.functional.cross_entropy(logits, torch.tensor([0, 2])) + 5 * (attention - mirrored.flip(3)).square().mean()
    )
    torch.testing.assert_close(result.loss, wanted)


def test_rul_gives_the_more_uncertain_picture_the_larger_share() -> None:
    features, uncertainty = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[3.0], [1.0]])
    wanted = torch.tensor([[0.75, 0.25], [0.75, 0.25]])
    torch.testing.assert_close(mixed(features, uncertainty, torch.tensor([1, 0])), wanted)
    torch.testing.assert_close(mixed(features, uncertainty, torch.tensor([0, 1])), features)


class _Uncertain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Identity()

    def uncertain(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, torch.arange(1.0, len(x) + 1)[:, None]


def test_rul_asks_a_mixture_for_both_labels_in_equal_parts() -> None:
    labels = torch.tensor([0, 1, 2, 1])
    result = AddUp()(_Uncertain(), _batch(SURE, labels.tolist()), _context(seed=5))
    other = torch.from_numpy(np.random.default_rng(5).permutation(4))
    logits = mixed(SURE, torch.arange(1.0, 5)[:, None], other)
    wanted = (nn.functional.cross_entropy(logits, labels) + nn.functional.cross_entropy(logits, labels[other])) / 2
    torch.testing.assert_close(result.loss, wanted)
    torch.testing.assert_close(result.scores, logits)


@pytest.mark.parametrize("objective", [_self_cure(), AddUp(), AttentionConsistency(5.0), AffinityAndPartition(3, 6)])
def test_labels_that_were_mixed_are_refused_with_what_to_change(objective: Objective) -> None:
    given = (SURE, torch.randn(4, 6), torch.randn(4, 2, 6))
    two = isinstance(objective, AttentionConsistency)
    net = _Attended(*([(SURE, SURE)] * 2 if two else [given]))
    net.weighed = lambda x: (torch.ones(4), x)  # type: ignore[assignment]
    soft = Batch({"image": SURE.view(4, 1, 1, 3)}, torch.eye(3)[[0, 1, 2, 0]], index=torch.arange(4))
    with pytest.raises(TrainingError, match="take mixup and cutmix out of its augmentation"):
        objective(net, soft, _context())


def _kept(state: dict[str, Any]) -> dict[str, Any]:
    """A state as a file gives it back."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    result: dict[str, Any] = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    return result


def test_scn_goes_on_with_the_labels_it_had_bit_by_bit() -> None:
    torch.manual_seed(0)
    first, net = _self_cure(relabel_epoch=1), _Given([0.9, 0.8, 0.1, 0.4])
    batches = [_batch(torch.randn(4, 3) * 3, [0, 1, 2, 1], index=index) for index in ([0, 5, 2, 9], [9, 2, 11, 5])]
    first(net, batches[0], _context(0))
    second = _self_cure(relabel_epoch=1)
    kept = first.state_dict()
    second.load_state_dict(_kept(copy.deepcopy(kept)))
    results = [objective(net, batches[1], _context(1)) for objective in (first, second)]
    assert torch.equal(results[0].loss, results[1].loss)
    assert results[0].logs["relabelled"] > 0
    assert torch.equal(first.labels, second.labels)
    assert len(kept["labels"]) == 10, "what was kept does not change with the objective"
