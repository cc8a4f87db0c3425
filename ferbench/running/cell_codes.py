"""Exit codes of a cell's process."""

DONE = 0
FAILED = 3
"""The method failed; ``status.json`` says why."""
STORE_FAULT = 4
"""The store could not be written."""
HELD = 75
"""Another process holds the cell."""
CRASHED = 70
"""Something escaped that no cell catches, such as a broken installation."""
