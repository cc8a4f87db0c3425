"""The process beside a run: ``python -m ferbench.tracking.writer OUT RUN``. Reads ids of cells, writes to MLflow.

A line is the id of a cell that ended, or ``finish``: then everything is brought up to date, and the process ends. When
its input closes before that, the run is gone, and so is this process at once, whatever it is doing.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from ferbench.errors import FerbenchError

FINISH = "finish"


def main() -> None:
    """Write until told to finish. What goes wrong is said in a line on standard output, with exit code 1."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=listen, args=(sys.stdin, lines), name="ferbench-run", daemon=True).start()
    said, sys.stdout = sys.stdout, sys.stderr  # MLflow and plugins may print what they like
    try:
        work(Path(sys.argv[1]), sys.argv[2], lines)
    except FerbenchError as error:
        end(said, str(error))
    except Exception as error:
        end(said, f"Tracking failed: {type(error).__name__}: {error}")


def listen(source: Iterable[str], lines: queue.Queue[str]) -> None:
    """Pass lines on; end everything when the source closes before it said ``finish``."""
    for line in source:
        lines.put(line.strip())
        if line.strip() == FINISH:
            return
    os.killpg(os.getpgrp(), signal.SIGKILL)


def work(out: Path, run_id: str, lines: queue.Queue[str]) -> None:
    """Write each cell as its id comes, then everything."""
    from ferbench.plugins import discover
    from ferbench.tracking.replay import Replay

    replay = Replay(out, discover())
    while (line := lines.get()) != FINISH:
        replay.cell(run_id, line)
    replay.everything()


def end(said: TextIO, text: str) -> None:
    """Say why, and end without waiting for threads of a server that hangs."""
    print(text, file=said, flush=True)
    os._exit(1)


if __name__ == "__main__":
    main()
