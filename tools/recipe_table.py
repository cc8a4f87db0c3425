"""Write the tables of resolved recipes in the READMEs of the plugins: ``python tools/recipe_table.py [README …]``.

What stands between ``<!-- recipe: NAME -->`` and ``<!-- /recipe -->`` is replaced by the recipe and the options of the
installed model NAME. Values that every recipe has are always there, others where they are not ferbench's default; of a
variant only what differs from its default variant in the same file. A third column, typed by hand, is kept.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ferbench import Model
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.settings import Settings

Find = Callable[[str], Model]

BLOCK = re.compile(r"(<!-- recipe: (?P<name>\S+) -->\n)(?P<body>.*?)(<!-- /recipe -->)", re.DOTALL)
ALWAYS = (
    "recipe.epochs",
    "recipe.batch_size",
    "recipe.optimizer",
    "recipe.optimizer.lr",
    "recipe.optimizer.momentum",
    "recipe.optimizer.weight_decay",
    "recipe.schedule",
    "recipe.loss",
    "recipe.init",
    "recipe.input.size",
    "recipe.input.channels",
    "recipe.input.normalise",
    "recipe.augmentation",
    "recipe.tta",
    "recipe.selection",
)
"""Keys that are shown even where they have ferbench's default."""


def named(text: str) -> list[str]:
    """Names of the models that have a block in ``text``, in order."""
    return [block["name"] for block in BLOCK.finditer(text)]


def rewritten(text: str, find: Find) -> str:
    """``text`` with every block as it should be. ``find`` raises UnknownNameError for a name that is not there."""
    names = named(text)

    def block(match: re.Match[str]) -> str:
        base = match["name"].partition("@")[0]
        model = find(match["name"])
        against = find(base) if base != match["name"] and base in names else None
        return f"{match[1]}{_table(model, against, _third_column(match['body']))}{match[4]}"

    return BLOCK.sub(block, text)


def _table(model: Model, base: Model | None, third: Mapping[str, str]) -> str:
    rows = _shown(model)
    if base is not None:
        every, other = _everything(model), _everything(base)
        keys = dict.fromkeys([*rows, *(key for key in _shown(base) if key.startswith("recipe."))])
        rows = {key: every.get(key, "none") for key in keys if every.get(key, "none") != other.get(key)}
    if model.recipe.stages:
        rows.pop("recipe.epochs", None)  # each stage has its own
    if base is not None and not rows:
        return f"Recipe and options are those of `{base.full_name}`.\n"
    title = f"differs from `{base.full_name}`" if base is not None else "setting"
    wide = any(key in third for key in rows)
    lines = [f"| {title} | value |" + (f" {third['']} |" if wide else ""), "|---|---|" + ("---|" if wide else "")]
    lines += [f"| `{key}` | {value} |" + (f" {third.get(key, '')} |" if wide else "") for key, value in rows.items()]
    return "\n".join(lines) + "\n"


def _third_column(body: str) -> dict[str, str]:
    """The third cell of each row by its key; the heading's is under the empty one."""
    found = {"": "source"}
    for line in body.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and set(cells[0]) - {"-"}:
            found[cells[0].strip("`") if cells[0].startswith("`") else ""] = cells[2]
    return found


def _shown(model: Model) -> dict[str, str]:
    """The rows of a model by dotted key, without defaults that say nothing."""
    plain = _flat(Recipe(), "recipe")
    rows = {}
    for key, value in _everything(model).items():
        if key.startswith("model.options.") or key in ALWAYS or plain.get(key, _default(model, key)) != value:
            rows[key] = value
    return rows


def _default(model: Model, key: str) -> str | None:
    """The default of a key of a part (``recipe.optimizer.betas``) in the part's own class; None without one."""
    part: Any = model.recipe
    *parents, last = key.split(".")[1:]
    for name in parents:
        part = getattr(part, name, None)
    field = getattr(type(part), "model_fields", {}).get(last)
    return None if field is None or field.is_required() else _said(field.default)


def _everything(model: Model) -> dict[str, str]:
    recipe = _flat(model.recipe, "recipe") if model.build is not None else _flat(model.recipe.input, "recipe.input")
    return recipe | _flat(model.options, "model.options")


def _flat(settings: Settings, place: str) -> dict[str, str]:
    return dict(_rows(settings, place))


def _rows(settings: Settings, place: str) -> Iterator[tuple[str, str]]:
    if hasattr(settings, "name"):
        yield place, settings.name
    for key, value in settings:
        where = f"{place}.{key}"
        if key == "name":
            continue
        if isinstance(value, Settings):
            yield from _rows(value, where)
        elif isinstance(value, tuple) and value and isinstance(value[0], Settings):
            for number, item in enumerate(value):
                yield f"{where}.{number}", _said(item)
        else:
            yield where, _said(value)


def _said(value: Any) -> str:
    if value is None or value in ((), [], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Settings):
        fields = type(value).model_fields
        told = {key: item for key, item in value if key == "p" or item != fields[key].default}
        parts = ", ".join(f"{key} {_said(item)}" for key, item in told.items() if key != "name")
        return f"{value.name}: {parts}".removesuffix(": ") if hasattr(value, "name") else f"[{parts}]"
    if isinstance(value, list | tuple):
        return f"({', '.join(_said(item) for item in value)})"
    return str(value).replace("|", "\\|")


def main() -> None:
    """Rewrite the blocks of the files that are named, or of all plugins' READMEs."""
    from ferbench.plugins import discover

    parser = argparse.ArgumentParser(description="Write the recipe tables in the READMEs of the plugins.")
    parser.add_argument("files", nargs="*", type=Path, help="READMEs (default: plugins/*/README.md)")
    find = discover().model
    for path in parser.parse_args().files or sorted(Path(__file__).parents[1].glob("plugins/*/README.md")):
        old = path.read_text(encoding="utf-8")
        new = rewritten(old, find)
        if new != old:
            path.write_text(new, encoding="utf-8")
            print(f"{path}: rewritten")


if __name__ == "__main__":
    main()
