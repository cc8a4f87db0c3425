"""What a sampler gets to see: copies of the training side, what it reads about them, and nothing of val and test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ferbench import Batch, DataError, MissingDataError, PluginError, Removed, Sample, SampleContext, Split, View
from ferbench.data.sampling import training_side
from ferbench.data.splits import make_splits
from ferbench.evaluating.required import for_sampler
from ferbench.evaluating.setup import Setup, rebuild
from ferbench.plugins import Installed, discover
from ferbench.running.changed import relabelled_facts, removed_facts
from ferbench.running.fitting import draw_sample
from ferbench.running.plan import make_plan
from ferbench.running.planned import Plan
from ferbench.running.request import Request

PLUGIN = Path(__file__).parents[1] / "reads_plugin.py"


@pytest.fixture(autouse=True)
def votes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Data of their own for each test; the votes are there, in their first version."""
    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("VOTES", "1")
    return monkeypatch


def installed() -> Installed:
    """The core and the plugin, as the environment variables now make it."""
    return discover(only=["builtin"], files=[PLUGIN])


def plan(*samplers: str) -> Plan:
    """The plan of the suite ``reads``."""
    return make_plan(Request("reads", samplers=samplers, plugins=(PLUGIN,)), installed())


def setup_of(sampler: str) -> Setup:
    """The cell of a sampler, ready to be trained."""
    (cell,) = plan(sampler).cells
    return rebuild(cell.record, installed())


def seen_by(setup: Setup, look: Callable[[Split, SampleContext], Any]) -> Any:
    """What ``look`` returns, called as the sampler of a cell."""
    found = []

    def sample(train: Split, context: SampleContext) -> Sample:
        found.append(look(train, context))
        return Sample()

    draw_sample(replace(setup, sampler=replace(setup.sampler, sample=sample)), {"judge": Judge(setup)})
    return found[0]


class Judge:
    """A required cell that knows everything, as real ones do."""

    id = "judge"

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def scores(self, side: str) -> np.ndarray:
        return np.full((len(self.setup.splits.train), 3), 1 / 3, np.float32)

    def network(self) -> nn.Module:
        return nn.Flatten()

    def features(self) -> np.ndarray:
        return np.zeros((len(self.setup.splits.train), 2), np.float32)

    def logits(self, batch: Batch) -> torch.Tensor:
        return torch.zeros(len(batch.target), 3)


def reachable(start: Any) -> Iterator[np.ndarray]:
    """Every array to which public attributes lead, what it is a view of included."""
    queue: list[Any] = [start]
    known: list[Any] = []
    while queue:
        item = queue.pop()
        if item is None or isinstance(item, str | int | float | type) or any(item is other for other in known):
            continue
        known.append(item)
        if isinstance(item, np.ndarray):
            yield item
            queue.append(item.base)
        elif isinstance(item, dict):
            queue += item.values()
        elif isinstance(item, list | tuple | set | frozenset):
            queue += item
        else:
            names = {field.name for field in fields(item)} if is_dataclass(item) else set()
            names |= {name for name in [*vars(type(item)), *getattr(item, "__dict__", ())] if not name.startswith("_")}
            queue += [getattr(item, name, None) for name in names]
            queue += [getattr(item, "__self__", None), getattr(item, "func", None), getattr(item, "args", None)]


def test_nothing_that_a_sampler_is_given_leads_to_val_or_test() -> None:
    """No array behind any public attribute holds another side's id or picture; the whole split, unfenced, would."""
    setup = setup_of("voted")
    others = [make_splits(setup.loaded, setup.rule).val, make_splits(setup.loaded, setup.rule).test]
    ids = {key for side in others for key in side.ids.tolist()}
    taken = [side.batch(np.arange(len(side)), View(), np.random.default_rng(0)) for side in others]
    pictures = {picture.tobytes() for batch in taken for picture in batch.inputs["image"]}

    def holds_others(start: Any) -> bool:
        arrays = [array for array in reachable(start) if array.ndim]
        named = any(set(array.tolist()) & ids for array in arrays if array.dtype.kind == "U")
        return named or any({row.tobytes() for row in array} & pictures for array in arrays if array.ndim == 3)

    assert holds_others(setup.splits.train), "the test itself finds what is there"
    assert holds_others(Judge(setup))
    assert not seen_by(setup, lambda train, context: holds_others([train, train.arrays, train.take(np.arange(3))]))
    assert not seen_by(setup, lambda train, context: holds_others([context, context.facts("votes", "votes")]))


def test_indices_and_ids_of_other_sides_find_nothing() -> None:
    """A split of 30 has no sample 30, from whichever end it is counted, and facts take no ids."""

    def look(train: Split, context: SampleContext) -> int:
        for index in (30, 59, -31):
            with pytest.raises(IndexError):
                train.take(np.array([index]))
            with pytest.raises(IndexError):
                train.batch(np.array([index]), View(), context.rng)
        with pytest.raises(TypeError):
            context.facts("votes", "votes", np.array(["face-01"]))  # type: ignore[call-arg]
        return len(train)

    assert seen_by(setup_of("voted"), look) == 30


def test_required_cells_give_a_sampler_training_scores_alone() -> None:
    def look(train: Split, context: SampleContext) -> tuple[int, ...]:
        judge = context.required["judge"]
        for side in ("val", "test", "train"):
            with pytest.raises(PluginError, match=f"may not see the {side} scores"):
                judge.scores(side)  # type: ignore[arg-type]
        for name in ("cell", "setup", "folder", "asker"):
            assert not hasattr(judge, name)
        return judge.scores("out-of-fold").shape

    assert seen_by(setup_of("voted"), look) == (30, 3)


def test_what_a_sampler_keeps_or_writes_changes_no_training() -> None:
    """Its arrays cannot be written to; where it makes them writable, they are copies that nobody else reads."""
    setup = setup_of("voted")

    def look(train: Split, context: SampleContext) -> Split:
        for array in (train.targets, train.ids, train.hashes, dict(train.arrays or {})["image"]):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = array[::-1].copy()
        return train

    kept = seen_by(setup, look)
    before = setup.splits.train.targets.copy(), np.array((setup.splits.train.arrays or {})["image"])
    for array in (kept.targets, kept.inputs["image"]):
        array.flags.writeable = True
        array[...] = 0
    assert np.array_equal(setup.splits.train.targets, before[0])
    assert np.array_equal((setup.splits.train.arrays or {})["image"], before[1])


def test_facts_are_those_of_the_training_samples_in_their_order() -> None:
    setup = setup_of("voted")
    facts = seen_by(setup, lambda train, context: context.facts("votes", "votes"))
    number = np.array([int(key[-2:]) for key in setup.splits.train.ids])
    assert facts.known.tolist() == (number >= 10).tolist()
    assert facts.values[:, 0].tolist() == np.where(number >= 10, number + 1, 0).tolist()
    assert facts.classes == ("anger", "fear", "neutral")
    own = seen_by(setup, lambda train, context: context.facts("faces", "source"))
    assert own.known.all() and own.values.tolist() == [f"page {i}" for i in number]


def test_facts_say_what_is_wrong(votes: pytest.MonkeyPatch) -> None:
    setup = setup_of("voted")
    with pytest.raises(DataError, match=r"no column 'vote' of its samples. Did you mean 'votes'"):
        seen_by(setup, lambda train, context: context.facts("votes", "vote"))
    with pytest.raises(PluginError, match="asks for 'votes' of 'votes', which its `reads` does not name"):
        draw_sample(setup_of("undeclared"), {})
    votes.setenv("VOTES", "other")
    with pytest.raises(DataError, match=r"have other pixels in votes .* Register both from one"):
        draw_sample(setup_of("voted"), {})


def test_other_votes_make_another_row(votes: pytest.MonkeyPatch) -> None:
    """And a cell that was planned on the former ones is not trained on these."""
    before = plan("voted", "plain").cells
    votes.setenv("VOTES", "22")
    after = plan("voted", "plain").cells
    assert before[0].id != after[0].id
    assert before[1].id == after[1].id
    assert "reads" not in before[1].record["row"]
    with pytest.raises(DataError, match=r"registered copy of votes is .* but this cell was planned on"):
        draw_sample(rebuild(before[0].record, installed()), {})


def test_missing_votes_are_named_or_the_sampler_left_out(votes: pytest.MonkeyPatch) -> None:
    """Asked for by its name it says what to add; in a suite of many it is skipped, and optional ones go on."""
    votes.delenv("VOTES")
    with pytest.raises(MissingDataError, match=r"(?s)voted reads votes. .*Ask us.*ferbench data add votes PATH"):
        plan("voted")
    without = plan("tag:reading")
    assert [cell.record["row"]["sampler"] for cell in without.cells] == ["voted-if-there"]
    assert any("voted reads votes, which is not here" in each.why for each in without.skipped)
    assert draw_sample(rebuild(without.cells[0].record, installed()), {}).removed == ()
    votes.setenv("VOTES", "1")
    assert plan("voted-if-there").cells[0].id != without.cells[0].id


def test_what_was_left_out_and_relabelled_is_counted_by_class() -> None:
    train = training_side(setup_of("plain").splits.train)
    gone = (Removed(tuple(train.ids[:3].tolist()), "the first"),)
    (told,) = removed_facts("some", train, gone)
    assert told["count"] == 3 and sum(told["classes"].values()) == 3
    targets = np.array(train.targets)
    targets[:2] = (targets[:2] + 1) % 3
    new = relabelled_facts(train, Sample(targets=targets, reason="votes"))
    assert new is not None and new["count"] == 2 and new["reason"] == "votes"
    assert list(new["ids"]) == train.ids[:2].tolist()
    assert new["classes"]["before"] == dict(zip(train.classes, np.bincount(train.targets).tolist(), strict=True))
    assert new["classes"]["after"] == dict(zip(train.classes, np.bincount(targets).tolist(), strict=True))
    soft = np.eye(3, dtype=np.float32)[targets] * 0.8 + 0.1
    again = relabelled_facts(train, Sample(targets=soft))
    assert again is not None and again["count"] == 30 and again["ids"] == new["ids"]
    with pytest.raises(PluginError, match="left out face-99, which it was not given"):
        removed_facts("some", train, (Removed(("face-99",), "why"),))


def test_a_required_cell_seen_by_a_sampler_still_scores_its_pictures() -> None:
    view = for_sampler({"judge": Judge(setup_of("plain"))})["judge"]
    assert view.id == "judge" and isinstance(view.network(), nn.Flatten)
    assert view.logits(Batch({}, np.zeros(2))).shape == (2, 3)


def test_a_sampler_may_require_the_very_model_that_it_samples_for() -> None:
    """What it requires is trained on all samples, so that nothing goes in a circle."""
    cells = plan("judged").cells
    assert [cell.record["row"]["sampler"] for cell in cells] == ["plain", "plain", "plain", "judged"]
    assert set(cells[-1].record["requires"]) == {"judge", "judge/1-of-2", "judge/2-of-2"}
