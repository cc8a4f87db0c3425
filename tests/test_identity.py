"""Ids follow from content alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ferbench.identity import RowKey, canonical_json, cell_id, digest

ROW = RowKey("demo", "f00", "official", "plain", "small-cnn", recipe={"epochs": 3, "optimizer": {"lr": 0.1}})


def test_the_order_of_keys_makes_no_difference() -> None:
    turned = replace(ROW, recipe={"optimizer": {"lr": 0.1}, "epochs": 3})
    assert turned.id == ROW.id
    assert canonical_json({"b": 1, "a": [1.0, None]}) == '{"a":[1.0,null],"b":1}'


def test_the_id_of_a_known_cell_is_pinned() -> None:
    assert ROW.id == "15cc7c1f865890679837"
    assert cell_id(ROW, 0, 0, {}, {"builtin": "abc"}) == "92891dc583c14bc38e8a"


@pytest.mark.parametrize(
    "other",
    [
        replace(ROW, fingerprint="f01"),
        replace(ROW, protocol="merged-test"),
        replace(ROW, model_options={"width": 3}),
        replace(ROW, recipe={"epochs": 3, "optimizer": {"lr": 0.2}}),
        replace(ROW, limit=100),
        replace(ROW, small=True),
        replace(ROW, division="d01"),
        replace(ROW, weights={"imagenet": "aa"}),
    ],
)
def test_everything_in_the_row_key_changes_the_id(other: RowKey) -> None:
    assert other.id != ROW.id


def test_seed_fold_requirements_and_source_change_the_cell_but_not_the_row() -> None:
    base = cell_id(ROW, 0, 0, {}, {"p": "1"})
    others = [
        cell_id(ROW, 1, 0, {}, {"p": "1"}),
        cell_id(ROW, 0, 1, {}, {"p": "1"}),
        cell_id(ROW, 0, 0, {"teacher": "x"}, {"p": "1"}),
        cell_id(ROW, 0, 0, {}, {"p": "2"}),
    ]
    assert len({base, *others}) == 5


def test_objects_and_not_a_number_cannot_enter_an_id() -> None:
    with pytest.raises(TypeError):
        digest({"x": object()})
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest({"x": float("nan")})


def test_plain_data_reads_back_the_same() -> None:
    assert RowKey(**json.loads(json.dumps(ROW.as_dict()))).id == ROW.id
