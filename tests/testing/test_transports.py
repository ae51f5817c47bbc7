"""The transport that is built in keeps the contract; faulty ones are caught, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from world.ports import free_port

from erlconnect.api import NodeName, Target, UnreachableError
from erlconnect.plugin_manager import Catalogue, Kind
from erlconnect.testing import check_transport, kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TARGET = Target(node=NodeName(name="shop", host="127.0.0.1"), address="127.0.0.1")


class Plain:
    """A transport that keeps the contract, as short as it can be."""

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Plain]:
        self.address = target.address
        yield self

    async def dial(self, port: int) -> socket.socket:
        connection = socket.socket()
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (self.address, port))
        except OSError as error:
            connection.close()
            raise UnreachableError("Nobody listens", remedy="Start it.") from error
        except asyncio.CancelledError:
            connection.close()
            raise
        return connection


class Blocking(Plain):
    async def dial(self, port: int) -> socket.socket:
        connection = await super().dial(port)
        connection.setblocking(True)
        return connection


class Unconnected(Plain):
    async def dial(self, port: int) -> socket.socket:
        (await super().dial(port)).close()
        connection = socket.socket()
        connection.setblocking(False)
        return connection


class Encrypted(Plain):
    async def dial(self, port: int) -> socket.socket:
        context = ssl.create_default_context()
        connection = await super().dial(port)
        return context.wrap_socket(connection, server_hostname="x", do_handshake_on_connect=False)


class Optimistic(Plain):
    async def dial(self, port: int) -> socket.socket:
        try:
            return await super().dial(port)
        except UnreachableError:
            ours, theirs = socket.socketpair()
            theirs.close()
            ours.close()
            return ours


class Raw(Plain):
    async def dial(self, port: int) -> socket.socket:
        try:
            return await super().dial(port)
        except UnreachableError as error:
            raise error.__cause__ or error from None


class Once(Plain):
    """A second opening, when it is left, takes the first one with it."""

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Plain]:
        self.open_once = True
        async with super().open(target):
            yield self
        self.open_once = False

    async def dial(self, port: int) -> socket.socket:
        assert self.open_once, "the other opening has closed this one"
        return await super().dial(port)


class Leaking(Plain):
    """Leaving its context leaves descriptors behind."""

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[Plain]:
        self.pair = socket.socketpair()
        async with super().open(target):
            yield self


async def test_direct_keeps_the_contract(echo_port: int) -> None:
    catalogue = Catalogue()
    settings = catalogue.settings(
        Kind.TRANSPORT, "direct", options={}, inherited={}, environment={}
    )
    transport = catalogue.create(Kind.TRANSPORT, "direct", settings)
    await check_transport(transport, TARGET, port=echo_port, closed_port=free_port())


async def test_a_good_transport_passes(echo_port: int) -> None:
    await check_transport(Plain(), TARGET, port=echo_port, closed_port=free_port())


@pytest.mark.parametrize(
    ("transport", "sentence"),
    [
        (Blocking(), "dial() must give a non-blocking socket"),
        (Unconnected(), "dial() must give a connected socket"),
        (Encrypted(), "dial() must give a plain socket.socket, not SSLSocket"),
        (Once(), "the other opening has closed this one"),
        (
            Optimistic(),
            "dial() to a port where nobody listens must raise UnreachableError; it gave",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_transport_that_breaks_the_contract_is_told_why(
    echo_port: int, transport: Plain, sentence: str
) -> None:
    with pytest.raises(AssertionError) as caught:
        await check_transport(transport, TARGET, port=echo_port, closed_port=free_port())
    assert str(caught.value).startswith(sentence)


async def test_bytes_that_change_on_the_way_are_found(garbling_port: int) -> None:
    with pytest.raises(AssertionError, match="must come back as it was sent"):
        await check_transport(Plain(), TARGET, port=garbling_port, closed_port=free_port())


async def test_what_leaving_the_context_leaves_open_is_found(
    echo_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit, "GRACE_SECONDS", 0.3)
    transport = Leaking()
    with pytest.raises(AssertionError, match=r"open\(\) and dial\(\) left behind: the open file"):
        await check_transport(transport, TARGET, port=echo_port, closed_port=free_port())
    for end in transport.pair:
        end.close()


async def test_an_error_that_is_none_of_the_contract_is_not_hidden(echo_port: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        await check_transport(Raw(), TARGET, port=echo_port, closed_port=free_port())
