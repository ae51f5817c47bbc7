"""Tries again what may work a moment later, as often as its time allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from erlconnect.api import ErlconnectError

BUDGET_SECONDS: Final = 14.0
"""Of one question with all its tries and pauses."""

_PAUSES: Final = (0.2, 0.6, 1.8)

Answer = TypeVar("Answer")


class AgainError(Exception):
    """``error`` may go away by itself; ``pause`` is how long the server wants to be left alone."""

    def __init__(self, error: ErlconnectError, *, pause: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause = pause


async def tried(once: Callable[[], Awaitable[Answer]]) -> Answer:
    """Give what ``once`` gives; after the last try, and where time is too short, its error."""
    loop = asyncio.get_running_loop()
    until = loop.time() + BUDGET_SECONDS
    for usual_pause in _PAUSES:
        try:
            return await once()
        except AgainError as again:
            pause = usual_pause if again.pause is None else again.pause
            if loop.time() + pause > until:
                raise again.error from again.__cause__
        await asyncio.sleep(pause)
    try:
        return await once()
    except AgainError as again:
        raise again.error from again.__cause__
