"""A start is never cut in two, whenever it is cancelled."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

import pytest

from erlconnect.child_starts import started_whole

SECONDS = 10.0
FOR_EVER = (sys.executable, "-c", "import time; time.sleep(600)")


async def ended(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def test_what_was_started_is_given() -> None:
    process = await started_whole(asyncio.create_subprocess_exec(*FOR_EVER), ended)
    assert process.returncode is None
    await ended(process)


@pytest.mark.parametrize("turns", range(12))
async def test_a_start_that_is_cancelled_ends_what_it_started(turns: int) -> None:
    processes = []

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(*FOR_EVER)
        processes.append(process)
        return process

    task = asyncio.ensure_future(started_whole(start(), ended))
    for _ in range(turns + 1):
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(SECONDS):
        with suppress(asyncio.CancelledError):
            await task

    (process,) = processes
    if not task.cancelled():
        await ended(task.result())
    assert process.returncode is not None


async def test_the_end_of_a_cancelled_start_may_wait_with_a_timeout() -> None:
    heard: list[str] = []

    async def end(started: str) -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            heard.append(started)

    task = asyncio.ensure_future(started_whole(asyncio.sleep(0.05, "child"), end))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == ["child"]


async def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        await started_whole(asyncio.create_subprocess_exec("/nowhere/program"), ended)


async def test_a_cancelled_start_of_a_program_that_is_not_there_stays_cancelled() -> None:
    starting = asyncio.create_subprocess_exec("/nowhere/program")
    task = asyncio.ensure_future(started_whole(starting, ended))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises((asyncio.CancelledError, FileNotFoundError)) as raised:
        await task
    assert raised.type is asyncio.CancelledError
