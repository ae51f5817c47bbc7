"""The names of a session in the machine's EPMD: taken ones, lost ones, and the end."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from epmd.fakes import until
from hypothesis import given
from hypothesis import strategies as st
from world.erlang import ErlangNode
from world.ports import free_port

from erlconnect.epmd import client
from erlconnect.epmd.local_epmd import EpmdProvider
from erlconnect.epmd.messages import Alive2Request
from erlconnect.epmd.registration import LocalEpmd, candidate_names
from erlconnect.errors import EpmdError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from world.epmd import RealEpmd

    from erlconnect.epmd.client import Registration

COOKIE = "test-of-epmd"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer than a second to start a real epmd again."""
    monkeypatch.setattr("erlconnect.epmd.local_epmd._RETURN_SECONDS", 30)


@asynccontextmanager
async def session(port: int) -> AsyncIterator[tuple[LocalEpmd, list[str]]]:
    """One session's names, and what it warned of."""
    warnings: list[str] = []
    async with LocalEpmd(port=port, warn=warnings.append) as epmd:
        yield epmd, warnings


@asynccontextmanager
async def other_node(port: int, name: str) -> AsyncIterator[Registration]:
    """A name that somebody else has registered."""
    request = Alive2Request(node_name=name, port_no=1)
    registration = await client.register(client.loopback(port), request, where="epmd")
    assert registration is not None
    try:
        yield registration
    finally:
        await registration.close()


async def _registered(epmd: LocalEpmd, *names: str) -> None:
    """Wait until exactly ``names`` are registered."""

    async def there() -> bool:
        return set(await epmd.names()) == set(names)

    await until(there, f"registered: {names}")


async def test_a_name_shows_in_the_running_epmd_and_is_gone_afterwards(epmd: RealEpmd) -> None:
    async with session(epmd.port) as (local, warnings):
        assert (local.port, local.embedded) == (epmd.port, False)
        assert await local.register("app", port=1234) == "app"
        assert await asyncio.to_thread(epmd.names) == {"app": 1234}
        assert await local.names() == {"app": 1234}
    assert await asyncio.to_thread(epmd.names) == {}
    assert warnings == []


async def test_several_names_each_given_back_when_asked(epmd: RealEpmd) -> None:
    async with session(epmd.port) as (local, _):
        await local.register("app", port=1234)
        await local.register("shop", port=1235)
        await local.unregister("app")
        assert await asyncio.to_thread(epmd.names) == {"shop": 1235}
        assert await local.register("app", port=1236) == "app"


async def test_a_taken_name_gets_the_suffix_then_a_number(epmd: RealEpmd) -> None:
    async with session(epmd.port) as (local, _), other_node(epmd.port, "app"):
        assert await local.register("app", port=1234, suffix="prod") == "app-prod"
        assert await local.register("app-", port=1235, suffix="-prod") == "app-"
        assert await local.register("app", port=1236) == "app-2"


async def test_a_session_never_takes_its_own_name_twice(epmd_port: int) -> None:
    async with session(epmd_port) as (local, _):
        names = [await local.register("app", port=port) for port in (1, 2, 3)]
        assert names == ["app", "app-2", "app-3"]
        assert await local.names() == {"app": 1, "app-2": 2, "app-3": 3}


async def test_the_name_of_a_node_that_is_just_ending_is_waited_for(epmd: RealEpmd) -> None:
    node = await asyncio.to_thread(
        lambda: ErlangNode.start("app@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE)
    )
    async with session(epmd.port) as (local, _):
        assert "app" in await local.names()
        node.process.signal(signal.SIGTERM)
        assert await local.register("app", port=1234) == "app"
    await asyncio.to_thread(node.stop)


async def test_a_name_that_no_epmd_takes(epmd: RealEpmd) -> None:
    async with session(epmd.port) as (local, _):
        with pytest.raises(EpmdError, match="refuses the name") as raised:
            await local.register("a" * 256, port=1234)
        assert "--as" in raised.value.remedy


async def test_a_real_node_finds_a_name_by_epmd_and_by_net_adm(epmd_port: int) -> None:
    def ask() -> str:
        with ErlangNode.start("dev@127.0.0.1", epmd_port=epmd_port, cookie=COOKIE) as node:
            return node.evaluate(
                "{ok, N} = net_adm:names({127,0,0,1}), "
                '{lists:keyfind("app", 1, N), erl_epmd:port_please("app", {127,0,0,1})}.'
            )

    async with session(epmd_port) as (local, _):
        assert local.embedded
        await local.register("app", port=1234)
        assert await asyncio.to_thread(ask) == '{{"app",1234},{port,1234,6}}'


@pytest.mark.usefixtures("patient")
async def test_names_are_back_with_an_epmd_that_returns(epmd: RealEpmd) -> None:
    async with session(epmd.port) as (local, warnings):
        await local.register("app", port=1234)
        await local.register("shop", port=1235)
        await asyncio.to_thread(epmd.restart)
        await _registered(local, "app", "shop")
        assert not local.embedded
        assert await asyncio.to_thread(epmd.names) == {"app": 1234, "shop": 1235}
    assert await asyncio.to_thread(epmd.names) == {}
    assert warnings == []


async def test_names_are_back_in_an_embedded_one_if_none_returns(epmd: RealEpmd) -> None:
    async with session(epmd.port) as (local, warnings):
        await local.register("app", port=1234)
        await local.register("shop", port=1235)
        await asyncio.to_thread(epmd.kill)

        async def serves() -> bool:
            return local.embedded

        await until(serves, "the session serves an epmd")
        await _registered(local, "app", "shop")
    assert len(warnings) == 1


async def test_of_two_sessions_one_serves_the_other(epmd: RealEpmd) -> None:
    async with session(epmd.port) as (one, _), session(epmd.port) as (two, _):
        await one.register("app", port=1234)
        await two.register("shop", port=1235)
        await asyncio.to_thread(epmd.kill)

        async def served() -> bool:
            return one.embedded or two.embedded

        await until(served, "one of the sessions serves an epmd")
        await _registered(one, "app", "shop")
        assert one.embedded != two.embedded
        assert await two.names() == {"app": 1234, "shop": 1235}


async def test_the_end_of_the_serving_session_is_survived(epmd_port: int) -> None:
    """By other sessions, and by a real node, because OTP 25 registers again by itself."""
    serving = LocalEpmd(port=epmd_port, warn=print)
    await serving.__aenter__()
    try:
        await serving.register("app", port=1234)
        node = await asyncio.to_thread(
            lambda: ErlangNode.start("dev@127.0.0.1", epmd_port=epmd_port, cookie=COOKIE)
        )
        staying = LocalEpmd(port=epmd_port, warn=print)
        await staying.__aenter__()
    finally:
        await serving.__aexit__(None, None, None)
    try:
        assert not staying.embedded
        await staying.register("shop", port=1235)
        assert staying.embedded
        await _registered(staying, "shop", "dev")
    finally:
        await asyncio.to_thread(node.kill)
        await staying.__aexit__(None, None, None)


@pytest.mark.usefixtures("patient")
async def test_a_lost_name_that_someone_else_took_is_waited_for(
    epmd: RealEpmd, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0
    may_register = asyncio.Event()
    may_register.set()

    async def counted(place: EpmdProvider, request: Alive2Request) -> Registration | None:
        nonlocal attempts
        attempts += 1
        await may_register.wait()
        return await original(place, request)

    original = EpmdProvider.register
    monkeypatch.setattr(EpmdProvider, "register", counted)
    monkeypatch.setattr("erlconnect.epmd.registration._TRY_AGAIN_SECONDS", 0.01)
    async with session(epmd.port) as (local, warnings):
        await local.register("app", port=1234)
        may_register.clear()
        await asyncio.to_thread(epmd.restart)
        async with other_node(epmd.port, "app"):
            may_register.set()

            async def tried_again() -> bool:
                return attempts > 3

            await until(tried_again, "the session tries again and again")
            assert await local.names() == {"app": 1}
        await _registered(local, "app")
        assert await local.names() == {"app": 1234}
    assert len(warnings) == 1
    assert "another node" in warnings[0]


async def test_what_takes_the_port_meanwhile_is_told_and_outlived(epmd: RealEpmd) -> None:
    async with session(epmd.port) as (local, warnings):
        await local.register("app", port=1234)
        holder = await asyncio.to_thread(_take_over, epmd)

        async def told() -> bool:
            return bool(warnings)

        await until(told, "the session says that its port is held")
        assert "app is not registered for now" in warnings[0]
        holder.close()
        await _registered(local, "app")
        assert local.embedded


def _take_over(epmd: RealEpmd) -> socket.socket:
    """Put in the place of a real epmd something that holds its port and never answers."""
    epmd.kill()
    return socket.create_server(("127.0.0.1", epmd.port))


async def test_the_error_of_the_block_comes_out_as_it_is(epmd_port: int) -> None:
    async def fail() -> None:
        async with session(epmd_port) as (local, _):
            await local.register("app", port=1234)
            raise UsageError("no", remedy="none")

    with pytest.raises(UsageError):
        await fail()


async def test_cancelled_it_gives_its_names_back(epmd: RealEpmd) -> None:
    registered = asyncio.Event()

    async def run() -> None:
        async with session(epmd.port) as (local, _):
            await local.register("app", port=1234)
            registered.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run())
        await registered.wait()
        running.cancel()
    assert running.cancelled()
    assert await asyncio.to_thread(epmd.names) == {}


def _open_sockets() -> set[str]:
    gc.collect()
    links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return {link for link in links if link.startswith("socket:")}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are listed in /proc")
async def test_nothing_remains() -> None:
    before, tasks_before = _open_sockets(), asyncio.all_tasks()
    async with session(free_port()) as (local, _):
        await local.register("app", port=1234)
        await local.register("shop", port=1235)
        assert _open_sockets() > before
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks_before
    assert _open_sockets() == before


name_parts = st.text("ab-_1", min_size=1, max_size=6)


def test_the_plain_name_then_the_suffix_then_numbers() -> None:
    assert list(islice(candidate_names("app", "prod"), 4)) == ["app", "app-prod", "app-2", "app-3"]
    assert list(islice(candidate_names("app"), 3)) == ["app", "app-2", "app-3"]


def test_a_suffix_holds_only_what_a_node_name_may_hold() -> None:
    assert list(islice(candidate_names("app", "prod/shop.eu "), 2))[1] == "app-prod-shop-eu"
    assert list(islice(candidate_names("app", "//"), 2)) == ["app", "app-2"]


def test_there_is_an_end() -> None:
    assert list(candidate_names("app"))[-1] == "app-999"


@given(name_parts, st.text(max_size=6))
def test_livebook_never_sees_two_dashes_in_a_row(name: str, suffix: str) -> None:
    assert not [candidate for candidate in candidate_names(name, suffix) if "--" in candidate]


@given(name_parts, st.text(max_size=6))
def test_later_candidates_differ_from_the_first(name: str, suffix: str) -> None:
    first, *later = candidate_names(name, suffix)
    assert first not in later
