"""Ends the program of a credential plugin that takes too long.

The library ``kubernetes`` starts it and waits without a bound. Here its module gets a ``Popen``
that waits until a deadline and then kills the program. The name is replaced in that module alone.
"""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from kubernetes.config import exec_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOADING: Final = threading.Lock()
_ENDED_SECONDS: Final = 1.0


class PluginDeadline:
    """How long one load may take; ``end`` may be called from another thread."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._ended = False

    @property
    def left(self) -> float:
        """The seconds that are left; none where nobody waits any more."""
        return 0.0 if self._ended else max(0.0, self._until - time.monotonic())

    def end(self) -> None:
        """Kill the program that runs, and let none be started any more."""
        with self._lock:
            self._ended = True
            if self._process:
                self._process.kill()

    @contextmanager
    def bounding(self) -> Iterator[None]:
        """Have the programs that the library starts meanwhile end in time; one load at a time.

        Raises ``TimeoutError`` where another load takes all the time that there is.
        """
        if not _LOADING.acquire(timeout=self.left):
            raise TimeoutError
        try:
            module: Any = exec_provider
            module.subprocess = SimpleNamespace(PIPE=subprocess.PIPE, Popen=self._started)
            try:
                yield
            finally:
                module.subprocess = subprocess
        finally:
            _LOADING.release()

    def _started(self, arguments: Any, **options: Any) -> _BoundedProcess:
        with self._lock:
            if not self.left:
                raise TimeoutError
            process = _BoundedProcess(arguments, **options)
            process.deadline = self
            self._process = process
        return process


class _BoundedProcess(subprocess.Popen[str]):
    deadline: PluginDeadline

    def communicate(self, *_: Any, **__: Any) -> tuple[str, str]:
        try:
            return super().communicate(timeout=self.deadline.left)
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait(_ENDED_SECONDS)
            # What it started may hold the pipes open for as long as it likes.
            for pipe in (self.stdout, self.stderr):
                if pipe:
                    pipe.close()
            raise
