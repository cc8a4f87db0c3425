"""A word to the user while one plugin keeps everything waiting."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from types import TracebackType

SLOW = "The plugin %r still loads after %g s, and all else waits. FERBENCH_DISABLE_PLUGINS=%s leaves it out."

logger = logging.getLogger(__name__)


class Watch:
    """Says which plugin is still loading after some seconds: nobody else would know.

    One thread watches over all plugins that are loaded while it is open.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.loading: tuple[str, float] | None = None
        self.closed = threading.Event()

    def __enter__(self) -> Watch:
        threading.Thread(target=self._look, name="ferbench-watch", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed.set()

    @contextlib.contextmanager
    def over(self, name: str) -> Iterator[None]:
        """Watch while the plugin ``name`` is loaded."""
        self.loading = (name, time.monotonic())
        try:
            yield
        finally:
            self.loading = None

    def _look(self) -> None:
        told, pause = None, self.seconds
        while not self.closed.wait(pause):
            loading, pause = self.loading, self.seconds / 10
            if loading and loading != told and time.monotonic() - loading[1] >= self.seconds:
                told, name = loading, loading[0]
                logger.warning(SLOW, name, self.seconds, name)
