"""The EPMD of this machine's port: found, told from something else, or served."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from epmd.fakes import answering

from erlconnect.epmd.local_epmd import EpmdEnvironment, EpmdProvider
from erlconnect.epmd.messages import Alive2Request
from erlconnect.epmd.server import EmbeddedEpmd
from erlconnect.errors import ConfigurationError, EpmdError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from world.epmd import RealEpmd


@pytest.mark.parametrize("environment", [{}, {"ERL_EPMD_PORT": "", "ERL_EPMD_ADDRESS": ""}])
def test_nothing_set_means_the_usual_port_and_loopback(environment: dict[str, str]) -> None:
    assert EpmdEnvironment.read(environment) == EpmdEnvironment(port=4369, addresses=())


def test_a_port_and_several_addresses() -> None:
    read = EpmdEnvironment.read(
        {"ERL_EPMD_PORT": "5001", "ERL_EPMD_ADDRESS": "127.0.0.5, ::1,10.0.0.1,"}
    )
    assert read == EpmdEnvironment(port=5001, addresses=("127.0.0.5", "::1", "10.0.0.1"))


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "4369x", "4_369", "²"])
def test_a_rubbish_port_is_named(port: str) -> None:
    with pytest.raises(ConfigurationError, match="ERL_EPMD_PORT") as raised:
        EpmdEnvironment.read({"ERL_EPMD_PORT": port})
    assert "4369" in raised.value.remedy


@pytest.mark.parametrize("addresses", ["localhost", "127.0.0.1 ::1", "127.0.0.1,300.1.1.1"])
def test_a_rubbish_address_is_named(addresses: str) -> None:
    with pytest.raises(ConfigurationError, match="ERL_EPMD_ADDRESS"):
        EpmdEnvironment.read({"ERL_EPMD_ADDRESS": addresses})


APP = Alive2Request(port_no=1234, node_name="app")


@asynccontextmanager
async def place_at(port: int, *addresses: str) -> AsyncIterator[tuple[EpmdProvider, list[str]]]:
    """A provider that is settled, and what it warned of."""
    warnings: list[str] = []
    provider = EpmdProvider(port, addresses=addresses, warn=warnings.append)
    try:
        await provider.ensure_running()
        yield provider, warnings
    finally:
        await provider.close()


async def _refused(port: int) -> EpmdError:
    with pytest.raises(EpmdError) as raised:
        async with place_at(port):
            pass
    assert f"port {port}" in raised.value.message
    assert "ERL_EPMD_PORT" in raised.value.remedy
    return raised.value


async def test_a_running_epmd_is_used(epmd: RealEpmd) -> None:
    async with place_at(epmd.port) as (provider, warnings):
        assert not provider.embedded
        assert (await provider.names()).nodes == ()
    assert warnings == []


async def test_without_one_it_serves_one_until_it_is_closed(epmd_port: int) -> None:
    async with place_at(epmd_port, "127.0.0.5", "10.0.0.1") as (provider, warnings):
        assert provider.embedded
        assert (await provider.names()).epmd_port_no == epmd_port
        reader, writer = await asyncio.open_connection("127.0.0.5", epmd_port)
        writer.close()
        assert await reader.read() == b""
    assert not provider.embedded
    assert [warning for warning in warnings if "10.0.0.1" in warning] == warnings != []
    with socket.create_server(("127.0.0.1", epmd_port)):
        pass


async def test_an_epmd_that_accepts_and_never_answers(epmd: RealEpmd) -> None:
    os.kill(epmd.pid, signal.SIGSTOP)
    async with asyncio.timeout(10):
        error = await _refused(epmd.port)
    assert "did not answer within" in error.message


async def test_a_port_held_by_a_web_server(epmd_port: int) -> None:
    reply = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    async with answering(reply, port=epmd_port, then_close=True):
        error = await _refused(epmd_port)
    assert "does not answer as an epmd does" in error.message


async def test_a_port_held_by_one_that_closes(epmd_port: int) -> None:
    async with asyncio.timeout(10), answering(b"", port=epmd_port, then_close=True):
        error = await _refused(epmd_port)
    assert "closed the connection" in error.message


async def test_a_port_that_is_held_and_not_listened_on(epmd_port: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", epmd_port))
        async with asyncio.timeout(10):
            error = await _refused(epmd_port)
    assert "refused" in error.message


async def test_the_forwarded_epmd_of_another_port(epmd_port: int) -> None:
    async with answering((4370).to_bytes(4), port=epmd_port, then_close=True):
        error = await _refused(epmd_port)
    assert "4370" in error.message


async def test_of_several_that_settle_at_once_one_serves(epmd_port: int) -> None:
    async with AsyncExitStack() as stack:
        providers = [EpmdProvider(epmd_port, addresses=(), warn=print) for _ in range(4)]
        for provider in providers:
            stack.push_async_callback(provider.close)
        async with asyncio.TaskGroup() as tasks:
            for provider in providers:
                tasks.create_task(provider.ensure_running())
        assert sum(provider.embedded for provider in providers) == 1


async def test_asking_outlives_the_epmd_that_was_found(epmd: RealEpmd) -> None:
    async with place_at(epmd.port) as (provider, warnings):
        await asyncio.to_thread(epmd.restart)
        registration = await provider.register(APP)
        assert registration is not None
        assert not provider.embedded
        assert await asyncio.to_thread(epmd.names) == {"app": 1234}
        await asyncio.to_thread(epmd.kill)
        assert (await provider.names()).nodes == ()
        assert provider.embedded
        assert ["serves one now" in warning for warning in warnings] == [True]
        await registration.close()


async def test_a_port_that_may_not_be_served(
    epmd_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forbidden(*_words: object, **_settings: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(EmbeddedEpmd, "serve", forbidden)
    assert "Permission denied" in (await _refused(epmd_port)).message


async def test_a_look_serves_none(epmd_port: int) -> None:
    provider = EpmdProvider(epmd_port, addresses=(), warn=lambda _: None)
    assert await provider.names_if_running() is None
    assert not provider.embedded


async def test_a_look_gives_the_names_of_the_one_that_runs(epmd: RealEpmd) -> None:
    async with place_at(epmd.port) as (settled, _):
        registration = await settled.register(APP)
        assert registration
        provider = EpmdProvider(epmd.port, addresses=(), warn=lambda _: None)
        reply = await provider.names_if_running()
        assert reply
        assert dict(reply.nodes) == {"app": 1234}
        await registration.close()
