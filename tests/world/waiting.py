"""Waiting for a condition that nobody announces. Prefer a line, an event or an answer to this."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSE_SECONDS = 0.02


def wait_until(condition: Callable[[], object], what: str, timeout: float = 10) -> None:
    """Return as soon as ``condition()`` is true; fail naming ``what`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"after {timeout} s still not: {what}"
        time.sleep(_PAUSE_SECONDS)
