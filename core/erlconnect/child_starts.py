"""The start of a child process, which no cancellation may cut in two.

Before 3.11.4 Python never came back from a start that was cancelled in the middle; and a child
that nobody waits for outlives its session.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Started = TypeVar("Started")


async def started_whole(
    starting: Coroutine[Any, Any, Started], end: Callable[[Started], Coroutine[Any, Any, None]]
) -> Started:
    """Give what ``starting`` starts.

    Where this is cancelled before, it is started all the same and ``end`` ends it. Raises what
    ``starting`` raises, such as ``OSError`` for a program that is not there.
    """
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with suppress(OSError):
            # In a task of its own: a timeout in one that is being cancelled does not work there.
            await asyncio.ensure_future(end(await task))
        raise
