"""``ferbench evaluate``: finished cells scored again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.conftest import Command, Finished

KEYS = {"cell", "evaluation", "weights", "tta", "dataset", "protocol", "fingerprint", "seen", "left_out", "metrics"}


def test_other_views_are_added_without_training(ferbench: Command, finished: Finished) -> None:
    cell = finished.cell("tiny")
    history = (cell.path / "history.csv").read_bytes()
    flipped = ferbench("evaluate", cell.id[:8], "--out", finished.out, "--tta", "flip", "--device", "cpu", "--json")
    cropped = ferbench(
        "evaluate", cell.id[:8], "--out", finished.out, "--tta", "ten-crop:6", "--device", "cpu", "--json"
    )
    assert (flipped.code, cropped.code) == (0, 0)
    assert set(flipped.json[0]) == KEYS
    assert (flipped.json[0]["cell"], flipped.json[0]["tta"]["name"]) == (cell.id, "flip")
    assert cropped.json[0]["tta"]["size"] == 6
    assert set(flipped.json[0]["metrics"]) >= {"val", "test"}
    assert set(cell.evaluations()) == {flipped.json[0]["evaluation"], cropped.json[0]["evaluation"]}
    assert (cell.path / "history.csv").read_bytes() == history


def test_all_views_are_known_by_name_with_their_settings(ferbench: Command, finished: Finished) -> None:
    cell = finished.cell("tiny")
    wanted = {
        "none": {"name": "none"},
        "flip:mean=logit": {"name": "flip", "mean": "logit"},
        "five-crop:6": {"name": "five-crop", "size": 6, "mean": "probability"},
        "ten-crop:size=6,mean=logit": {"name": "ten-crop", "size": 6, "mean": "logit", "looks": False},
        "random": {"name": "random", "count": 10, "seed": 0, "mean": "probability"},
        "random:3,seed=2": {"name": "random", "count": 3, "seed": 2, "mean": "probability"},
        '{name = "random", count = 3, mean = "logit"}': {"name": "random", "count": 3, "seed": 0, "mean": "logit"},
        '{name="grid", grids=[{degrees=[0, 10]}], plain=3}': {
            "name": "grid",
            "grids": [{"degrees": [0.0, 10.0], "translate": [0.0], "zoom": 1.0, "mirror": True}],
            "plain": 3.0,
            "border": "edge",
            "mean": "probability",
        },
    }
    for text, views in wanted.items():
        facts = ferbench("evaluate", cell.id, "--out", finished.out, "--tta", text, "--device", "cpu", "--json").json
        assert facts[0]["tta"] == views
        assert facts[0]["metrics"]["test"]["accuracy"] is not None
    assert len(cell.evaluations()) == len(wanted)


def test_random_views_need_a_recipe_that_augments(ferbench: Command, finished: Finished) -> None:
    cell = finished.cell("tiny")
    record = json.loads((cell.path / "cell.json").read_text())
    record["row"]["recipe"]["augmentation"] = []
    (cell.path / "cell.json").write_text(json.dumps(record))
    refused = ferbench("evaluate", cell.id, "--out", finished.out, "--tta", "random:3")
    assert refused.code == 2
    assert "--tta: random views are draws of the recipe's augmentation, and it has none" in refused.err


def test_the_last_weights_are_evaluated(ferbench: Command, finished: Finished) -> None:
    facts = ferbench("evaluate", finished.cell("tiny").id, "--out", finished.out, "--weights", "last", "--json").json
    assert facts[0]["weights"] == "last"


def test_another_data_set_is_scored_by_the_classes_that_both_know(ferbench: Command, finished: Finished) -> None:
    cell = finished.cell("nearest")
    facts = ferbench("evaluate", cell.id, "--out", finished.out, "-d", "squares@two-classes", "--json").json
    assert (facts[0]["dataset"], facts[0]["protocol"]) == ("squares", "two-classes")
    assert cell.predictions(facts[0]["evaluation"]).classes == ("anger", "happiness")


def test_test_samples_that_were_trained_on_are_counted_and_warned_of(ferbench: Command, finished: Finished) -> None:
    cell = finished.cell("nearest")
    own = ferbench("evaluate", cell.id, "--out", finished.out, "--json")
    assert own.json[0]["seen"] == {"of": 40, "train": 0, "val": 0}
    mixed = ("evaluate", cell.id, "--out", finished.out, "-d", "squares@3-fold")
    facts = ferbench(*mixed, "--json").json[0]
    tested = cell.predictions(facts["evaluation"]).side("test").ids
    numbers = [int(name.removeprefix("square-")) for name in tested]
    trained, chosen = sum(number < 160 for number in numbers), sum(160 <= number < 200 for number in numbers)
    assert facts["seen"] == {"of": 80, "train": trained, "val": chosen}
    words = f"of 80 test samples it had {trained} trained on and {chosen} chosen by, so this is no score on unseen data"
    assert words in ferbench(*mixed).err


def test_another_data_set_is_scored_over_the_classes_that_both_have(ferbench: Command, finished: Finished) -> None:
    cell = finished.cell("tiny")
    done = ferbench("evaluate", cell.id, "--out", finished.out, "-d", "demo", "--device", "cpu")
    assert done.code == 0
    assert "over anger, fear, happiness, sadness; left out: 8 disgust, 58 surprise, 87 neutral" in done.err
    facts = ferbench("evaluate", cell.id, "--out", finished.out, "-d", "demo", "--device", "cpu", "--json").json[0]
    predictions = cell.predictions(facts["evaluation"])
    assert facts["left_out"] == {"disgust": 8, "surprise": 58, "neutral": 87}
    assert predictions.classes == ("anger", "fear", "happiness", "sadness")
    np.testing.assert_allclose(predictions.scores.sum(axis=1), 1, atol=1e-5)


def test_without_ids_the_latest_run_is_evaluated_and_what_does_not_apply_left_out(
    ferbench: Command, finished: Finished
) -> None:
    done = ferbench("evaluate", "--out", finished.out, "--tta", "flip", "--device", "cpu")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == ["tiny", "tiny", "student", "student"]
    assert all("val accuracy" in line and "test accuracy" in line for line in lines)
    assert "nearest · squares@official · seed 0 is left out: it is an estimator; test-time views" in done.err
    assert "raising · squares@official · seed 0 is left out: it is failed (ValueError: this method" in done.err


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        ("raising", [], "it is failed (ValueError: this method is broken); only finished cells"),
        ("nearest", ["--tta", "flip"], "test-time views do not apply"),
        ("nearest", ["--weights", "last"], "no last weights"),
        ("tiny", ["--tta", "ten-crop"], "none of recipe, none, flip, ten-crop:SIZE"),
        ("tiny", ["--tta", "ten-crop"], "such as ten-crop:40,mean=logit).\n"),
        ("tiny", ["--tta", "five-crop"], "five-crop:SIZE, random:COUNT"),
        ("tiny", ["--tta", "ranom:3"], "Did you mean 'random'?"),
        ("tiny", ["--tta", "grid"], "grid views are written as a table, such as"),
        ("tiny", ["--tta", "{grids=[{}]}"], "--tta.name: None is none of none, flip"),
        ("tiny", ["--tta", '{name="grid", grids=[{degree=[3]}]}'], "Did you mean 'degrees'"),
        ("tiny", ["--tta", '{name="grid"'], "is no table such as"),
        ("tiny", ["--tta", "flip:2"], "'flip:2' is none of recipe"),
        ("tiny", ["--tta", "random:0"], "--tta.count: "),
        ("tiny", ["--tta", "random:3,men=logit"], "--tta.men: unknown key. Did you mean 'mean'?"),
        ("tiny", ["--tta", "five-crop:6,mean=median"], "--tta.mean: 'median' is not one of probability, logit"),
        ("nearest", ["--tta", "random:3"], "test-time views do not apply"),
        ("tiny", ["--tta", "five-crop:100"], "A crop of 100 × 100 pixels does not fit"),
        ("tiny", ["--tta", "ten-crop:100"], "A crop of 100 × 100 pixels does not fit"),
        ("tiny", ["--device", "gpu"], "'gpu' is no device"),
        ("tiny", ["-d", "sqares"], "There is no data set 'sqares'. Did you mean 'squares'"),
        ("tiny", ["-d", "squares@offical"], "squares has no protocol 'offical'. Did you mean 'official'"),
        ("tiny", ["-d", "fer2013"], "ferbench data add fer2013 PATH"),
    ],
)
def test_what_cannot_be_evaluated_is_named(
    ferbench: Command, finished: Finished, model: str, arguments: list[str], words: str
) -> None:
    refused = ferbench("evaluate", finished.cell(model).id, "--out", finished.out, *arguments)
    assert refused.code == 2
    assert words in refused.err


def test_an_id_that_no_cell_has_is_named(ferbench: Command, finished: Finished) -> None:
    refused = ferbench("evaluate", "zzzz", "--out", finished.out)
    assert refused.code == 2
    assert "No cell in" in refused.err


def test_weights_that_are_gone_or_damaged_say_how_to_get_them_back(ferbench: Command, finished: Finished) -> None:
    gone, damaged = finished.cell("tiny", 0), finished.cell("tiny", 1)
    (gone.path / "best.safetensors").unlink()
    weights = damaged.path / "best.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    done = ferbench("evaluate", "--out", finished.out, "--tta", "flip", "--device", "cpu")
    assert done.code == 1, "others were evaluated"
    assert "best.safetensors is gone" in done.err
    assert "best.safetensors is damaged" in done.err
    assert "ferbench run --fresh" in done.err
    assert len(done.out.splitlines()) == 2
