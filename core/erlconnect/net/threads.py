"""Blocking calls that may never return, each in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


async def in_daemon_thread(call: Callable[[], Result], *, name: str) -> Result:
    """Return what ``call`` returns, or raise what it raises, from a new daemon thread.

    Cancelled, the call goes on in the background and its result is dropped.
    """
    # Not ``asyncio.to_thread``: the threads of the loop's executor are waited for when the program
    # ends, for as long as a dead name server or a locked keyring takes.
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: Exception | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as caught:  # noqa: BLE001 - it is raised again where it is awaited
            error = caught
        # RuntimeError: the loop was closed meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await outcome
