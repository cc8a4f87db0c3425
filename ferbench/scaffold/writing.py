"""New plugins from templates: a package of the one shape, or a single file."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from ferbench.errors import Problem, SettingsError
from ferbench.nouns.emotions import Modality
from ferbench.plugins import Installed
from ferbench.store.files import write_text

Kind = Literal["model", "dataset", "sampler", "metric"]
Nouns = Literal["models", "datasets", "samplers", "metrics"]
Licence = Literal["MIT", "Apache-2.0", "BSD-3-Clause"]

RESERVED = ("ferbench", "all", "none", "test", "tests")
"""Names that would be mistaken for something else, as a package or on the command line."""

_NOUNS: Mapping[Kind, Nouns] = {
    "model": "models",
    "dataset": "datasets",
    "sampler": "samplers",
    "metric": "metrics",
}
_OF_MODALITY: tuple[Kind, ...] = ("model", "dataset")
"""Kinds that are written anew for each modality."""

_READERS: Mapping[tuple[Kind, Modality], tuple[str, ...]] = {
    ("dataset", "video"): (
        # There is no decord for other machines; there the package installs, and reading a clip says what is missing.
        "decord>=0.6; sys_platform != 'darwin' and (platform_machine == 'x86_64' or platform_machine == 'AMD64')",
        "pillow>=10.3",
    ),
    ("dataset", "eeg"): ("mne>=1.6", "scipy>=1.11"),
}
"""What a package needs beside ferbench to read its data."""

_TRY: Mapping[Kind, tuple[str, ...]] = {
    "model": ("ferbench run --suite demo -m $name $rivals$plugin",),
    "dataset": ("ferbench data add $name PATH$plugin", "ferbench run --suite demo -d $name $rivals$plugin"),
    "sampler": ("ferbench run --suite demo -m small-cnn -s plain -s $name$plugin",),
    "metric": ("ferbench run --suite demo $rivals", "ferbench leaderboard --sort $name$plugin"),
}
"""The commands that bring it into a table."""


@dataclass(frozen=True)
class Wanted:
    """What is to be written: ``name`` as users will type it, ``folder`` where the package (or file) is to lie in."""

    kind: Kind
    name: str
    folder: Path
    licence: Licence = "Apache-2.0"
    single_file: bool = False
    modality: Modality = "image"

    @property
    def module(self) -> str:
        """The package's name in Python."""
        return f"ferbench_{self.name.replace('-', '_')}"

    @property
    def target(self) -> Path:
        """The package's folder, or the file."""
        return self.folder / (f"{self.name.replace('-', '_')}.py" if self.single_file else f"ferbench-{self.name}")


def write_plugin(wanted: Wanted, installed: Installed) -> list[Path]:
    """Write the plugin; return its files.

    Raises SettingsError when the name is not valid, taken or reserved, or when something lies at its place already.
    """
    problems = list(_problems(wanted, installed))
    if problems:
        raise SettingsError(problems, "This plugin cannot be written")
    values = _values(wanted)
    written = []
    for place, template in _parts(wanted).items():
        path = wanted.target if wanted.single_file else wanted.target / place
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, _filled(template, values))
        written.append(path)
    return written


def next_steps(wanted: Wanted) -> list[str]:
    """The commands that a user gives now."""
    if wanted.single_file:
        return [f"ferbench check {wanted.target}", *_trial(wanted)]
    pip = "pip" if _has_pip() else "uv pip"  # an environment that uv made has no pip of its own
    return [f"{pip} install -e {wanted.target}", f"ferbench check {wanted.name}", *_trial(wanted)]


def _has_pip() -> bool:
    """Whether pip is installed. importlib.util.find_spec("pip") would make a later import of setuptools fail."""
    return any(distributions(name="pip"))


def differs(kind: Kind) -> bool:
    """Whether what is written depends on the modality; a sampler or metric is the same for all."""
    return kind in _OF_MODALITY


def _trial(wanted: Wanted) -> list[str]:
    """The commands that try the plugin; the demo suite's data and rivals are pictures and for pictures."""
    rivals = "-m small-cnn -m majority"
    if wanted.modality != "image" and differs(wanted.kind):
        rivals = "-d DATASET" if wanted.kind == "model" else "-m MODEL"
    plugin = f" --plugin {wanted.target}" if wanted.single_file else ""
    return [Template(line).substitute(name=wanted.name, rivals=rivals, plugin=plugin) for line in _TRY[wanted.kind]]


def _of(wanted: Wanted, template: str) -> str:
    """A template's name for the plugin's modality."""
    name, ending = template.split(".", 1)
    return f"{name}_{wanted.modality}.{ending}" if differs(wanted.kind) and wanted.modality != "image" else template


def _problems(wanted: Wanted, installed: Installed) -> Iterator[Problem]:
    name, nouns = wanted.name, _NOUNS[wanted.kind]
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > 40:
        yield Problem("NAME", f"{name!r}: use small letters, digits and single dashes, from a letter on, 40 at most")
    elif name in RESERVED or name.startswith("ferbench"):
        yield Problem("NAME", f"{name!r} is reserved")
    elif name in installed.names(nouns):
        owner = installed.plugin_of(nouns, name).package
        yield Problem("NAME", f"there is a {wanted.kind} {name!r} already, in {owner}")
    elif not wanted.single_file and any(info.name == name for info in installed.plugins):
        yield Problem("NAME", f"there is a plugin {name!r} already")
    if wanted.target.exists():
        yield Problem("--dir", f"{wanted.target} is there already; nothing is overwritten")


def _parts(wanted: Wanted) -> dict[str, str]:
    """Templates by their place in the package."""
    kind, module = wanted.kind, wanted.module
    if wanted.single_file:
        return {"": _of(wanted, "model_single.py.txt" if kind == "model" else f"{kind}.py.txt")}
    parts = {
        "pyproject.toml": "pyproject.toml.txt",
        "README.md": "README.md.txt",
        f"src/{module}/__init__.py": _of(wanted, f"{kind}.py.txt"),
        f"tests/test_{module.removeprefix('ferbench_')}.py": _of(wanted, f"test_{kind}.py.txt"),
    }
    return parts | ({f"src/{module}/network.py": _of(wanted, "network.py.txt")} if kind == "model" else {})


def _values(wanted: Wanted) -> dict[str, str]:
    values = {
        "kind": "data set" if wanted.kind == "dataset" else wanted.kind,
        "name": wanted.name,
        "module": wanted.module,
        "file": wanted.target.name,
        "licence": wanted.licence,
        "author": _author(),
        "year": str(datetime.now(UTC).year),
        "title": f"{wanted.name}: not yet published",
        "url": "https://example.org",
    }
    needed = ("ferbench>=0.1", *_READERS.get((wanted.kind, wanted.modality), ()))
    values["dependencies"] = ", ".join(f'"{name}"' for name in needed)
    values["try_it"] = "\n".join(_trial(wanted))
    values["body"] = _filled(_of(wanted, f"body_{wanted.kind}.md.txt"), values).strip()
    return values


def _filled(template: str, values: Mapping[str, str]) -> str:
    text = files("ferbench.scaffold").joinpath("templates", template).read_text(encoding="utf-8")
    return _filled_text(text, values)


def _filled_text(text: str, values: Mapping[str, str]) -> str:
    return Template(text).substitute(values)


def _author() -> str:
    """The name that git knows, as far as it can stand in a string; else a place to fill in."""
    try:
        told = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "Your name"
    return re.sub(r"[\"\\|]", "", told.stdout).strip() or "Your name"
