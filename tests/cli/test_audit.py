"""``ferbench data audit``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Finished

PICTURES = """
def read(path, context):
    import numpy as np
    from ferbench import Parsed, Samples
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (40, 48, 48)).astype(np.uint8)
    pixels[35] = pixels[2]
    origin = np.array(["train", "train", "val", "test"])[np.arange(40) // 10]
    return Parsed(Samples(np.array([f"p{i}" for i in range(40)]), np.arange(40) % 2, origin), {"image": pixels})

@hookimpl
def ferbench_datasets():
    from ferbench import ProtocolRule, given_split
    rule = ProtocolRule("official", given_split("train", "val", "test"))
    yield Dataset("private", "pictures", ("red", "blue"), (rule,), read, embedded=True)
"""


@pytest.fixture
def private(install: Callable[..., Path], data_root: Path) -> None:
    """A data set whose pictures may not be published."""
    install("private", PICTURES)


def test_it_tells_copies_and_keeps_what_it_found(ferbench: Command, private: None, tmp_path: Path) -> None:
    first = ferbench("data", "audit", "private@official", "--html", tmp_path / "audit.html")
    assert first.code == 0
    assert "samples of test that also stand in train: 1 (1)" in first.out
    assert "Comparing all pictures" in first.err
    assert "<img" not in (tmp_path / "audit.html").read_text()
    again = ferbench("data", "audit", "private", "--json")
    assert again.err == ""
    facts = again.json
    assert {"exact_duplicates", "conflicting_groups", "n", "classes"} <= set(facts["splits"]["test"])
    assert facts["across"]["test_with_copy_in_train"] == 1 and facts["across"]["val_with_copy_in_train"] == 0


def test_a_page_with_private_pictures_is_stamped_and_warned_of(
    ferbench: Command, private: None, tmp_path: Path
) -> None:
    page = tmp_path / "audit.html"
    done = ferbench("data", "audit", "private", "--html", page, "--private-pictures")
    assert "may not be published: keep this page to yourself" in done.out
    assert "Not to be published" in page.read_text()


def test_what_comes_into_a_folder_of_results_brings_a_kept_audit(
    ferbench: Command, private: None, tmp_path: Path
) -> None:
    ferbench("data", "audit", "private")
    table = tmp_path / "theirs.csv"
    table.write_text("\n".join(["label,prediction", *(f"{i % 2},{i % 2}" for i in range(10))]))
    done = ferbench("import", table, "-d", "private", "--name", "theirs", "--out", tmp_path / "out")
    assert "Near-duplicates (audit): 0 pairs; with them 1 test and 0 val samples" in " ".join(done.out.split())


def test_an_audit_after_a_run_joins_its_leaderboard(ferbench: Command, finished: Finished) -> None:
    before = ferbench("leaderboard", "--out", finished.out).out
    assert "Near-duplicates were not looked for" in before
    assert "samples of squares were scored" in " ".join(before.split())
    from ferbench.auditing.keeping import kept_or_made
    from ferbench.data.registry import load
    from ferbench.plugins import discover
    from tests.contract import PLUGIN

    dataset = discover(files=[PLUGIN]).dataset("squares")
    kept_or_made(load(dataset), dataset.default_protocol, lambda text: None)
    assert ferbench("data", "audit", "squares", "--plugin", PLUGIN, "--out", finished.out).code == 0
    after = ferbench("leaderboard", "--out", finished.out).out
    assert "Near-duplicates (audit): " in after and "not looked for" not in after


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fer2013"], "ferbench data add fer2013 PATH"),
        (["demmo"], "There is no data set 'demmo'. Did you mean 'demo'"),
        (["demo@oficial"], "Did you mean 'official'"),
        (["demo", "--out", "nowhere"], "There are no results in nowhere"),
    ],
)
def test_what_cannot_be_audited_is_named(ferbench: Command, private: None, arguments: list[str], words: str) -> None:
    refused = ferbench("data", "audit", *arguments)
    assert refused.code == 2
    assert words in refused.err
