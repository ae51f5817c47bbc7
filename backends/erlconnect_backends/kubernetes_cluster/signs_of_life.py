"""When to ask the other side of a quiet connection whether it is still there, and when to give up.

Knows times only.
"""

from __future__ import annotations

import time
from typing import Final

PING_SECONDS: Final = 15.0
# A node that does not read for a while keeps pings from being answered, too; Erlang gives it 60 s.
PATIENCE_SECONDS: Final = 60.0


class SilentError(TimeoutError):
    """The other side gave no sign of life."""


class SignsOfLife:
    """Counts from the last byte that came."""

    def __init__(self, *, ping: float = PING_SECONDS, patience: float = PATIENCE_SECONDS) -> None:
        """Ask every ``ping`` seconds of silence, and give up after ``patience``."""
        self._ping = ping
        self._patience = patience
        self._seen = self._asked = time.monotonic()

    def seen(self) -> None:
        """Count from now."""
        self._seen = time.monotonic()

    def ask(self) -> bool:
        """Say whether it is time to ask; the answer is taken for a question. Raises when silent."""
        now = time.monotonic()
        if now - self._seen >= self._patience:
            raise SilentError(f"it gave no sign of life for {self._patience:g} s")
        if now - max(self._seen, self._asked) < self._ping:
            return False
        self._asked = now
        return True

    def seconds_left(self) -> float:
        """Give how long to wait before ``ask`` has something to say."""
        ask = max(self._seen, self._asked) + self._ping
        return max(0.01, min(ask, self._seen + self._patience) - time.monotonic())
