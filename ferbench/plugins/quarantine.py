"""One plugin's contents, or the cause for which it is set aside. Nothing of a broken plugin is kept."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pluggy
from pydantic import BaseModel, ValidationError

from ferbench import hookspecs
from ferbench.errors import did_you_mean
from ferbench.nouns.dataset import Dataset
from ferbench.nouns.emotions import canonical
from ferbench.nouns.family import PLUGIN_API, Family
from ferbench.nouns.metric import Metric
from ferbench.nouns.model import Model
from ferbench.nouns.paper import Reported
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.sampler import Sampler
from ferbench.nouns.settings import Options, problems_of
from ferbench.nouns.suite import Suite

Kind = Literal["datasets", "models", "samplers", "metrics", "suites"]

KINDS: dict[Kind, type] = {
    "datasets": Dataset,
    "models": Model,
    "samplers": Sampler,
    "metrics": Metric,
    "suites": Suite,
}
NOUNS: dict[Kind, str] = {
    "datasets": "data set",
    "models": "model",
    "samplers": "sampler",
    "metrics": "metric",
    "suites": "suite",
}
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("ferbench_"))
EVENT_HOOKS = tuple(name for name in HOOKS if inspect.signature(getattr(hookspecs, name)).parameters)
NAME = re.compile(r"[a-z0-9][a-z0-9._+-]*")


class Quarantined(Exception):
    """A plugin that is set aside. The message is the cause, for people."""


@dataclass(frozen=True)
class Contents:
    """Everything that one plugin adds, and its observers by hook name."""

    objects: dict[Kind, dict[str, Any]]
    families: dict[Kind, dict[str, Family]]
    reported: tuple[Reported, ...]
    observers: dict[str, Callable[..., None]]


@contextlib.contextmanager
def guarded(doing: str) -> Iterator[None]:
    """Turn whatever a plugin's code raises into Quarantined, and keep what it prints out of standard output."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except Quarantined:
        raise
    except (Exception, SystemExit) as error:
        raise Quarantined(f"{doing} {described(error)}") from error


def described(error: BaseException) -> str:
    """Return ``raised ValueError: text (network.py, line 3)`` on one line."""
    try:
        text = " ".join(str(error).split())[:500]
    except Exception:
        text = "its message cannot be shown"
    if isinstance(error, SystemExit):
        return f"ended the program (SystemExit: {text})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__ and not _NOT_ITS_OWN.search(frame.filename)]
    told = isinstance(error, SyntaxError)  # its text names file and line; the frame is that of whoever compiled it
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own and not told else ""
    made = _settings_in_the_making(error)
    if made is not None and isinstance(error, ValidationError):
        problems = "; ".join(str(problem) for problem in problems_of(error, made))
        return f"gave {made.__name__} settings that it does not take: {problems:.700}{place}"
    return f"raised {type(error).__name__}: {text}{place}"


_NOT_ITS_OWN = re.compile(r"importlib|[/\\]pydantic[/\\]")
"""Files that stand between a plugin's own line and the error."""


def _settings_in_the_making(error: BaseException) -> type[BaseModel] | None:
    """The class of settings whose constructor raised: a ValidationError tells its title alone."""
    makers = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((type(maker) for maker in reversed(makers) if isinstance(maker, BaseModel)), None)


def contents_of(plugin: object) -> Contents:
    """Return what an imported plugin adds. Raises Quarantined at the first thing that breaks the contract."""
    api = getattr(plugin, "plugin_api", PLUGIN_API)
    if api != PLUGIN_API:
        newer = "ferbench" if isinstance(api, int) and api > PLUGIN_API else "the plugin"
        raise Quarantined(
            f"it is written for plugin API {api!r}, and this ferbench offers {PLUGIN_API}: install a newer {newer}"
        )
    hooks = _hooks_of(plugin)
    objects: dict[Kind, dict[str, Any]] = {kind: {} for kind in KINDS}
    families: dict[Kind, dict[str, Family]] = {kind: {} for kind in KINDS}
    for kind in KINDS:
        hook = f"ferbench_{kind}"
        for item in _yielded(hook, hooks.get(hook)):
            fault = fault_of(kind, item)
            if fault:
                raise Quarantined(f"{hook}: {fault}")
            key = key_of(item)
            table = families[kind] if isinstance(item, Family) else objects[kind]
            if key in table:
                raise Quarantined(f"{hook} yielded two {NOUNS[kind]}s named {key!r}")
            table[key] = item
    reported = tuple(_yielded("ferbench_reported", hooks.get("ferbench_reported")))
    for row in reported:
        if not isinstance(row, Reported) or not row.method or row.paper is None:
            raise Quarantined(f"ferbench_reported yielded {row!r:.80}; expected Reported with method and paper")
    observers = {name: function for name, function in hooks.items() if name in EVENT_HOOKS}
    return Contents(objects, families, reported, observers)


def _hooks_of(plugin: object) -> dict[str, Callable[..., Any]]:
    """Check a plugin's hooks against the specification, and return them by name.

    Each plugin has a manager of its own, so that nothing which a broken one registered can stay behind.
    """
    manager = pluggy.PluginManager("ferbench")
    manager.add_hookspecs(hookspecs)
    try:
        with guarded("reading its hooks"):
            manager.register(plugin)
    except Quarantined as error:
        if isinstance(error.__cause__, pluggy.PluginValidationError):
            raise Quarantined(
                f"wrong signature: {' '.join(str(error.__cause__).split('hookimpl ', 1)[-1].split())}"
            ) from None
        raise
    found: dict[str, Callable[..., Any]] = {}
    for caller in manager.get_hookcallers(plugin) or ():
        implementation = caller.get_hookimpls()[0]
        if implementation.wrapper or implementation.hookwrapper:
            raise Quarantined(f"{caller.name} is a wrapper, and the hooks of ferbench take plain functions")
        if caller.has_spec():
            found[caller.name] = _fitted(implementation)
        elif not implementation.optionalhook:
            raise Quarantined(f"there is no hook named {caller.name!r}.{did_you_mean(caller.name, HOOKS)}")
    for name in HOOKS:
        if name not in found and inspect.isroutine(inspect.getattr_static(plugin, name, None)):
            raise Quarantined(f"{name} is not marked with @hookimpl")
    if not found:
        raise Quarantined("it implements no hook; does its entry point name the module that has them?")
    return found


def _fitted(implementation: pluggy.HookImpl) -> Callable[..., Any]:
    """Return a hook's function that leaves out the arguments for which the plugin did not ask."""
    return lambda *given: implementation.function(*given[: len(implementation.argnames)])


def _yielded(hook: str, function: Callable[..., Any] | None) -> list[Any]:
    if function is None:
        return []
    with guarded(hook):
        result = function()
        if result is None:
            raise Quarantined(f"{hook} returned None: it should yield what it adds, or return a list")
        if not isinstance(result, Iterable):
            raise Quarantined(f"{hook} returned one {type(result).__name__}: it should yield it")
        return list(result)


def key_of(item: Any) -> str:
    """Return the name under which an object is found: a model's with its variant, a family's prefix."""
    if isinstance(item, Family):
        return item.prefix
    return item.full_name if isinstance(item, Model) else str(item.name)


def fault_of(kind: Kind, item: object) -> str:
    """Return what is wrong with an object that a hook yielded, or an empty string."""
    if isinstance(item, Family):
        if item.prefix == "tag" or not _is_name(item.prefix):
            return f"family prefix {item.prefix!r} is not allowed{_ALLOWED}"
        return "" if callable(item.make) else f"family {item.prefix!r} cannot be made: make is not a function"
    expected = KINDS[kind]
    if not isinstance(item, expected):
        return f"it yielded {item!r:.80}; expected {expected.__name__} or Family"
    if not _is_name(getattr(item, "name", None)):
        return f"{NOUNS[kind]} name {getattr(item, 'name', None)!r} is not allowed{_ALLOWED}"
    return inner_fault(item)


_ALLOWED = ": use lower case letters, digits and - _ . + only"


def inner_fault(item: object) -> str:
    """Return what is wrong within an object, its name aside, or an empty string."""
    where = repr(getattr(item, "name", ""))
    if isinstance(item, Model):
        if item.variant and not _is_name(item.variant):
            return f"model {where}: variant {item.variant!r} is not allowed{_ALLOWED}"
        if [item.build, item.estimator, item.predictor].count(None) != 2:
            return f"model {where} needs one of build, estimator and predictor"
        if item.predictor is not None and len({canonical(name) for name in item.classes}) < max(2, len(item.classes)):
            return f"finished model {where} needs two or more classes of different meaning (given: {item.classes})"
        if not isinstance(item.recipe, Recipe):
            return f"model {where}: recipe is {type(item.recipe).__name__}; expected Recipe"
    if isinstance(item, Model | Sampler) and not isinstance(item.options, Options):
        return f"{where}: options is {type(item.options).__name__}; expected a subclass of Options"
    if isinstance(item, Dataset):
        if not item.classes or len(set(item.classes)) < len(item.classes):
            return (
                f"data set {where} needs classes (or dimensions), each with a name of its own (given: {item.classes})"
            )
        if item.bases and not item.embedded:
            return f"data set {where} is made from others: it must be embedded"
        names = [protocol.name for protocol in item.protocols]
        if not names or len(set(names)) < len(names) or not all(_is_name(name) for name in names):
            return (
                f"data set {where} needs at least one protocol, each with a name of its own{_ALLOWED} (given: {names})"
            )
    return ""


def _is_name(name: object) -> bool:
    return isinstance(name, str) and NAME.fullmatch(name) is not None
