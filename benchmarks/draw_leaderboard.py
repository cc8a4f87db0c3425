"""Draw a leaderboard as it looks in a terminal: ``python benchmarks/draw_leaderboard.py OUT picture.svg``."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from ferbench.plugins import discover
from ferbench.reporting.table import print_table
from ferbench.running.api import make_leaderboard

WIDTH = 142


def main(out: str, picture: str) -> None:
    """Write the latest run's table as SVG, which names no font that would have to be fetched."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    print_table(make_leaderboard([Path(out)], discover()), console)
    drawn = console.export_svg(title="ferbench leaderboard")
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
    Path(picture).write_text(drawn.replace("Fira Code, monospace", "monospace"), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
