"""Blocking calls in threads of their own: results, errors, and a caller that has gone."""

from __future__ import annotations

import asyncio
import threading

import pytest
from world.waiting import wait_until

from erlconnect.net.threads import in_daemon_thread

NAME = "a blocking call of a test"


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


async def test_the_result_comes_from_a_thread_that_the_end_does_not_wait_for() -> None:
    thread = await in_daemon_thread(threading.current_thread, name=NAME)
    assert thread is not threading.current_thread()
    assert (thread.name, thread.daemon) == (NAME, True)


async def test_an_error_is_raised_where_the_call_is_awaited() -> None:
    def fail() -> None:
        raise LookupError("not there")

    with pytest.raises(LookupError, match="not there"):
        await in_daemon_thread(fail, name=NAME)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_call_that_is_cancelled_ends_by_itself(*, fails: bool) -> None:
    started, released = threading.Event(), threading.Event()

    def call() -> None:
        started.set()
        released.wait()
        if fails:
            raise LookupError

    task = asyncio.ensure_future(in_daemon_thread(call, name=NAME))
    await asyncio.to_thread(started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    released.set()
    await asyncio.to_thread(wait_until, lambda: not running(), "the thread ended")


def test_a_call_may_outlive_its_event_loop() -> None:
    released = threading.Event()
    problems: list[object] = []

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await in_daemon_thread(released.wait, name=NAME)

    before, threading.excepthook = threading.excepthook, problems.append
    try:
        asyncio.run(leave())
        released.set()
        wait_until(lambda: not running(), "the thread ended")
    finally:
        threading.excepthook = before
    assert problems == []
