"""Composed data sets: what they are made of, and the data set that comes of it. No picture is touched here."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ferbench.data.division import given_split
from ferbench.data.places import data_root
from ferbench.errors import DataError, UnknownNameError, did_you_mean
from ferbench.nouns.composition import Composition
from ferbench.nouns.dataset import Dataset, Parsed, ProtocolRule, ReadContext
from ferbench.nouns.emotions import canonical
from ferbench.nouns.settings import validated

PREFIX = "compose"
PROTOCOL = "composed"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")

Part = tuple[Dataset, ProtocolRule]
Find = Callable[[str], Dataset]


def remember(name: str, composition: Composition, find: Find) -> None:
    """Keep a definition on this machine as ``compose:NAME``, in place of an earlier one of that name.

    Every process finds it by its name from then on. What was made by the earlier definition is made anew when it is
    used, and gets another fingerprint: results of the one are never taken for those of the other. Raises what
    :func:`compose` raises, and keeps nothing then.
    """
    path = _definition(name)
    compose(f"{PREFIX}:{name}", composition, find)
    text = composition.model_dump_json(indent=1)
    try:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)  # a lab shares its data
        Path(temporary).replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror or error}). Set FERBENCH_DATA elsewhere.") from None


def composition_of(argument: str) -> Composition:
    """What ``compose:ARGUMENT`` is made of: ``A+B``, or the name of a definition that a suite has.

    Raises UnknownNameError for a name that no suite has defined on this machine, DataError for a damaged definition.
    """
    if "+" in argument:
        return validated(Composition, {"datasets": argument.split("+")}, f"{PREFIX}:{argument}")
    path = _definition(argument)
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = sorted(file.stem for file in path.parent.glob("*.json"))
        raise UnknownNameError(
            f"There is no composed data set {argument!r} on this machine.{did_you_mean(argument, known)} Write "
            f"{PREFIX}:A+B, or run a suite that has a table [compose.{argument}]: it stays known from then on."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} cannot be read ({error}). Mend its permissions, or delete it, and run the suite that defines it "
            "again."
        ) from None
    return validated(Composition, plain, str(path))


def compose(name: str, composition: Composition, find: Find) -> Dataset:
    """The data set ``name``, made of others that ``find`` returns by their names.

    Raises UnknownNameError, or DataError that says which of them cannot be composed, and why.
    """
    parts = [_part(name, entry, find) for entry in composition.datasets]
    names = [base.name for base, _ in parts]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise DataError(f"{name} names {', '.join(twice)} twice; each data set can be part of it once.")
    classes = _classes(name, composition, parts)
    size, colour = composition.size, composition.colour

    def read(path: Path | None, context: ReadContext) -> Parsed:
        from ferbench.data.uniting import unite

        return unite(name, parts, classes, size, colour, context)

    bases = tuple(base for base, _ in parts)
    places = [f"{base.name}@{rule.name}" for base, rule in parts]
    units = {rule.unit for _, rule in parts}
    return Dataset(
        name=name,
        description=f"{' + '.join(places)} as one data set, over {', '.join(classes)}",
        classes=classes,
        protocols=(
            ProtocolRule(
                PROTOCOL,
                given_split("train", "val", "test"),
                "Every data set by its own protocol: train with train, val with val, test with test. Of pictures that "
                "stand on several sides those in test are kept, then those in val.",
                unit=units.pop() if len(units) == 1 else "sample",
                allow_leak=any(rule.allow_leak for _, rule in parts),
            ),
        ),
        read=read,
        bases=bases,
        embedded=True,
        synthetic=any(base.synthetic for base in bases),
        public=all(base.public for base in bases),
        version=_version(composition, places, classes),
        licence="; ".join(f"{base.name}: {base.licence or 'not stated'}" for base in bases),
        how_to_get=f"It is made on first use from {', '.join(names)}, each of which must be on this machine",
    )


def _definition(name: str) -> Path:
    if not NAME.fullmatch(name):
        raise UnknownNameError(
            f"{name!r} is no name of a composed data set: use lower case letters, digits and - _ . only; or write "
            f"{PREFIX}:A+B."
        )
    return data_root() / "composed" / f"{name}.json"


def _part(name: str, entry: str, find: Find) -> Part:
    """A data set and its protocol by ``NAME`` or ``NAME@PROTOCOL``; an ``@`` further up in a path names none."""
    plain, at, protocol = entry.rpartition("@")
    if not at or "/" in protocol:
        plain, protocol = entry, ""
    if plain.startswith(f"{PREFIX}:"):
        raise DataError(f"{name} names {plain}, which is composed itself. Name the data sets of which that is made.")
    base = find(plain)
    rules = {rule.name: rule for rule in base.protocols}
    if protocol and protocol not in rules:
        raise UnknownNameError(
            f"{name}: the data set {plain!r} has no protocol {protocol!r}.{did_you_mean(protocol, rules)} "
            f"Protocols: {', '.join(rules)}."
        )
    rule = rules[protocol] if protocol else base.default_protocol
    if base.modality != "image" or "image" not in base.inputs:
        raise DataError(f"{name}: {plain} holds {base.modality} data; only pictures can be composed.")
    if base.task != "single-label":
        raise DataError(f"{name}: the task of {plain} is {base.task}; only single-label data sets can be composed.")
    if rule.train_labels not in (None, "hard"):
        hard = [each.name for each in base.protocols if each.train_labels in (None, "hard")]
        others = f" Take {' or '.join(f'{plain}@{each}' for each in hard)}." if hard else ""
        raise DataError(
            f"{name}: {plain}@{rule.name} trains on {rule.train_labels} labels, and one class for each picture is "
            f"needed.{others}"
        )
    return base, rule


def _classes(name: str, composition: Composition, parts: Sequence[Part]) -> tuple[str, ...]:
    """Canonical names of the classes, each of which at least one data set has; every data set has some."""
    from ferbench.data.matching import shared_classes

    known = [tuple(canonical(each) for each in rule.classes or base.classes) for base, rule in parts]
    for (base, _), names in zip(parts, known, strict=True):
        if len(set(names)) < len(names):
            raise DataError(f"{name}: classes of {base.name} mean the same by canonical names: {', '.join(names)}")
    if not composition.classes:
        shared = known[0]
        for (base, _), names in zip(parts[1:], known[1:], strict=True):
            try:
                shared = shared_classes(names, shared)
            except DataError as error:
                raise DataError(f"{name}: {base.name} cannot join the data sets before it: {error}") from None
        return shared
    everything = {each for names in known for each in names}
    unknown = [each for each in composition.classes if each not in everything]
    if unknown:
        hint = did_you_mean(unknown[0], everything)
        raise DataError(
            f"{name}: none of its data sets has {', '.join(unknown)}.{hint} Theirs are {', '.join(sorted(everything))}."
        )
    for (base, _), names in zip(parts, known, strict=True):
        if not set(names) & set(composition.classes):
            raise DataError(f"{name}: {base.name} has none of its classes, only {', '.join(names)}. Leave it out.")
    return composition.classes


def _version(composition: Composition, places: Sequence[str], classes: Sequence[str]) -> str:
    """Changes when the definition does, so that what was made by another one is made anew."""
    told = json.dumps([composition.model_dump(mode="json"), list(places), list(classes)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]
