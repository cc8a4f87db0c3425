"""Entry of a task in a fresh interpreter: ``python -m ferbench.running.spawned TASK ARGUMENT LIFELINE``."""

from __future__ import annotations

import sys

from ferbench.running.forkserver import watch_parent
from ferbench.running.tasks import TASKS


def main() -> None:
    """Run one task and exit with its code."""
    task, argument, lifeline = sys.argv[1:4]
    watch_parent(int(lifeline))
    sys.exit(TASKS[task](argument))


if __name__ == "__main__":
    main()
