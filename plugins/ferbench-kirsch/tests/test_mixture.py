"""The mixture of FER2013 and LFW that the README shows, on made-up pictures."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ferbench
from ferbench.data.registry import add, load
from ferbench.plugins import discover
from ferbench.running import api
from ferbench.running.launch import make_launcher

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def write_fer2013(path: Path) -> Path:
    """Six pictures of each class in training, two in each of the other sides."""
    rng = np.random.default_rng(1)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["emotion", "pixels", "Usage"])
        for usage, each in (("Training", 6), ("PublicTest", 2), ("PrivateTest", 2)):
            for label in sorted(range(7)) * each:
                writer.writerow([label, " ".join(map(str, rng.integers(0, 256, 2304))), usage])
    return path


def write_lfw(root: Path) -> Path:
    """Ten persons with a picture of each emotion, and the table of labels."""
    lines = ["path,label"]
    for person in range(10):
        for number, emotion in enumerate(EMOTIONS, 1):
            file = f"lfw/Person_{person}/Person_{person}_{number:04d}.jpg"
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(10 * person + number).integers(0, 256, (10, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((250, 250), Image.Resampling.NEAREST).save(root / file)
            lines.append(f"{file},{emotion}")
    (root / "emotions.csv").write_text("\n".join(lines))
    return root


def test_the_mixture_in_the_readme_trains_and_keeps_people_and_sources_apart(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```toml\n(.*?)```", readme, re.DOTALL)
    assert block is not None
    suite = tmp_path / "fer2013-lfw.toml"
    suite.write_text(block[1])
    installed = discover()
    add(installed.dataset("fer2013"), write_fer2013(tmp_path / "fer2013.csv"), allow_partial=True)
    assert add(installed.dataset("lfw"), write_lfw(tmp_path / "copy")).partial == ""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "make_launcher", make_launcher)  # a server that other tests began has other data
    settings = {"model.options.width": 0.25, "model.options.hidden": 16, "run.threads": 1, "run.probe": False}
    done = ferbench.run(str(suite), models=["kirsch-cnn"], epochs=1, seeds=1, set=settings)
    table = ferbench.leaderboard(done.out)
    (row,) = table.to_dict("records")
    assert (row["dataset"], row["model"]) == ("compose:fer2013-lfw", "kirsch-cnn") and not row["reported"]
    mixed = load(discover().dataset("compose:fer2013-lfw")).samples
    assert mixed.origin is not None
    counts = {
        (source, side): int(((mixed.columns["source"] == source) & (mixed.origin == side)).sum())
        for source in ("fer2013", "lfw")
        for side in ("train", "val", "test")
    }
    assert counts["fer2013", "train"] == 42 and counts["fer2013", "test"] == 14
    assert counts["lfw", "test"] == 14 and counts["lfw", "train"] + counts["lfw", "val"] == 56
    people = {side: set(mixed.groups["subject"][mixed.origin == side].tolist()) - {""} for side in ("train", "test")}
    assert people["test"] and not people["train"] & people["test"]
