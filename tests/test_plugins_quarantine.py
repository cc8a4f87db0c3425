"""A broken plugin is set aside with its cause, and nothing else is affected."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.plugins import Installed, PluginInfo, discover

Install = Callable[..., Path]

GOOD = """
@hookimpl
def ferbench_metrics():
    yield Metric("good-metric", compute=lambda scored: 1.0)
"""

BROKEN = {
    "an import error": ("import not_there_at_all", "No module named 'not_there_at_all' (fake_bad.py, line 2)"),
    "a syntax error": ("def (", "raised SyntaxError: invalid syntax (fake_bad.py, line 2)"),
    "a program that ends": ("import sys; sys.exit(3)", "ended the program (SystemExit: 3)"),
    "a wrong signature": (
        """
        @hookimpl
        def ferbench_models(config):
            yield Model("bad-model", build="x:y")

        @hookimpl
        def ferbench_metrics():
            yield Metric("bad-metric", compute=len)
        """,
        "wrong signature: definition: ferbench_models(config) Argument(s) {'config'} are declared",
    ),
    "a misspelt hook": (
        """
        @hookimpl
        def ferbench_model():
            yield Model("bad-model", build="x:y")
        """,
        "there is no hook named 'ferbench_model'. Did you mean 'ferbench_models'",
    ),
    "a hook that is not marked": (
        """
        def ferbench_models():
            yield Model("bad-model", build="x:y")
        """,
        "ferbench_models is not marked with @hookimpl",
    ),
    "a wrapper": (
        """
        @hookimpl(wrapper=True)
        def ferbench_models():
            return (yield)
        """,
        "ferbench_models is a wrapper",
    ),
    "no hook at all": ("x = 1", "it implements no hook"),
    "a hook that raises": (
        """
        @hookimpl
        def ferbench_models():
            return [Model("bad-model", build="x:y"), 1 / 0]
        """,
        "ferbench_models raised ZeroDivisionError: division by zero (fake_bad.py, line 5)",
    ),
    "a setting that there is not": (
        """
        from ferbench import Recipe

        @hookimpl
        def ferbench_models():
            yield Model("bad-model", build="x:y", recipe=Recipe(batchsize=64))
        """,
        "ferbench_models gave Recipe settings that it does not take: batchsize: unknown key. Did you mean 'batch_size'",
    ),
    "a setting out of its range": (
        """
        from ferbench import SGD

        @hookimpl
        def ferbench_models():
            yield Model("bad-model", build="x:y", recipe=SGD(lr=-1))
        """,
        "ferbench_models gave SGD settings that it does not take: lr: Input should be greater than 0 (given: -1) "
        "(fake_bad.py, line 7)",
    ),
    "a generator that raises half-way": (
        """
        @hookimpl
        def ferbench_metrics():
            yield Metric("bad-metric", compute=len)
            raise RuntimeError("half-way")
        """,
        "ferbench_metrics raised RuntimeError: half-way",
    ),
    "an exception that cannot be shown": (
        """
        class Mute(Exception):
            def __str__(self):
                raise ValueError
        raise Mute
        """,
        "raised Mute: its message cannot be shown",
    ),
    "a hook that returns None": (
        """
        @hookimpl
        def ferbench_models():
            Model("bad-model", build="x:y")
        """,
        "ferbench_models returned None",
    ),
    "a hook that returns one object": (
        """
        @hookimpl
        def ferbench_models():
            return Model("bad-model", build="x:y")
        """,
        "ferbench_models returned one Model: it should yield it",
    ),
    "a hook that yields None": (
        """
        @hookimpl
        def ferbench_metrics():
            yield Metric("bad-metric", compute=len)
            yield None
        """,
        "ferbench_metrics: it yielded None; expected Metric or Family",
    ),
    "an object of another kind": (
        """
        @hookimpl
        def ferbench_models():
            yield Metric("bad-metric", compute=len)
        """,
        "expected Model or Family",
    ),
    "a name that is not allowed": (
        """
        @hookimpl
        def ferbench_metrics():
            yield Metric("../bad", compute=len)
        """,
        "metric name '../bad' is not allowed",
    ),
    "a name that is no text": (
        """
        @hookimpl
        def ferbench_metrics():
            yield Metric(["bad-metric"], compute=len)
        """,
        "metric name ['bad-metric'] is not allowed",
    ),
    "a variant that is not allowed": (
        """
        @hookimpl
        def ferbench_models():
            yield Model("bad-model", build="x:y", variant="Very Big")
        """,
        "variant 'Very Big' is not allowed",
    ),
    "a model that is neither network nor estimator": (
        """
        @hookimpl
        def ferbench_models():
            yield Model("bad-model")
        """,
        "model 'bad-model' needs one of build, estimator and predictor",
    ),
    "a recipe of plain data": (
        """
        @hookimpl
        def ferbench_models():
            yield Model("bad-model", build="x:y", recipe={"epochs": 3})
        """,
        "recipe is dict; expected Recipe",
    ),
    "a data set with two classes of one name": (
        """
        @hookimpl
        def ferbench_datasets():
            yield Dataset("bad-data", "", ("a", "a"), protocols=(), read="x:y")
        """,
        "data set 'bad-data' needs classes (or dimensions), each with a name of its own",
    ),
    "a data set without protocols": (
        """
        @hookimpl
        def ferbench_datasets():
            yield Dataset("bad-data", "", ("a", "b"), protocols=(), read="x:y")
        """,
        "data set 'bad-data' needs at least one protocol",
    ),
    "a data set that is nonsense within": (
        """
        @hookimpl
        def ferbench_datasets():
            yield Dataset("bad-data", "", ("a", "b"), protocols=None, read="x:y")
        """,
        "checking it raised TypeError",
    ),
    "one name twice": (
        """
        @hookimpl
        def ferbench_metrics():
            yield Metric("bad-metric", compute=len)
            yield Metric("bad-metric", compute=max)
        """,
        "ferbench_metrics yielded two metrics named 'bad-metric'",
    ),
    "a reserved prefix": (
        """
        @hookimpl
        def ferbench_models():
            yield Family("tag", make=lambda argument: None)
        """,
        "family prefix 'tag' is not allowed",
    ),
    "a published number without its paper": (
        """
        @hookimpl
        def ferbench_reported():
            yield Reported("demo", "official", "test", "accuracy", 0.7, "Table 1", method="Theirs")
        """,
        "expected Reported with method and paper",
    ),
    "another version of the contract": (
        """
        plugin_api = 2

        @hookimpl
        def ferbench_models(what_is_new):
            yield Model("bad-model", build="x:y")
        """,
        "it is written for plugin API 2, and this ferbench offers 1: install a newer ferbench",
    ),
}


def info_of(installed: Installed, name: str) -> PluginInfo:
    return next(info for info in installed.plugins if info.name == name)


@pytest.mark.parametrize("source, cause", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_plugin_is_set_aside_alone(install: Install, source: str, cause: str) -> None:
    install("bad", source)
    install("good", GOOD)

    installed = discover(only=["bad", "good"])

    assert info_of(installed, "bad").state == "broken"
    assert cause in info_of(installed, "bad").cause
    assert "\n" not in info_of(installed, "bad").cause
    assert info_of(installed, "good").state == "ok"
    assert installed.names("metrics") == ["good-metric"]
    assert not installed.names("models")


def test_a_module_that_is_not_there_is_named(install: Install) -> None:
    install("bad", "", entry="bad = fake_bad:nothing_of_this_name")
    install("good", GOOD)
    installed = discover(only=["bad", "good"])
    assert "nothing_of_this_name" in info_of(installed, "bad").cause
    assert installed.names("metrics") == ["good-metric"]


def test_two_plugins_of_one_name_are_both_refused_and_their_packages_named(install: Install) -> None:
    install("twin", GOOD, package="fake-one")
    install("twin", GOOD.replace("good-metric", "other"), package="fake-two")
    install("good", GOOD)

    installed = discover(only=["twin", "good"])

    twins = [info for info in installed.plugins if info.name == "twin"]
    assert [info.state for info in twins] == ["broken", "broken"]
    assert all("from fake-one and fake-two" in info.cause for info in twins)
    assert installed.names("metrics") == ["good-metric"]


def test_the_second_of_two_plugins_with_one_object_name_is_refused_whole(install: Install) -> None:
    install("aaa", GOOD)
    install(
        "bbb",
        """
        @hookimpl
        def ferbench_metrics():
            yield Metric("another", compute=len)
            yield Metric("good-metric", compute=len)
        """,
    )

    installed = discover(only=["aaa", "bbb"])

    assert installed.names("metrics") == ["good-metric"]
    assert installed.plugin_of("metrics", "good-metric").name == "aaa"
    assert "'good-metric' is taken by the plugin 'aaa' (from fake-aaa)" in info_of(installed, "bbb").cause


def test_names_of_the_core_are_reserved(install: Install) -> None:
    install(
        "aaa",
        """
        @hookimpl
        def ferbench_models():
            yield Model("small-cnn", build="x:y")
        """,
    )
    installed = discover(only=["aaa", "builtin"])
    assert "'small-cnn' is taken by the plugin 'builtin'" in info_of(installed, "aaa").cause
    assert installed.plugin_of("models", "small-cnn").package == "ferbench"


def test_no_other_package_can_take_the_place_of_the_core(install: Install) -> None:
    install("builtin", GOOD, package="fake-core")
    installed = discover(only=["builtin"])
    states = {info.package: info.state for info in installed.plugins}
    assert states == {"ferbench": "ok", "fake-core": "broken"}
    assert "good-metric" not in installed.names("metrics")


def test_a_plugin_name_that_is_not_allowed_is_refused(install: Install) -> None:
    install("bad", GOOD, entry="Bad Name = fake_bad")
    installed = discover(only=["Bad Name"])
    assert "its name 'Bad Name' is not allowed" in installed.plugins[0].cause
    assert not installed.names("metrics")


def test_entry_points_that_cannot_be_read_affect_nothing_else(install: Install) -> None:
    install("bad", GOOD, entry="there is no equals sign here")
    install("good", GOOD)
    installed = discover()
    assert "its entry points cannot be read" in info_of(installed, "fake-bad").cause
    assert "good-metric" in installed.names("metrics")


def test_a_package_without_metadata_is_still_found(install: Install) -> None:
    file = install("bare", GOOD)
    (file.parent / "fake_bare-1.0.dist-info" / "METADATA").unlink()
    installed = discover(only=["bare"])
    assert installed.names("metrics") == ["good-metric"]


def test_a_distribution_that_stands_twice_on_the_path_is_one_plugin(
    install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = install("good", GOOD)
    copy = tmp_path_factory.mktemp("copy") / "site"
    shutil.copytree(file.parent, copy)
    monkeypatch.syspath_prepend(str(copy))
    assert [info.state for info in discover(only=["good"]).plugins] == ["ok"]


def test_what_a_plugin_prints_stays_out_of_standard_output(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("loud", "print('on import')\n" + GOOD.replace("    yield", "    print('in a hook')\n    yield", 1))
    installed = discover(only=["loud"])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "on import" in captured.err
    assert "in a hook" in captured.err
    assert installed.names("metrics") == ["good-metric"]


def test_an_interrupt_is_not_taken_for_a_broken_plugin(install: Install) -> None:
    install("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        discover(only=["slow"])
