"""Holding an asynchronous context open for longer than the code that opened it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

Value = TypeVar("Value")


async def keep(
    group: asyncio.TaskGroup, context: AbstractAsyncContextManager[Value]
) -> tuple[Value, Callable[[], None]]:
    """Enter ``context`` in a task of its own; give its value and a function that ends it.

    A context that uses tasks or timeouts inside has to be left by the task that entered it.
    Cancelled, or if entering fails, it leaves nothing open.
    """
    entered: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
    release = asyncio.Event()

    async def hold() -> None:
        try:
            async with context as value:
                if not entered.done():
                    entered.set_result(value)
                    await release.wait()
        except Exception as error:
            if entered.done():
                raise
            entered.set_exception(error)

    task = group.create_task(hold())
    try:
        return await entered, release.set
    except asyncio.CancelledError:
        task.cancel()
        raise
