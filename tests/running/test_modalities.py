"""Clips and EEG, from recordings to the leaderboard, with the plugins that ``ferbench new`` writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import ferbench
from ferbench import DataError, SettingsError
from ferbench.data.registry import add
from ferbench.evaluating.further import Wanted as Evaluation
from ferbench.evaluating.further import evaluate_cell, find_other
from ferbench.nouns.emotions import Modality
from ferbench.plugins import discover
from ferbench.running.api import RunResult
from ferbench.scaffold.writing import Wanted, write_plugin
from ferbench.store.store import Store
from tests.contract import PLUGIN, Contract
from tests.media import write_clips, write_eeg


@dataclass(frozen=True)
class Written:
    """A model and a data set that ``ferbench new`` wrote, with registered recordings."""

    modality: Modality
    files: tuple[Path, ...]
    out: Path

    def run(self, **arguments: Any) -> RunResult:
        """Train the model on the data set."""
        return ferbench.run(
            "demo",
            out=self.out,
            plugins=[*self.files, PLUGIN],
            datasets=arguments.pop("datasets", [f"{self.modality}-dataset"]),
            models=[f"{self.modality}-model", *arguments.pop("models", ())],
            device="cpu",
            seeds=1,
            set={"run.threads": 1, "run.probe": False, "run.workers": 0} | arguments.pop("set", {}),
            **arguments,
        )


def written(modality: Modality, write: Callable[[Path], Path], folder: Path) -> Written:
    files: list[Path] = []
    for kind in ("model", "dataset"):
        wanted = Wanted(kind, f"{modality}-{kind}", folder, single_file=True, modality=modality)
        files += write_plugin(wanted, discover())
    add(discover(files=files).dataset(f"{modality}-dataset"), write(folder / "recordings"))
    return Written(modality, tuple(files), folder / "out")


@pytest.fixture(scope="module")
def eeg(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return written("eeg", write_eeg, tmp_path_factory.mktemp("eeg"))


@pytest.fixture(scope="module")
def trained_eeg(eeg: Written) -> RunResult:
    return eeg.run(epochs=6, models=["tiny"])


def losses_fall(result: RunResult) -> bool:
    histories = [cell.history() for cell in Store(result.out).cells if cell.state == "done"]
    return bool(histories) and all(rows[-1]["train_loss"] < rows[0]["train_loss"] for rows in histories)


def test_clips_of_unequal_length_go_from_files_to_the_leaderboard(contract: Contract, tmp_path: Path) -> None:
    pytest.importorskip("decord")
    result = written("video", write_clips, tmp_path).run(epochs=3)
    (row,) = result.leaderboard.rows
    assert (row["dataset"], row["model"], row["folds"], row["n_test"]) == ("video-dataset", "video-model", 5, 35)
    assert not result.failed and losses_fall(result)


def test_eeg_goes_from_recordings_to_the_leaderboard(trained_eeg: RunResult) -> None:
    (row,) = trained_eeg.leaderboard.rows
    assert (row["protocol"], row["folds"], row["n_test"]) == ("leave-one-subject-out", 4, 96)
    assert not trained_eeg.failed and losses_fall(trained_eeg)


def test_models_of_another_modality_are_left_out(trained_eeg: RunResult) -> None:
    skipped = {item["what"]: item["why"] for item in Store(trained_eeg.out).run(trained_eeg.run_id)["skipped"]}
    assert skipped["tiny on eeg-dataset@leave-one-subject-out"] == "the data are eeg, the model takes image"


def test_augmentation_of_pictures_is_refused_for_eeg(eeg: Written) -> None:
    with pytest.raises(SettingsError, match="horizontal-flip changes pictures, and the data are eeg"):
        eeg.run(set={"recipe.augmentation": [{"name": "horizontal-flip"}]})


def test_a_model_of_eeg_is_not_tested_on_pictures(trained_eeg: RunResult) -> None:
    cell = next(iter(Store(trained_eeg.out).cells))
    with pytest.raises(DataError, match="The model was trained on eeg, and squares holds image"):
        evaluate_cell(cell, Evaluation(other=find_other(discover(files=[PLUGIN]), "squares")), "cpu")
