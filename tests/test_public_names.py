"""Every public name is explained, can be written down where it is a setting, and has a test; so has every hook."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

import ferbench
from ferbench import (
    EMOTIONS,
    PLUGIN_API,
    CellEvent,
    DefaultInit,
    DownloadEntry,
    FerbenchError,
    InitFrom,
    InterruptedRunError,
    Modality,
    Problem,
    RandomViews,
    Recipe,
    RequiredCell,
    Settings,
    SettingsError,
    Side,
    SuiteRow,
    Task,
    canonical,
    walk_download,
)
from ferbench.nouns.emotions import LABEL_KIND_OF_TASK
from ferbench.plugins import discover
from ferbench.plugins.quarantine import HOOKS

ROOT = Path(__file__).parents[1]
REQUIRED: dict[str, Any] = {
    "size": 8,
    "patience": 3,
    "patterns": ("head.*",),
    "epochs": 2,
    "name": "n",
    "datasets": ("demo", "fer2013"),
    "models": ("small-cnn",),
    "algorithm": "lamb",
    "grids": ({},),
}
"""Values of fields that have no default, by the field's name."""

CHOICES: dict[str, dict[str, Any]] = {"InitFrom": {"weights": "fer+"}, "Step": {"every": 5}}
"""What nouns need that want one of several fields."""

SETTINGS = {
    name: value
    for name in ferbench.__all__
    if isinstance(value := getattr(ferbench, name), type) and issubclass(value, BaseModel)
}


def texts_of_tests() -> str:
    """The text of all tests of the core and of the plugins."""
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "plugins").glob("*/tests/**/*.py")]
    return "".join(path.read_text(encoding="utf-8") for path in files)


def made(kind: type[BaseModel]) -> BaseModel:
    """A setting with defaults, and the values above where it has none."""
    given: dict[str, Any] = {name: REQUIRED[name] for name, field in kind.model_fields.items() if field.is_required()}
    return kind(**given, **CHOICES.get(kind.__name__, {}))


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_a_setting_reads_back_what_it_writes_and_refuses_what_it_does_not_know(name: str) -> None:
    setting = made(SETTINGS[name])
    assert type(setting).model_validate_json(setting.model_dump_json()) == setting
    with pytest.raises(ValidationError, match="no_such_field"):
        type(setting).model_validate({**setting.model_dump(), "no_such_field": 1})
    with pytest.raises(ValidationError, match="frozen"):
        setattr(setting, next(iter(type(setting).model_fields), "field"), 0)


def test_every_public_name_is_explained() -> None:
    values = {name: getattr(ferbench, name) for name in ferbench.__all__}
    things = {name: value for name, value in values.items() if isinstance(value, type) or callable(value)}
    undocumented = [name for name, value in things.items() if not get_args(value) and not (value.__doc__ or "").strip()]
    assert undocumented == []


def test_no_public_name_is_named_twice() -> None:
    assert len(set(ferbench.__all__)) == len(ferbench.__all__)


def test_every_public_name_and_every_hook_has_a_test() -> None:
    written = texts_of_tests()
    untested = [name for name in (*ferbench.__all__, *HOOKS) if not re.search(rf"\b{name}\b", written)]
    assert untested == []


def test_words_that_nouns_share_are_these() -> None:
    assert set(get_args(Task)) == set(LABEL_KIND_OF_TASK)
    assert get_args(Modality) == ("image", "video", "eeg")
    assert get_args(Side) == ("train", "val", "test")
    assert EMOTIONS[:3] == ("anger", "disgust", "fear")
    assert len(set(EMOTIONS)) == 8
    assert {canonical("Happy"), canonical(" JOY "), canonical("happiness")} == {"happiness"}


def test_every_fault_is_one_that_a_user_can_mend() -> None:
    public = [getattr(ferbench, name) for name in ferbench.__all__]
    faults = [value for value in public if isinstance(value, type) and issubclass(value, Exception)]
    assert InterruptedRunError in faults
    assert [fault for fault in faults if not issubclass(fault, FerbenchError)] == []
    error = SettingsError([Problem("recipe.epochs", "too few"), Problem("", "and more")])
    assert str(error) == "These settings cannot be used:\n  recipe.epochs: too few\n  and more"


def test_weights_to_begin_with_have_one_source() -> None:
    for wrong in ({}, {"weights": "fer+", "role": "teacher"}):
        with pytest.raises(ValidationError, match="name either registered weights or the role"):
            InitFrom.model_validate(wrong)
    assert InitFrom(role="teacher").mode == "transfer"


def test_views_rows_and_first_weights_are_settings() -> None:
    assert Recipe().init == DefaultInit()
    recipe = Recipe.model_validate({"tta": RandomViews().model_dump()})
    assert recipe.tta == RandomViews()
    with pytest.raises(ValidationError, match="hold for the whole suite"):
        SuiteRow(name="two jobs", set={"run.jobs": 2})
    assert issubclass(SuiteRow, Settings)


def test_a_download_is_walked_entry_by_entry(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "1.txt").write_bytes(b"one")
    (entry,) = walk_download(tmp_path)
    assert isinstance(entry, DownloadEntry)
    assert (entry.path.as_posix(), entry.open().read()) == ("train/1.txt", b"one")


def test_stand_ins_are_what_a_required_cell_is() -> None:
    from ferbench.checking.trial import StandIn

    promised = {name for name in vars(RequiredCell) if not name.startswith("_")}
    assert promised == {"id", "scores", "network", "features", "logits"}
    assert promised <= set(dir(StandIn)) | set(StandIn.__dataclass_fields__)


def test_observers_are_told_of_every_event(tmp_path: Path) -> None:
    source = "from ferbench import hookimpl\nTOLD = []\n" + "".join(
        f"@hookimpl\ndef {hook}(event):\n    TOLD.append(({hook!r}, event))\n"
        for hook in ("ferbench_run_started", "ferbench_cell_finished", "ferbench_run_finished")
    )
    (tmp_path / "observer.py").write_text(f"{source}plugin_api = {PLUGIN_API}\n", encoding="utf-8")
    installed = discover(only=[], files=[tmp_path / "observer.py"])
    event = CellEvent(tmp_path, "run-1", "cell-1", "done", tmp_path)
    for hook in ("ferbench_cell_finished", "ferbench_run_finished"):
        installed.notify(hook, event)
    told = sys.modules["observer"].TOLD
    assert told == [("ferbench_cell_finished", event), ("ferbench_run_finished", event)]
