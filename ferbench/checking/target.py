"""What ``ferbench check PACKAGE|FILE`` names. Nothing of a plugin is imported to find that out."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ferbench.errors import PluginError, UnknownNameError, did_you_mean
from ferbench.plugins.discovery import GROUP, candidates


@dataclass(frozen=True)
class Target:
    """One plugin to check: an installed one by its entry point's name, or a file. ``package`` is empty for a file."""

    plugin: str
    package: str = ""
    file: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, where it is one."""
        return (self.file,) if self.file else ()

    @property
    def names(self) -> tuple[str, ...]:
        """The installed plugin's name, where it is one."""
        return () if self.file else (self.plugin,)


def find_targets(named: str | None) -> list[Target]:
    """Return the plugins that are meant: by a package's name, an entry point's, a package's folder or a Python file.

    A package's name counts without ``ferbench-`` too. None: the package of the current folder. Raises UnknownNameError
    for what is none of these, PluginError for a folder whose package is not installed from there.
    """
    path = Path(named or ".").expanduser()
    if path.suffix == ".py":
        if not path.is_file():
            raise PluginError(f"There is no file {path}. Check the path.")
        return [Target(path.stem, file=path.resolve())]
    installed = [Target(item.name, item.package) for item in candidates()]
    wanted = _plain(named or "")
    found = [target for target in installed if named and wanted in _names_of(target)]
    if found:
        return found
    if path.is_dir():
        return _of_folder(path.resolve(), installed)
    if named:
        _refuse_without_entry_point(named)
    known = sorted({name for target in installed for name in (target.plugin, target.package)})
    raise UnknownNameError(
        f"{named!r} is neither an installed plugin, nor a folder, nor a Python file.{did_you_mean(str(named), known)} "
        f"Installed: {', '.join(sorted({target.plugin for target in installed}))}."
    )


def _names_of(target: Target) -> tuple[str, ...]:
    """What a plugin may be called by: its own name, and its package's with and without ``ferbench-`` before it."""
    package = _plain(target.package)
    return _plain(target.plugin), package, package.removeprefix("ferbench-")


def _refuse_without_entry_point(named: str) -> None:
    """Raise PluginError where a package of this name is installed and names no plugin."""
    for package in (named, f"ferbench-{named}"):
        with contextlib.suppress(metadata.PackageNotFoundError, ValueError):
            name = metadata.distribution(package).name
            raise PluginError(
                f"The package {name} is installed, and has no entry point of the group {GROUP!r}. Write into its "
                f'pyproject.toml [project.entry-points.{GROUP}] and below it NAME = "MODULE" (the module with its '
                "hooks), and install it again."
            )


def _of_folder(folder: Path, installed: list[Target]) -> list[Target]:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        points = dict(project["entry-points"][GROUP])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        raise UnknownNameError(
            f"{folder} has no pyproject.toml with entry points of the group {GROUP!r}. Go into a plugin's folder, or "
            "name a package or a file: ferbench check PACKAGE"
        ) from None
    found = [target for target in installed if target.plugin in points]
    package = project["name"]
    if len(found) < len(points):
        raise PluginError(f"{package} is not installed in this environment: pip install -e {folder}")
    for target in found:
        module = str(points[target.plugin]).partition(":")[0]
        spec = importlib.util.find_spec(module.partition(".")[0])
        origin = Path(spec.origin) if spec and spec.origin else None
        if origin is not None and folder not in origin.resolve().parents:
            raise PluginError(f"{package} is installed from {origin.parent}, not from here: pip install -e {folder}")
    return found


def _plain(name: str) -> str:
    """A name as package indices compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
