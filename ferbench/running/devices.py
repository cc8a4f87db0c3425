"""The CUDA devices of this machine."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from ferbench.errors import PluginError
from ferbench.running.launch import Launcher

DEVICE_SECONDS = 120.0


def cuda_devices(launcher: Launcher) -> list[str]:
    """Names of the CUDA devices, asked in a process of its own: this one must not import torch for it.

    Raises PluginError when torch cannot tell them.
    """
    with TemporaryDirectory(prefix="ferbench-devices-") as folder:
        log = Path(folder) / "log.txt"
        launcher.start("devices", "devices", "", {}, log)
        deadline = time.monotonic() + DEVICE_SECONDS
        while "devices" not in (ended := launcher.ended(0.5)):
            if time.monotonic() > deadline:
                launcher.signal("devices", signal.SIGKILL)
        lines = log.read_text(encoding="utf-8").strip().splitlines() if log.exists() else []
    if ended["devices"] != 0 or not lines:
        last = lines[-1] if lines else "no message"
        raise PluginError(f"PyTorch cannot tell which devices there are ({last}). `ferbench doctor` looks further.")
    return list(json.loads(lines[-1]))
