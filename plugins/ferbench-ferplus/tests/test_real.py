"""The real data, where they are at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import ferbench_fer2013
import ferbench_ferplus
import numpy as np
import pytest
from ferbench_ferplus.numbering import PASSED_OVER, TWINS, numbered_rows
from ferbench_ferplus.votes import read_votes
from typer.testing import CliRunner

from ferbench import Dataset
from ferbench.cli.main import app
from ferbench.data.registry import add, load
from ferbench.data.splits import make_splits
from ferbench.data.stored import Loaded
from ferbench.nouns.split import Splits

(FERPLUS,) = ferbench_ferplus.ferbench_datasets()
(FER2013,) = ferbench_fer2013.ferbench_datasets()


def find(name: str) -> Dataset:
    return {"fer2013": FER2013}[name]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = Path(os.environ.get("FERBENCH_TEST_DATA", "")) / "fer2013"
    if "FERBENCH_TEST_DATA" not in os.environ or not (folder / "fer2013new.csv").exists():
        pytest.skip("FERBENCH_TEST_DATA does not name a folder with fer2013/fer2013new.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        together = add(FERPLUS, folder)
        add(FER2013, folder / "fer2013.tar.gz")
        alone = add(FERPLUS, folder / "fer2013new.csv", find=find)
        assert (together.partial, alone.partial) == ("", "")
        assert together.fingerprint == alone.fingerprint
        assert add(FERPLUS, folder / "fer2013new.csv", find=find).already
        return load(FERPLUS)


def splits(loaded: Loaded, name: str) -> Splits:
    return make_splits(loaded, next(rule for rule in loaded.dataset.protocols if rule.name == name))


@pytest.mark.parametrize(
    ("name", "train"),
    [("majority", 25_060), ("multi-label", 27_671), ("probabilistic", 27_956), ("cross-entropy", 27_956)],
)
def test_every_scheme_has_the_pictures_that_the_published_rule_keeps(loaded: Loaded, name: str, train: int) -> None:
    found = splits(loaded, name)
    assert (len(found.train), len(found.val), len(found.test)) == (train, 3_199, 3_153)
    np.testing.assert_array_equal(np.bincount(found.test.targets), [1090, 893, 396, 384, 273, 18, 83, 16])


def test_argmax_tests_on_3546_pictures(loaded: Loaded) -> None:
    found = splits(loaded, "argmax")
    assert (len(found.train), len(found.val), len(found.test)) == (28_389, 3_553, 3_546)


def test_ids_and_pixels_are_those_of_fer2013(loaded: Loaded) -> None:
    assert loaded.samples.ids[:18].tolist()[-2:] == ["fer2013-00016", "fer2013-00018"]
    assert len(loaded.samples.ids) == 35_714
    assert loaded.inputs is not None
    assert loaded.inputs["image"][0, 0, :5].tolist() == [70, 80, 82, 72, 58]
    assert loaded.samples.columns["votes"][0].tolist() == [4, 0, 0, 1, 3, 2, 0, 0]


def test_votes_are_those_that_people_gave(loaded: Loaded) -> None:
    columns = loaded.samples.columns
    given = columns["votes"].sum(axis=1) + columns["unknown"] + columns["not_a_face"]
    assert np.unique(given, return_counts=True)[1].tolist() == [1, 35_713]
    assert (columns["votes"] == 1).sum() > 10_000


def test_show_says_that_people_agree_with_82_in_100_majorities(loaded: Loaded) -> None:
    shown = CliRunner().invoke(app, ["show", "ferplus", "--json"], env={"FERBENCH_DATA": str(loaded.root.parents[1])})
    facts = json.loads(shown.stdout)
    assert facts["protocols"]["majority"]["test"]["human"]["annotator"] == pytest.approx(0.82, abs=0.005)
    assert facts["notes"].startswith("Votes: the edition of fer2013new.csv (")


def test_names_are_numbered_as_in_the_published_file(loaded: Loaded) -> None:
    with (Path(os.environ["FERBENCH_TEST_DATA"]) / "fer2013" / "fer2013new.csv").open("rb") as stream:
        names = read_votes(stream, "fer2013new.csv").names
    rows = numbered_rows(len(names))
    for number, row in enumerate(rows.tolist()):
        assert names[row] in ("", f"fer{number:07d}.png") or row in TWINS
    assert set(np.flatnonzero(names != "")) <= set(rows.tolist()) | set(TWINS)
    assert set(names[[row for row in PASSED_OVER if row not in TWINS]]) == {""}
    assert [names[row] for row in TWINS] == [f"fer{number:07d}.png" for number in TWINS.values()]
