"""Finding plugins: entry points of the group ``ferbench``, and single files.

Entry points are loaded one by one in a loop of our own: pluggy's stops at the first that cannot be imported, lets a
``SystemExit`` end the program, and passes over the second of two plugins with one name in silence.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from types import ModuleType

from ferbench.errors import PluginError
from ferbench.plugins.containment import contained, unforked
from ferbench.plugins.installed import Installed, PluginInfo
from ferbench.plugins.quarantine import KINDS, NAME, NOUNS, Contents, Quarantined, contents_of, guarded
from ferbench.plugins.untouched import Core
from ferbench.plugins.watching import Watch

GROUP = "ferbench"
CORE = "builtin"
SLOW_SECONDS = 5.0
"""After so long the user is told which plugin is being loaded."""


@dataclass(frozen=True)
class Candidate:
    """A plugin that is not imported yet. ``module`` has its hooks; ``fault`` is what is already known to be wrong."""

    name: str
    package: str
    version: str
    module: str
    load: Callable[[], object]
    file: Path | None = None
    fault: str = ""


def discover(only: Collection[str] | None = None, files: Sequence[Path] = ()) -> Installed:
    """Return all plugins that are installed, and those of ``files`` (one Python file each).

    ``only``: load no others than these, beside the files (``builtin`` is what ships in the core). A broken plugin is
    set aside with its cause; so are those named in ``FERBENCH_DISABLE_PLUGINS``, separated by commas. Raises
    PluginError for a file that is missing, not a Python file or broken, and for a name in ``only`` that is not
    installed.
    """
    asked = [_of_file(path) for path in dict.fromkeys(Path(file).resolve() for file in files)]
    found = _without_twins([*sorted(candidates(), key=lambda point: (point.name != CORE, point.name)), *asked])
    missing = sorted(set(only or ()) - {candidate.name for candidate in found})
    if missing:
        raise PluginError(
            f"These plugins are not installed here: {', '.join(missing)}. `ferbench list plugins` shows those that are."
        )
    disabled = {name.strip() for name in os.environ.get("FERBENCH_DISABLE_PLUGINS", "").split(",")}
    loaded: list[tuple[PluginInfo, Contents | None]] = []
    core = Core()
    with Watch(SLOW_SECONDS) as watch:
        for candidate in found:
            if only is not None and candidate.name not in only and candidate.file is None:
                continue
            with watch.over(candidate.name):
                info, contents = _loaded(candidate, candidate.name in disabled, loaded, core)
            if candidate.file and info.state == "broken":
                raise PluginError(f"The plugin file {candidate.file} cannot be used: {info.cause}")
            loaded.append((info, contents))
    return Installed(tuple(loaded))


def plugin_names() -> list[str]:
    """Return the names of all installed plugins, broken ones included. Nothing is imported."""
    return sorted({candidate.name for candidate in candidates()})


def _loaded(
    candidate: Candidate, disabled: bool, before: Iterable[tuple[PluginInfo, Contents | None]], core: Core
) -> tuple[PluginInfo, Contents | None]:
    """Import and check one plugin. ``before``: those that were loaded already, whose names are taken."""
    info = PluginInfo(candidate.name, candidate.package, candidate.version, location=_location(candidate))
    if disabled:
        return replace(info, state="disabled", cause="named in FERBENCH_DISABLE_PLUGINS"), None
    try:
        if candidate.fault:
            raise Quarantined(candidate.fault)
        with contained(core) as changed:
            with unforked("importing it"), guarded("importing it"):
                plugin = candidate.load()
            with unforked("its hooks"), guarded("checking it"):
                contents = contents_of(plugin)
        with guarded("checking it"):
            source_hash = hash_of(_sources(candidate.module))
        for other, theirs in before:
            if theirs:
                _refuse_taken_names(contents, other, theirs)
    except Quarantined as cause:
        return replace(info, state="broken", cause=str(cause)), None
    return replace(info, source_hash=source_hash, changed=tuple(dict.fromkeys(changed))), contents


def _refuse_taken_names(contents: Contents, other: PluginInfo, theirs: Contents) -> None:
    for kind in KINDS:
        taken = sorted(contents.objects[kind].keys() & theirs.objects[kind].keys())
        taken += sorted(f"{prefix}:…" for prefix in contents.families[kind].keys() & theirs.families[kind].keys())
        if taken:
            raise Quarantined(
                f"the {NOUNS[kind]} name {taken[0]!r} is taken by the plugin {other.name!r}{other.origin}"
            )


def candidates() -> list[Candidate]:
    found: list[Candidate] = []
    seen: set[str] = set()
    for distribution in metadata.distributions():
        text = distribution.read_text("entry_points.txt") or ""
        if f"[{GROUP}]" not in text:
            continue
        package, version = _package_of(distribution)
        if package in seen:  # an older copy, further down the path
            continue
        seen.add(package)
        try:
            points = distribution.entry_points.select(group=GROUP)
        except Exception as error:
            fault = f"its entry points cannot be read: {error}"
            found.append(Candidate(package, package, version, "", lambda: None, fault=fault))
            continue
        for point in points:
            found.append(Candidate(point.name, package, version, point.module, point.load))
    return found


def _package_of(distribution: metadata.Distribution) -> tuple[str, str]:
    try:
        return re.sub(r"[-_.]+", "-", distribution.name).lower(), distribution.version
    except Exception:  # no metadata file, or one without a name
        return "a package without metadata", ""


def _without_twins(found: Sequence[Candidate]) -> list[Candidate]:
    """Mark plugins whose name is not allowed or not theirs alone; of two with one name, both."""
    named: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in found:
        named[candidate.name].append(candidate)
    marked = []
    for candidate in found:
        fault = candidate.fault
        if candidate.name == CORE:
            fault = "" if candidate.package == GROUP else f"the name {CORE!r} belongs to ferbench itself"
        elif not NAME.fullmatch(candidate.name):
            fault = f"its name {candidate.name!r} is not allowed: use lower case letters, digits and - _ . + only"
        elif len(named[candidate.name]) > 1:
            origins = " and ".join(sorted(str(twin.file or twin.package) for twin in named[candidate.name]))
            fault = f"two plugins are named {candidate.name!r}, from {origins}: remove or rename one of them"
        marked.append(replace(candidate, fault=fault))
    return marked


def _of_file(path: Path) -> Candidate:
    if path.suffix != ".py" or not path.is_file():
        raise PluginError(
            f"{path} is {'not a Python file (.py)' if path.is_file() else 'not there'}: give a plugin file."
        )
    name = path.stem
    if not NAME.fullmatch(name) or "." in name:
        raise PluginError(f"{path.name} cannot name a plugin: use lower case letters, digits and - _ only.")
    known = sys.modules.get(name)
    spec = None if known else importlib.util.find_spec(name)
    origin = getattr(known, "__file__", None) if known else spec.origin if spec else str(path)
    if origin is None or Path(origin).resolve() != path:
        raise PluginError(f"{path.name} would hide the Python module {name!r}: rename the file.")
    return Candidate(name, "", "", name, lambda: _import_file(name, path), file=path)


def _import_file(name: str, path: Path) -> ModuleType:
    """Import a plugin file under its own name, so that ``"name:function"`` finds what it defines."""
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        # Compiled from the source each time: cached bytecode may be of the file before its last change.
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _location(candidate: Candidate) -> str:
    if candidate.file:
        return str(candidate.file)
    try:
        spec = importlib.util.find_spec(candidate.module.partition(".")[0])
    except (ImportError, ValueError):
        return ""
    return spec.origin or "" if spec else ""


def _sources(module_name: str) -> list[tuple[str, Path]]:
    """Return the Python files of a plugin, with their paths relative to it.

    They are those of the package that the entry point names (or in which the module that it names lies), with all
    packages below; for a module that lies in no package, the module alone.
    """
    file = Path(str(sys.modules[module_name].__file__))
    if file.name != "__init__.py" and not (file.parent / "__init__.py").is_file():
        return [(file.name, file)]
    root = file.parent
    paths = (path for path in root.rglob("*.py") if "__pycache__" not in path.parts)
    return sorted((path.relative_to(root).as_posix(), path) for path in paths)


def hash_of(sources: Iterable[tuple[str, Path]]) -> str:
    """Return the SHA-256 (hexadecimal) of files and their relative paths."""
    digest = hashlib.sha256()
    for name, path in sources:
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
