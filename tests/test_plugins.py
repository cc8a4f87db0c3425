"""What is installed: names, patterns, families, files, disabled plugins, source hashes, observers."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ferbench import PluginError, RunEvent, UnknownNameError
from ferbench.plugins import Installed, discover

Install = Callable[..., Path]

MODELS = """
from ferbench import Paper, Recipe, UnknownNameError

def _made(argument):
    if argument == "absent":
        raise UnknownNameError("no such network")
    if argument == "raises":
        raise ValueError("a bug")
    if argument == "other":
        return Model("fake:another-name", build="x:y")
    if argument == "number":
        return 3
    name, _, variant = argument.partition("@")
    return Model("fake:" + name, build="x:y", variant=variant)

@hookimpl
def ferbench_models():
    yield Model("net-a", build="x:y", tags=frozenset({"small"}))
    yield Model("net-a", build="x:y", variant="wide", tags=frozenset({"small"}))
    yield Model("net-b", build="x:y")
    yield Model("net-oracle", build="x:y", recipe=Recipe(selection="oracle"), tags=frozenset({"small"}))
    yield Family("fake", make=_made)

@hookimpl
def ferbench_datasets():
    from ferbench import ProtocolRule
    rules = tuple(ProtocolRule(name, divide=len) for name in ("official", "merged"))
    yield Dataset("data-a", "", ("happy", "sad"), protocols=rules, read="x:y", tags=frozenset({"faces"}))
    yield Family("folder", make=lambda path: Dataset("folder:" + path, "", ("a", "b"), protocols=rules, read="x:y"))

@hookimpl
def ferbench_reported():
    paper = Paper("Title", "Authors", 2020)
    yield Reported("data-a", "official", "test", "accuracy", 0.7, "Table 1", method="Theirs", paper=paper)
"""


@pytest.fixture
def installed(install: Install) -> Installed:
    """A plugin with four models, a data set, a family of each and a published number."""
    install("models", MODELS)
    return discover(only=["models"])


def test_every_variant_of_a_model_has_a_name(installed: Installed) -> None:
    assert installed.names("models") == ["net-a", "net-a@wide", "net-b", "net-oracle"]
    assert installed.model("net-a@wide").variant == "wide"
    assert installed.model("net-a").variant == ""


def test_published_numbers_without_a_model_are_kept(installed: Installed) -> None:
    assert [row.method for row in installed.reported] == ["Theirs"]


def test_a_star_means_default_variants_and_no_oracle(installed: Installed) -> None:
    assert installed.expand("models", ["*"]) == ["net-a", "net-b"]


def test_a_tag_means_default_variants_and_no_oracle(installed: Installed) -> None:
    assert installed.expand("models", ["tag:small"]) == ["net-a"]


def test_variants_and_oracles_join_by_name_in_the_order_given_and_once(installed: Installed) -> None:
    patterns = ["net-oracle", "net-a@wide", "*", "net-a", "fake:x@big"]
    assert installed.expand("models", patterns) == ["net-oracle", "net-a@wide", "net-a", "net-b", "fake:x@big"]


def test_a_data_set_may_name_its_protocol(installed: Installed) -> None:
    assert installed.expand("datasets", ["data-a@merged", "*"]) == ["data-a@merged", "data-a"]


def test_an_unknown_protocol_is_named_with_those_that_exist(installed: Installed) -> None:
    with pytest.raises(UnknownNameError, match=r"no protocol 'oficial'. Did you mean 'official'\? .*official, merged"):
        installed.expand("datasets", ["data-a@oficial"])


def test_a_folder_with_an_at_sign_is_no_protocol(installed: Installed) -> None:
    assert installed.expand("datasets", ["folder:/me@home/faces"]) == ["folder:/me@home/faces"]
    assert installed.expand("datasets", ["folder:/faces@merged"]) == ["folder:/faces@merged"]


def test_all_unknown_patterns_are_named_at_once(installed: Installed) -> None:
    with pytest.raises(UnknownNameError) as caught:
        installed.expand("models", ["net-q", "net-b", "tag:smal", "wholly-different"])
    message = str(caught.value)
    assert "no model 'net-q'. Did you mean 'net-b'" in message
    assert "tag 'smal'. Did you mean 'small'" in message
    assert "no model 'wholly-different'" in message
    assert "`uv sync`" in message


def test_an_unknown_variant_is_told_the_known_ones(installed: Installed) -> None:
    with pytest.raises(UnknownNameError, match="Variants: net-a, net-a@wide"):
        installed.model("net-a@narrow")


def test_an_unknown_name_tells_which_plugins_are_not_in_use(install: Install) -> None:
    install("bad", "import not_there_at_all")
    with pytest.raises(UnknownNameError, match=r"not in use: bad \(broken: importing it raised ModuleNotFoundError"):
        discover(only=["bad"]).suite("anything")


def test_a_family_makes_what_its_name_asks_for(installed: Installed) -> None:
    assert installed.model("fake:convnext@paper").full_name == "fake:convnext@paper"
    assert installed.plugin_of("models", "fake:convnext").name == "models"
    assert [family.prefix for family in installed.families("models")] == ["fake"]


def test_a_family_may_refuse_a_name(installed: Installed) -> None:
    with pytest.raises(UnknownNameError, match="no such network"):
        installed.model("fake:absent")


@pytest.mark.parametrize(
    "argument, message",
    [("raises", "raised ValueError: a bug"), ("other", "it returned"), ("number", "it returned 3; expected Model")],
)
def test_a_family_that_breaks_the_contract_is_named(installed: Installed, argument: str, message: str) -> None:
    with pytest.raises(PluginError, match=rf"plugin 'models' \(from fake-models\) is broken.*{message}"):
        installed.model(f"fake:{argument}")


def test_a_disabled_plugin_is_listed_and_not_imported(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("off", "raise SystemExit('imported')")
    monkeypatch.setenv("FERBENCH_DISABLE_PLUGINS", "another, off")
    (info,) = discover(only=["off"]).plugins
    assert info.state == "disabled"
    assert "FERBENCH_DISABLE_PLUGINS" in info.cause
    assert "fake_off" not in sys.modules


def test_only_the_named_plugins_are_imported(install: Install) -> None:
    install("wanted", MODELS)
    install("unwanted", "raise SystemExit('imported')")
    assert [info.name for info in discover(only=["wanted"]).plugins] == ["wanted"]
    assert "fake_unwanted" not in sys.modules


def test_a_plugin_that_is_named_and_not_installed_is_an_error() -> None:
    with pytest.raises(PluginError, match="not installed here: gone"):
        discover(only=["gone"])


def test_a_plugin_says_where_it_comes_from(install: Install) -> None:
    file = install("models", MODELS)
    (info,) = discover(only=["models"]).plugins
    assert (info.package, info.version, info.location) == ("fake-models", "1.0", str(file))


FILE = """
from ferbench import Model, hookimpl

@hookimpl
def ferbench_models():
    yield Model("from-file", build="from_one_file:Net")

def Net(spec): ...
"""


@pytest.fixture
def plugin_file(tmp_path: Path) -> Iterator[Path]:
    """A plugin in a single file; its module is forgotten after the test."""
    file = tmp_path / "from_one_file.py"
    file.write_text(FILE, encoding="utf-8")
    yield file
    sys.modules.pop("from_one_file", None)


def test_a_single_file_is_a_plugin(plugin_file: Path) -> None:
    from ferbench.nouns.reference import resolve

    installed = discover(only=[], files=[plugin_file, plugin_file])
    (info,) = installed.plugins
    assert (info.name, info.state, info.location) == ("from_one_file", "ok", str(plugin_file))
    assert resolve(installed.model("from-file").build).__name__ == "Net"


def test_a_file_that_changed_is_read_anew(plugin_file: Path) -> None:
    first = discover(only=[], files=[plugin_file])
    plugin_file.write_text(FILE.replace("from-file", "from-tile"), encoding="utf-8")
    second = discover(only=[], files=[plugin_file])
    assert second.names("models") == ["from-tile"]
    assert first.plugins[0].source_hash != second.plugins[0].source_hash
    assert not (plugin_file.parent / "__pycache__").exists()


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("absent.py", None, "is not there"),
        ("method.txt", FILE, "is not a Python file"),
        ("MyMethod.py", FILE, "cannot name a plugin"),
        ("json.py", FILE, "would hide the Python module 'json'"),
        ("broken_file.py", "import not_there_at_all", "cannot be used: importing it raised ModuleNotFoundError"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(PluginError, match=message):
        discover(only=[], files=[tmp_path / name])
    assert "broken_file" not in sys.modules


def test_a_file_named_like_an_installed_plugin_is_refused(install: Install, plugin_file: Path) -> None:
    install("from_one_file", MODELS)
    with pytest.raises(
        PluginError, match=r"two plugins are named 'from_one_file', from .*from_one_file\.py and fake-from-one-file"
    ):
        discover(only=[], files=[plugin_file])


def _package(folder: Path, name: str, network: str = "x = 1\n") -> Path:
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FILE.replace("from-file", name.replace("_", "-")), encoding="utf-8")
    (package / "network.py").write_text(network, encoding="utf-8")
    return package


def test_the_source_hash_is_that_of_every_python_file_of_the_package(install: Install, tmp_path: Path) -> None:
    site = install("hashed", "", entry="hashed = hashed_package").parent
    package = _package(site, "hashed_package")

    def _hash() -> str:
        for name in [name for name in sys.modules if name.startswith("hashed_package")]:
            del sys.modules[name]
        (info,) = discover(only=["hashed"]).plugins
        assert info.state == "ok", info.cause
        return info.source_hash

    before = _hash()
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "left.py").write_text("1", encoding="utf-8")
    (package / "README.md").write_text("text", encoding="utf-8")
    assert _hash() == before
    (package / "network.py").write_text("x = 2\n", encoding="utf-8")
    changed = _hash()
    (package / "network.py").rename(package / "net.py")
    assert len({before, changed, _hash()}) == 3


def test_the_source_hash_does_not_depend_on_the_place_of_installation(tmp_path: Path) -> None:
    from ferbench.plugins.discovery import hash_of

    hashes = set()
    for place in ("here", "there/deeper"):
        package = _package(tmp_path / place, "same_package")
        hashes.add(hash_of((path.name, path) for path in sorted(package.glob("*.py"))))
    assert len(hashes) == 1


OBSERVER = """
@hookimpl
def ferbench_run_started(event):
    with open(event.out / "{name}.txt", "a") as file:
        file.write(event.run_id)
"""


def test_observers_are_told_and_one_that_raises_disturbs_no_other(
    install: Install, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install("first", "@hookimpl\ndef ferbench_run_started(event):\n    raise RuntimeError('observer')")
    install("second", OBSERVER.format(name="second"))
    install("third", "@hookimpl\ndef ferbench_run_started():\n    raise SystemExit")
    installed = discover(only=["first", "second", "third"])

    with caplog.at_level(logging.WARNING):
        installed.notify("ferbench_run_started", RunEvent(tmp_path, "run-1", "demo", ()))

    assert (tmp_path / "second.txt").read_text(encoding="utf-8") == "run-1"
    assert "plugin 'first' failed in ferbench_run_started: it raised RuntimeError: observer" in caplog.text
    assert "plugin 'third'" in caplog.text


def test_an_event_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ferbench_run_begun"):
        discover(only=[]).notify("ferbench_run_begun", RunEvent(tmp_path, "run-1", "demo", ()))
