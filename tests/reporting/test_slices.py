"""Results by an attribute of the test samples, from the files of a store alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from ferbench.errors import UnknownNameError
from ferbench.nouns.metric import Metric, Scored
from ferbench.reporting.formats import to_csv, to_json, to_markdown
from tests.reporting.boards import METRICS, board, by_model

if TYPE_CHECKING:
    from tests.reporting.conftest import OutFolder

HASHES = list(range(300))
SIDES = ["test"] * 300
AGES = np.array(["young"] * 100 + ["old"] * 180 + ["baby"] * 19 + [""])


def attributed(out: OutFolder, **columns: Any) -> None:
    """A table with the attribute age; slices from young to old."""
    out.table(SIDES, HASHES, attribute_age=AGES.tolist(), **columns)
    path = out.out / "datasets" / f"{'f' * 20}.parquet"
    about = {"age": {"slices": ["baby", "young", "old"], "rule": ""}}
    pq.write_table(pq.read_table(path).replace_schema_metadata({"attributes": json.dumps(about)}), path)


def scores(out: OutFolder, wrong: np.ndarray) -> np.ndarray:
    chosen = np.where(wrong, (out.targets + 1) % 3, out.targets)
    return np.where(np.eye(3)[chosen] > 0, 0.8, 0.1).astype(np.float32)


@pytest.fixture
def aged(out: OutFolder) -> OutFolder:
    """A net that is right on the old, in half of the young, and never on babies."""
    half = np.arange(300) % 2 == 0
    out.cell("net", scores(out, ((AGES == "young") & half) | (AGES == "baby")))
    out.row("fair", [0.5, 0.6])
    out.run()
    attributed(out)
    return out


def test_each_slice_has_its_score_interval_and_place(aged: OutFolder) -> None:
    rows = [row for row in board(aged, by="age").rows if row["model"] == "net"]
    assert [(row["slice"], row["n_test"], row["rank"]) for row in rows] == [
        ("all", 300, None),
        ("baby", 19, None),
        ("young", 100, 2),
        ("old", 180, 1),
        ("not known", 1, None),
    ]
    means = {row["slice"]: row["accuracy_mean"] for row in rows}
    assert (means["baby"], means["young"], means["old"]) == (0, 0.5, 1)
    young = rows[2]
    assert 0.35 < young["accuracy_ci_low"] < 0.45 and 0.55 < young["accuracy_ci_high"] < 0.65
    assert [row["notes"] for row in rows] == ["", "small: below 30", "worst", "", "small: below 30"]


def test_the_score_on_all_is_that_of_the_ordinary_table(aged: OutFolder) -> None:
    whole = by_model(board(aged))
    for row in board(aged, by="age").rows:
        if row["slice"] == "all":
            keys = [f"accuracy_{part}" for part in ("mean", "ci_low", "ci_high")]
            assert [row[key] for key in keys] == [whole[row["model"]][key] for key in keys]


def test_seeds_are_averaged_within_a_slice(aged: OutFolder) -> None:
    row = next(r for r in board(aged, by="age").rows if r["model"] == "fair" and r["slice"] == "old")
    assert row["accuracy_std"] > 0 and row["accuracy_ci_low"] < row["accuracy_mean"] < row["accuracy_ci_high"]


def test_the_ordinary_table_names_the_worst_group(aged: OutFolder) -> None:
    found = board(aged)
    row = by_model(found)["net"]
    assert (row["worst_group"], row["worst_group_n"], row["worst_group_mean"]) == ("age: young", 100, 0.5)
    assert row["worst_group_ci_low"] < 0.5 < row["worst_group_ci_high"]
    assert "worst_group" in found.columns and "worst_group" in to_csv(found).splitlines()[0]
    assert json.loads(to_json(found))["rows"][0]["worst_group"]
    text = to_markdown(found)
    assert "age: young 50.0 [" in text and ", n 100" in text
    assert "Worst group: of those with at least 30 test samples" in text


def test_without_attributes_the_table_is_as_before(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.run()
    out.table(SIDES, HASHES, brightness=np.linspace(0, 255, 300).tolist())
    found = board(out)
    assert not any("worst" in name for name in found.columns)
    assert "orst group" not in to_markdown(found)


def test_what_the_data_set_itself_knows_cuts_too(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.run()
    sources = ["rafdb"] * 150 + ["ferplus"] * 150
    out.table(SIDES, HASHES, source=sources, brightness=np.arange(300).tolist())
    assert [row["slice"] for row in board(out, by="source").rows] == ["all", "ferplus", "rafdb"]
    found = board(out, by="brightness")
    assert [row["slice"] for row in found.rows] == ["all", "below 74.8", "74.8 to 150", "150 to 224", "from 224"]
    assert "brightness: cut into quarters" in to_markdown(found)


def test_odd_attributes_of_a_strangers_table_are_passed_over(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.run()
    names = ["", None, *(["left", "right"] * 149)]
    many, pairs = [f"s{i}" for i in range(300)], [[1.0, 2.0]] * 300
    out.table(SIDES, HASHES, attribute_n=HASHES, attribute_l=pairs, attribute_m=many, attribute_pose=names)
    assert by_model(board(out))["net"]["worst_group"].startswith("pose: ")
    assert [row["slice"] for row in board(out, by="pose").rows] == ["all", "left", "right", "not known"]


def test_an_unknown_attribute_is_named_with_those_there_are(aged: OutFolder) -> None:
    with pytest.raises(UnknownNameError, match=r"no attribute 'agee'. Did you mean 'age'\? Known: age"):
        board(aged, by="agee")
    for technical in ("id", "pixel_hash", "split_official", "attribute_age"):
        with pytest.raises(UnknownNameError):
            board(aged, by=technical)


def test_a_data_set_without_the_attribute_is_left_out_and_named(aged: OutFolder) -> None:
    aged.cell("net", dataset="other", fingerprint="e" * 20)
    aged.run("20250101-000000")
    found = board(aged, by="age")
    assert {row["dataset"] for row in found.rows} == {"fer2013"}
    assert found.captions == ("Left out: other@official (no age).",)


def test_what_failed_is_named_beside_the_slices_too(aged: OutFolder) -> None:
    failed = aged.cell("broken", state="failed", status={"cause": "out of memory"})
    aged.run("20250101-000000")
    assert [(each.cell, each.cause) for each in board(aged, by="age").failures] == [(failed, "out of memory")]


def test_groups_are_resampled_within_a_slice_and_too_few_have_no_interval(out: OutFolder) -> None:
    out.cell("net", scores(out, np.arange(300) // 10 % 3 == 0), facts={"unit": "subject"}, protocol="loso")
    out.run()
    subjects = [f"p{i // 10:02d}" for i in range(300)]
    light = ["dim"] * 200 + ["bright"] * 70 + ["lamp"] * 30
    out.table(SIDES, HASHES, "loso", subject=subjects, attribute_light=light)
    rows = {row["slice"]: row for row in board(out, by="light").rows}
    assert rows["lamp"]["accuracy_ci_low"] is None, "three subjects tell nothing of others"
    dim = rows["dim"]
    # Twenty subjects, each wholly right or wrong: about ± 0.2, where single samples would give ± 0.07.
    assert dim["accuracy_ci_high"] - dim["accuracy_ci_low"] > 0.3
    each = {row["slice"]: row for row in board(out, by="subject").rows}
    assert each["p00"]["notes"] == "small: below 30"
    assert "about that subject" in to_markdown(board(out, by="subject"))


def test_a_metric_that_fails_on_a_part_costs_that_part_alone(aged: OutFolder) -> None:
    def compute(scored: Scored) -> float:
        if len(scored.targets) in (100, 300):
            raise ValueError("too young")
        return float((scored.scores.argmax(axis=1) == scored.targets).mean())

    found = board(aged, by="age", metrics=[Metric("picky", compute)])
    rows = {row["slice"]: row for row in found.rows if row["model"] == "net"}
    assert rows["young"]["picky_mean"] is None and rows["young"]["rank"] is None
    assert "picky could not be computed (ValueError: too young)" in rows["young"]["notes"]
    assert rows["all"]["picky_mean"] is None
    assert rows["old"]["picky_mean"] == 1


def test_lower_is_better_turns_worst_and_place_round(aged: OutFolder) -> None:
    error = Metric(
        "error", lambda s: float((s.scores.argmax(axis=1) != s.targets).mean()), higher_is_better=False, percent=True
    )
    found = board(aged, by="age", metrics=[error])
    rows = {row["slice"]: row for row in found.rows if row["model"] == "net"}
    assert (rows["old"]["rank"], rows["young"]["rank"], rows["young"]["notes"]) == (1, 2, "worst")
    assert by_model(board(aged, metrics=[error]))["net"]["worst_group"] == "age: young"


def test_folds_are_pooled_before_they_are_cut(out: OutFolder) -> None:
    for fold in range(3):
        part = range(fold * 100, fold * 100 + 100)
        out.cell("net", fold=fold, folds=3, part=part)
    out.run()
    attributed(out)
    rows = {row["slice"]: row["n_test"] for row in board(out, by="age", metrics=[METRICS["accuracy"]]).rows}
    assert rows == {"all": 300, "baby": 19, "young": 100, "old": 180, "not known": 1}
