"""The list of targets is kept fresh by blocking queries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from backends.consul.catalogues import backend
from world.consul import ConsulAgent
from world.ports import free_port

from erlconnect.api import Query
from erlconnect.testing import StandaloneSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from erlconnect.api import Target


def instance(number: int, **more: object) -> dict[str, object]:
    place = {"Address": f"10.4.0.{number}", "Port": 25000 + number}
    return {"Name": "watched", "ID": f"watched-{number}", **place, **more}


async def upcoming(changes: AsyncIterator[Sequence[Target]]) -> list[str]:
    async with asyncio.timeout(10):
        return [target.address for target in await anext(changes)]


async def test_what_comes_and_goes_wakes_the_watch(agent: ConsulAgent) -> None:
    changes = backend(address=agent.address).watch(Query(service="watched"), StandaloneSession())
    async with asyncio.TaskGroup() as group:
        # It waits at a service that does not exist yet.
        first = group.create_task(upcoming(changes))
        await asyncio.sleep(0)
        await asyncio.to_thread(agent.register, instance(1))
        assert await first == ["10.4.0.1"]
        second = group.create_task(upcoming(changes))
        await asyncio.to_thread(agent.register, instance(2, Check={"TTL": "1h"}))
        passing = "/agent/check/pass/service:watched-2"
        await asyncio.to_thread(agent.request, "PUT", passing)
        assert await second == ["10.4.0.1", "10.4.0.2"]
        third = group.create_task(upcoming(changes))
        await asyncio.to_thread(agent.deregister, "watched-1")
        assert await third == ["10.4.0.2"]


async def test_a_watch_outlives_the_agents_restart() -> None:
    with ConsulAgent() as agent:
        agent.register(instance(1))
        watcher = backend(address=agent.address)
        changes = watcher.watch(Query(service="watched"), StandaloneSession())
        assert await upcoming(changes) == ["10.4.0.1"]
        async with asyncio.TaskGroup() as group:
            change = group.create_task(upcoming(changes))
            # The agent forgets everything, its index falls.
            await asyncio.to_thread(agent.restart)
            await asyncio.to_thread(agent.register, instance(7))
            assert await change == ["10.4.0.7"]


async def test_an_agent_that_cannot_be_asked_yields_nothing() -> None:
    watcher = backend(address=f"127.0.0.1:{free_port()}")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await anext(watcher.watch(Query(service="watched"), StandaloneSession()))
