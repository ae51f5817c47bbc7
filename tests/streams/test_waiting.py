"""Waiting with an end to it."""

from __future__ import annotations

import asyncio

from erlconnect.streams.waiting import set_within

LONG = 30.0


async def test_what_is_set_is_not_waited_for() -> None:
    event = asyncio.Event()
    event.set()
    assert await set_within(event, LONG)


async def test_what_comes_in_time_ends_the_wait() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    async with asyncio.timeout(LONG / 2):
        assert await set_within(event, LONG)


async def test_what_does_not_come_is_not_waited_for_any_longer() -> None:
    assert not await set_within(asyncio.Event(), 0.01)
