"""Two questions at the same time, so that a slow server costs its time once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

First = TypeVar("First")
Second = TypeVar("Second")


async def together(
    first: Coroutine[Any, Any, First], second: Coroutine[Any, Any, Second]
) -> tuple[First, Second]:
    """Give what both give. Where one fails, the other is cancelled, and its error is raised."""
    task = asyncio.current_task()
    assert task  # noqa: S101 - we run in one
    cancelled_before = task.cancelling()
    try:
        async with asyncio.TaskGroup() as group:
            one, other = group.create_task(first), group.create_task(second)
    except BaseExceptionGroup as failed:
        # A group of Python 3.11.2 leaves the request by which it woke us, and then every later
        # ``asyncio.timeout`` of this task would take its own end for a cancellation.
        if task.cancelling() > cancelled_before:
            task.uncancel()
        raise failed.exceptions[0] from failed.exceptions[0].__cause__
    return one.result(), other.result()
