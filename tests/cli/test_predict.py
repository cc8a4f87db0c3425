"""``ferbench predict``: a folder of pictures into a CSV."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferbench.store.files import write_json
from ferbench.store.store import Store
from tests.cli.conftest import Command, Finished
from tests.contract import PLUGIN, Contract
from tests.contract_plugin import CLASSES, squares


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three bright quadrants of known classes, in a folder with sub-folders."""
    folder = tmp_path / "faces"
    (folder / "sub" / "deep").mkdir(parents=True)
    pictures, labels, _ = squares()
    for name, label in (("a.png", 0), ("sub/b.PNG", 1), ("sub/deep/c.png", 2)):
        Image.fromarray(pictures[int(np.flatnonzero(labels == label)[0])]).save(folder / name, format="PNG")
    (folder / "notes.txt").write_text("no picture, and not meant as one")
    return folder


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as handle:
        return {row["path"]: row for row in csv.DictReader(handle)}


def test_every_picture_gets_a_row_of_scores(ferbench: Command, finished: Finished, faces: Path, tmp_path: Path) -> None:
    target = tmp_path / "scores.csv"
    cell = finished.cell("nearest").id[:8]
    done = ferbench("predict", faces, "--cell", cell, "--out", finished.out, "--csv", target, "--device", "cpu")
    assert done.code == 0
    assert "3 pictures scored with nearest" in done.out
    rows = rows_of(target)
    assert list(rows["a.png"]) == ["path", *CLASSES, "prediction"]
    assert {path: row["prediction"] for path, row in rows.items()} == {
        "a.png": "happiness",
        "sub/b.PNG": "sadness",
        "sub/deep/c.png": "anger",
    }
    for row in rows.values():
        assert sum(float(row[name]) for name in CLASSES) == pytest.approx(1, abs=1e-4)


def test_the_best_row_s_cell_is_the_default(ferbench: Command, finished: Finished, faces: Path, tmp_path: Path) -> None:
    best = ferbench("leaderboard", "--out", finished.out, "--json").json["rows"][0]["model"]
    facts = ferbench("predict", faces, "--out", finished.out, "--csv", tmp_path / "x.csv", "--json").json
    assert set(facts) == {"cell", "csv", "scored", "unreadable"}
    assert facts["cell"] == finished.cell(best).id
    assert (facts["scored"], facts["unreadable"]) == (3, [])


def test_an_ensemble_has_no_model_and_is_not_the_default(
    ferbench: Command, finished: Finished, faces: Path, tmp_path: Path
) -> None:
    ferbench("ensemble", "tiny", "student", "--out", finished.out, "--plugin", PLUGIN)
    for cell in Store(finished.out).cells:  # so that the ensemble is the only row with a rank
        record = cell.record
        if not record["facts"].get("ensemble"):
            write_json(cell.path / "cell.json", record | {"facts": record["facts"] | {"oracle_in": ["another"]}})
    done = ferbench("predict", faces, "--out", finished.out, "--csv", tmp_path / "x.csv")
    assert (done.code, done.err) == (0, "")


def test_the_default_is_a_row_with_all_its_options_on_all_the_data(
    ferbench: Command, contract: Contract, faces: Path, tmp_path: Path
) -> None:
    out, target = tmp_path / "options", tmp_path / "x.csv"
    untrained = {"recipe.optimizer.lr": 1e-9}
    for limit, changes in ((None, untrained), (None, {}), (80, {})):
        part = contract.run(out, models=["tiny"], seeds=1, limit=limit, set=changes)
    refused = ferbench("predict", faces, "--out", out, "--csv", target)
    assert refused.code == 2
    assert f"Name a cell by --cell; finished are, for instance, {part.done[0][:8]}" in refused.err
    run = Store(out).run()
    cells = {key: Store(out).cell(key).record["row"] for key in (cell.id for cell in Store(out).cells)}
    (out / "runs" / f"{run['id']}.json").write_text(json.dumps({**run, "cells": sorted(cells)}))
    facts = ferbench("predict", faces, "--out", out, "--csv", target, "--json").json
    assert cells[facts["cell"]]["limit"] is None
    assert cells[facts["cell"]]["recipe"]["optimizer"]["lr"] == 0.02
    assert f"(cell {facts['cell'][:8]})" in ferbench("predict", faces, "--out", out, "--csv", target).out


def test_files_that_cannot_be_read_are_listed_and_the_rest_scored(
    ferbench: Command, finished: Finished, faces: Path, tmp_path: Path
) -> None:
    (faces / "empty.png").touch()
    (faces / "sub" / "text.jpg").write_text("not a picture")
    whole = (faces / "a.png").read_bytes()
    (faces / "half.png").write_bytes(whole[: len(whole) // 2])
    common = ("--cell", finished.cell("nearest").id, "--out", finished.out, "--csv", tmp_path / "x.csv")
    done = ferbench("predict", faces, *common)
    assert done.code == 1
    assert "3 pictures scored" in done.out
    assert "not readable: empty.png: an empty file" in done.err
    assert "not readable: sub/text.jpg: no picture, or a damaged one" in done.err
    unreadable = ferbench("predict", faces, *common, "--json").json["unreadable"]
    assert [item["path"] for item in unreadable] == ["empty.png", "half.png", "sub/text.jpg"]
    assert len(rows_of(tmp_path / "x.csv")) == 3


def test_pictures_of_any_kind_say_the_same(ferbench: Command, finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "kinds"
    folder.mkdir()
    pictures, _, _ = squares()
    grey = Image.fromarray(pictures[0]).resize((64, 64), Image.Resampling.NEAREST)
    grey.save(folder / "grey.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 256).save(folder / "sixteen-bit.png")
    Image.fromarray(np.asarray(grey).astype(np.float32)).save(folder / "real.tiff")
    grey.convert("P").save(folder / "palette.gif")
    grey.convert("RGBA").save(folder / "alpha.png")
    grey.convert("CMYK").save(folder / "cmyk.jpg", quality=100)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me right by a quarter to see me upright"
    grey.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    cell = finished.cell("nearest").id
    done = ferbench("predict", folder, "--cell", cell, "--out", finished.out, "--csv", tmp_path / "x.csv")
    assert done.code == 0, done.err
    rows = rows_of(tmp_path / "x.csv")
    assert len(rows) == 7
    scores = {path: [float(row[name]) for name in CLASSES] for path, row in rows.items()}
    for path, found in scores.items():
        assert found == pytest.approx(scores["grey.png"], abs=0.02), path


def test_a_picture_too_large_or_of_unknown_depth_is_refused(tmp_path: Path) -> None:
    from ferbench.evaluating import predicting

    path = tmp_path / "deep.tiff"
    Image.fromarray(np.full((4, 4), 1 << 20, np.int32)).save(path)
    with pytest.raises(ValueError, match="beyond 16 bits"):
        predicting.read_picture(path, (4, 4), "L")
    Image.new("1", (10_000, 5_001)).save(tmp_path / "wide.png")
    with pytest.raises(ValueError, match="too many"):
        predicting.read_picture(tmp_path / "wide.png", (4, 4), "L")


def test_what_cannot_be_predicted_is_named(ferbench: Command, finished: Finished, faces: Path, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    common = ("--out", finished.out, "--csv", tmp_path / "x.csv")
    refused = {
        "There is no picture in": ferbench("predict", tmp_path / "bare", *common),
        "does not exist": ferbench("predict", tmp_path / "nowhere", *common),
        "is a file": ferbench("predict", faces / "a.png", *common),
        "is failed; only finished cells predict": ferbench(
            "predict", faces, *common, "--cell", finished.cell("raising").id
        ),
        "/proc/x.csv cannot be written": ferbench("predict", faces, "--out", finished.out, "--csv", "/proc/x.csv"),
        "'gpu' is no device": ferbench("predict", faces, *common, "--device", "gpu"),
        "There are no results in": ferbench("predict", faces, "--out", tmp_path / "none"),
    }
    for words, outcome in refused.items():
        assert outcome.code == 2, words
        assert words in " ".join(outcome.err.replace("│", " ").split())
    assert not (tmp_path / "x.csv").exists()
