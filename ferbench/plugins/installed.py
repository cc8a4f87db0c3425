"""What is installed, by kind and name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeVar

from ferbench.errors import DataError, FerbenchError, PluginError, UnknownNameError, did_you_mean
from ferbench.nouns.dataset import Dataset, split_protocol
from ferbench.nouns.event import CellEvent, RunEvent
from ferbench.nouns.family import Family
from ferbench.nouns.metric import Metric
from ferbench.nouns.model import Model
from ferbench.nouns.paper import Reported
from ferbench.nouns.sampler import Sampler
from ferbench.nouns.suite import Suite
from ferbench.nouns.weights import Weights
from ferbench.plugins.quarantine import (
    EVENT_HOOKS,
    KINDS,
    NOUNS,
    Contents,
    Kind,
    Quarantined,
    described,
    guarded,
    inner_fault,
    key_of,
)

logger = logging.getLogger(__name__)

Noun = TypeVar("Noun")
SHOWN = 15


@dataclass(frozen=True)
class PluginInfo:
    """A plugin: where it comes from, and whether it is in use.

    ``package`` and ``version`` are those of the distribution, empty for a single file. ``source_hash`` is the SHA-256
    of its Python files, empty unless ``state`` is ``ok``. ``cause`` says why it is not in use. ``changed``: what it
    changed in this process when it was loaded; all of that was put back.
    """

    name: str
    package: str = ""
    version: str = ""
    source_hash: str = ""
    location: str = ""
    state: Literal["ok", "disabled", "broken"] = "ok"
    cause: str = ""
    changed: tuple[str, ...] = field(default=(), compare=False)

    @property
    def origin(self) -> str:
        """`` (from PACKAGE)``, for messages."""
        return f" (from {self.package or self.location})"


@dataclass(frozen=True)
class Installed:
    """All that plugins add. Methods that take a name raise UnknownNameError for one that is not there."""

    loaded: tuple[tuple[PluginInfo, Contents | None], ...]

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """All plugins, those that are broken or disabled included."""
        return tuple(info for info, _ in self.loaded)

    @property
    def reported(self) -> tuple[Reported, ...]:
        """Published numbers of methods that are not installed."""
        return tuple(row for _, contents in self._in_use() for row in contents.reported)

    @property
    def weights(self) -> dict[str, Weights]:
        """Files of weights that installed models name, by name; a family's models are not asked."""
        models = [model for _, contents in self._in_use() for model in contents.objects["models"].values()]
        return {each.name: each for model in sorted(models, key=key_of) for each in model.weights}

    def names(self, kind: Kind) -> list[str]:
        """Return the names of a kind, sorted, every variant of a model included; families are not."""
        return sorted(name for _, contents in self._in_use() for name in contents.objects[kind])

    def families(self, kind: Kind) -> list[Family]:
        """Return the families of a kind, sorted by prefix."""
        found = [family for _, contents in self._in_use() for family in contents.families[kind].values()]
        return sorted(found, key=lambda family: family.prefix)

    def dataset(self, name: str) -> Dataset:
        """Return a data set; ``name`` is without protocol."""
        return self._find("datasets", name, Dataset)

    def place(self, text: str) -> tuple[Dataset, str]:
        """Return the data set and the protocol (empty: its default) that ``DATASET`` or ``DATASET@PROTOCOL`` means.

        A name may hold an ``@`` of its own: in a path (``folder:a@b/c``), or before a part's protocol
        (``compose:a+b@official``).
        """
        name, protocol = split_protocol(text)
        if not protocol:
            return self.dataset(text), ""
        try:
            dataset = self.dataset(name)
        except (UnknownNameError, DataError):
            if ":" not in text:
                raise
            return self.dataset(text), ""
        known = [rule.name for rule in dataset.protocols]
        if protocol in known:
            return dataset, protocol
        if ":" in text:
            with suppress(UnknownNameError):
                return self.dataset(text), ""
        raise UnknownNameError(
            f"{name} has no protocol {protocol!r}.{did_you_mean(protocol, known)} Known: {', '.join(known)}."
        )

    def model(self, name: str) -> Model:
        """Return a model by its full name, ``name`` or ``name@variant``."""
        return self._find("models", name, Model)

    def sampler(self, name: str) -> Sampler:
        """Return a sampler."""
        return self._find("samplers", name, Sampler)

    def metric(self, name: str) -> Metric:
        """Return a metric."""
        return self._find("metrics", name, Metric)

    def suite(self, name: str) -> Suite:
        """Return a suite."""
        return self._find("suites", name, Suite)

    def plugin_of(self, kind: Kind, name: str) -> PluginInfo:
        """Return the plugin that adds the object of this name, or the family to which it belongs."""
        prefix = name.partition(":")[0] if ":" in name else None
        for info, contents in self._in_use():
            if name in contents.objects[kind] or prefix in contents.families[kind]:
                return info
        raise UnknownNameError(self._unknown(kind, name))

    def expand(self, kind: Kind, patterns: Sequence[str]) -> list[str]:
        """Return the names that ``patterns`` mean, without repetition, in their order.

        A pattern is a name (``family:argument@variant``; a data set's may end in ``@protocol``, which is kept),
        ``tag:NAME`` or ``*``. The latter two mean default variants only, and never a model that is selected by an
        oracle. Raises UnknownNameError that names every pattern which means nothing.
        """
        chosen: list[str] = []
        faults: list[str] = []
        for pattern in patterns:
            try:
                chosen += self._expanded(kind, pattern)
            except UnknownNameError as error:
                faults.append(str(error))
        if faults:
            raise UnknownNameError("\n".join(faults))
        return list(dict.fromkeys(chosen))

    def notify(self, hook: str, event: RunEvent | CellEvent) -> None:
        """Call all observers of an event. One that raises is reported in the log and disturbs nothing else."""
        if hook not in EVENT_HOOKS:
            raise ValueError(f"{hook!r} is not one of {', '.join(EVENT_HOOKS)}")
        for info, contents in self._in_use():
            if hook not in contents.observers:
                continue
            try:
                contents.observers[hook](event)
            except (Exception, SystemExit) as error:
                logger.warning("The plugin %r failed in %s: it %s", info.name, hook, described(error))

    def with_model(self, model: Model, origin: str) -> Installed:
        """The same, and a model that no plugin brings; ``origin`` says in messages where it comes from.

        Raises PluginError when its name is taken.
        """
        if model.full_name in self.names("models"):
            raise PluginError(f"The model name {model.full_name!r} is taken by an installed plugin: give another name.")
        nothing: dict[Kind, dict[str, Any]] = {kind: {} for kind in KINDS}
        contents = Contents({**nothing, "models": {model.full_name: model}}, nothing, (), {})
        return replace(self, loaded=(*self.loaded, (PluginInfo(origin), contents)))

    def plugins_of_dataset(self, dataset: Dataset) -> list[PluginInfo]:
        """The plugins that add a data set and those from which it is made."""
        bases = [info for base in dataset.bases for info in self.plugins_of_dataset(base)]
        return [self.plugin_of("datasets", dataset.name), *bases]

    def _in_use(self) -> list[tuple[PluginInfo, Contents]]:
        return [(info, contents) for info, contents in self.loaded if contents is not None]

    def _find(self, kind: Kind, name: str, expected: type[Noun]) -> Noun:
        prefix, colon, argument = name.partition(":")
        for info, contents in self._in_use():
            item = contents.objects[kind].get(name)
            if item is None and colon and prefix in contents.families[kind]:
                family = contents.families[kind][prefix]
                of = partial(self._find, kind, expected=expected)
                item = _made(kind, family, (argument, of) if family.derives else (argument,), info)
            if isinstance(item, expected):
                return item
        raise UnknownNameError(self._unknown(kind, name))

    def _expanded(self, kind: Kind, pattern: str) -> list[str]:
        if pattern == "*":
            return [item.name for item in self._defaults(kind)]
        if pattern.startswith("tag:"):
            return self._tagged(kind, pattern.removeprefix("tag:"))
        if kind == "datasets":
            self.place(pattern)
        else:
            self._find(kind, pattern, KINDS[kind])
        return [pattern]

    def _tagged(self, kind: Kind, tag: str) -> list[str]:
        items = self._defaults(kind)
        found = [item.name for item in items if tag in getattr(item, "tags", ())]
        if not found:
            known = sorted({other for item in items for other in getattr(item, "tags", ())})
            tail = f"Tags: {', '.join(known)}." if known else "None has a tag."
            raise UnknownNameError(f"No {NOUNS[kind]} has the tag {tag!r}.{did_you_mean(tag, known)} {tail}")
        return found

    def _defaults(self, kind: Kind) -> list[Any]:
        """Return what ``*`` means: no variants, and no model that is selected on its test score."""
        items = [item for _, contents in self._in_use() for item in contents.objects[kind].values()]
        chosen = [i for i in items if not (isinstance(i, Model) and (i.variant or i.recipe.selection == "oracle"))]
        return sorted(chosen, key=key_of)

    def _unknown(self, kind: Kind, name: str) -> str:
        noun = NOUNS[kind]
        known = [*self.names(kind), *(f"{family.prefix}:…" for family in self.families(kind))]
        close = did_you_mean(name, known)
        variants = [other for other in known if other.partition("@")[0] == name.partition("@")[0]]
        lines = [f"There is no {noun} {name!r}.{close}"]
        if variants:
            lines.append(f"Variants: {', '.join(variants)}.")
        else:
            more = f" and {len(known) - SHOWN} more (`ferbench list {kind}`)" if len(known) > SHOWN else ""
            lines.append(f"Installed {noun}s: {', '.join(known[:SHOWN]) or 'none'}{more}.")
        if not close and not variants:
            lines.append(
                "If a plugin brings it, that plugin is not installed: `uv sync` installs all those of a checkout, "
                "and elsewhere `pip install` brings a plugin's package."
            )
        unused = [f"{info.name} ({info.state}: {info.cause})" for info in self.plugins if info.state != "ok"]
        if unused:
            lines.append(f"Plugins that are not in use: {'; '.join(unused)}.")
        return "\n  ".join(lines)


def _made(kind: Kind, family: Family, given: tuple[Any, ...], info: PluginInfo) -> Any:
    """Make a family's object. Raises PluginError when the plugin fails or returns something else than was asked for."""
    name = f"{family.prefix}:{given[0]}"
    try:
        with guarded(f"making {name!r}"):
            item = family.make(*given)
    except Quarantined as cause:
        if isinstance(cause.__cause__, FerbenchError):
            raise cause.__cause__ from None
        raise PluginError(f"The plugin {info.name!r}{info.origin} is broken: {cause}") from cause
    if not isinstance(item, KINDS[kind]) or key_of(item) != name:
        fault = f"it returned {item!r:.80}; expected {KINDS[kind].__name__} named {name!r}"
    else:
        fault = inner_fault(item)
    if fault:
        raise PluginError(f"The plugin {info.name!r}{info.origin} is broken: making {name!r}: {fault}")
    return item
