"""How long a target that has just failed is left alone.

Erlang dials again at every message to a node that is away, some hundred times a second. Without a
pause every one of them would ask the name server, the platform's API or the node's own log.
"""

from __future__ import annotations

import asyncio
from typing import Final

_FIRST_SECONDS: Final = 0.1
# A local node waits 7 s in all, and a dial and a search have to fit in behind the pause.
_LONGEST_SECONDS: Final = 2.0


class Patience:
    """Doubles the pause with each failure behind the one before; ``succeeded`` ends it."""

    def __init__(self) -> None:
        self._pause = _FIRST_SECONDS
        self._until = 0.0

    async def wait(self) -> None:
        """Return when the pause is over, at once if there is none."""
        await asyncio.sleep(self._until - _now())

    def failed(self) -> None:
        """Begin a pause. Whatever fails in it had begun before, and counts as the same failure."""
        now = _now()
        if now < self._until:
            return
        self._until = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_SECONDS)

    def succeeded(self) -> None:
        """End the pause, and begin with a short one next time."""
        self._pause = _FIRST_SECONDS
        self._until = 0.0


def _now() -> float:
    return asyncio.get_running_loop().time()
