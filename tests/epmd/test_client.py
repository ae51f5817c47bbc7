"""Asking a real epmd, and servers that answer badly, late or not at all."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from epmd.fakes import answering

from erlconnect.epmd import client
from erlconnect.epmd.client import EpmdConnection, NoEpmdError
from erlconnect.epmd.messages import Alive2Request, NamesRequest
from erlconnect.errors import EpmdError, TimedOutError, UnreachableError

if TYPE_CHECKING:
    from world.epmd import RealEpmd

APP = Alive2Request(port_no=1234, node_name="app")


async def test_a_registration_shows_and_ends_with_its_connection(epmd: RealEpmd) -> None:
    dial = client.loopback(epmd.port)
    registration = await client.register(dial, APP, where="epmd")
    assert registration is not None
    assert registration.name == "app"
    assert registration.creation > 3
    assert await asyncio.to_thread(epmd.names) == {"app": 1234}
    reply = await client.names(dial, where="epmd")
    assert (reply.epmd_port_no, reply.nodes) == (epmd.port, (("app", 1234),))
    await registration.close()
    assert (await client.names(dial, where="epmd")).nodes == ()


async def test_a_lookup_tells_what_was_registered(epmd: RealEpmd) -> None:
    dial = client.loopback(epmd.port)
    registration = await client.register(dial, APP, where="epmd")
    assert registration is not None
    reply = await client.port_please(dial, "app", where="epmd")
    assert reply is not None
    assert (reply.port_no, reply.node_type, reply.node_name) == (1234, 77, "app")
    assert (reply.highest_version, reply.lowest_version) == (6, 5)
    assert await client.port_please(dial, "other", where="epmd") is None
    await registration.close()


async def test_a_taken_name_is_refused(epmd: RealEpmd) -> None:
    dial = client.loopback(epmd.port)
    first = await client.register(dial, APP, where="epmd")
    assert first is not None
    assert await client.register(dial, APP, where="epmd") is None
    await first.close()
    again = await client.register(dial, APP, where="epmd")
    assert again is not None
    assert again.creation != first.creation
    await again.close()


async def test_the_end_of_the_epmd_is_noticed(epmd: RealEpmd) -> None:
    registration = await client.register(client.loopback(epmd.port), APP, where="epmd")
    assert registration is not None
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(registration.lost())
        await asyncio.sleep(0)
        assert not waiting.done()
        await asyncio.to_thread(epmd.kill)
    await registration.close()


async def test_the_old_reply_of_an_old_epmd_is_understood() -> None:
    async with answering(b"y\0\0\2", then_close=False) as port:
        registration = await client.register(client.loopback(port), APP, where="epmd")
        assert registration is not None
        assert registration.creation == 2
        await registration.close()


async def test_it_works_over_any_connected_socket_however_small_the_pieces() -> None:
    ours, theirs = socket.socketpair()
    reply = b"w\0\x04\xd2M\0\0\6\0\5\0\3app\0\0"

    async def dial() -> socket.socket:
        return ours

    async def drip() -> None:
        reader, writer = await asyncio.open_connection(sock=theirs)
        assert await reader.readexactly(6) == b"\0\4zapp"
        for byte in reply:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        # The tunnel stays open: the reply itself says where it ends.
        assert await reader.read() == b""
        writer.close()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(drip())
        found = await client.port_please(dial, "app", where="epmd")
    assert found is not None
    assert found.port_no == 1234
    assert ours.fileno() == -1


async def test_nobody_listens(epmd_port: int) -> None:
    with pytest.raises(NoEpmdError, match="the epmd of x: Connection refused"):
        await client.names(client.loopback(epmd_port), where="the epmd of x")


@pytest.mark.parametrize("reply", [b"", b"v\0"])
async def test_a_connection_that_closes_before_its_answer(reply: bytes) -> None:
    async with answering(reply, then_close=True) as port:
        with pytest.raises(NoEpmdError, match="closed the connection"):
            await client.register(client.loopback(port), APP, where="epmd")


@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\x11\x11" + b"name app at port 1\n" * 60000],
)
async def test_what_is_no_epmd_is_told_from_one(reply: bytes) -> None:
    async with answering(reply, then_close=True) as port:
        with pytest.raises(EpmdError, match="does not answer as an epmd does") as raised:
            await client.names(client.loopback(port), where="epmd")
    assert not isinstance(raised.value, NoEpmdError)
    assert raised.value.remedy


async def test_an_endless_reply_is_cut() -> None:
    async with answering(b"w\0" + b"\xff" * 100_000, then_close=False) as port:
        with pytest.raises(EpmdError, match="more than 4096 bytes"):
            await client.port_please(client.loopback(port), "app", where="epmd")


async def test_silence_has_an_end() -> None:
    async with answering(b"", then_close=False) as port:
        with pytest.raises(TimedOutError, match=r"epmd did not answer within 0\.1 s"):
            await client.names(client.loopback(port), where="epmd", seconds=0.1)


async def test_a_dial_that_fails_says_so_itself() -> None:
    async def dial() -> socket.socket:
        raise UnreachableError("no way there", remedy="none")

    with pytest.raises(UnreachableError, match="no way there") as raised:
        await client.names(dial, where="epmd")
    assert not isinstance(raised.value, EpmdError)


async def test_cancelled_it_leaves_no_connection() -> None:
    ours, theirs = socket.socketpair()

    async def dial() -> socket.socket:
        return ours

    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(client.names(dial, where="epmd"))
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(theirs, 10) == b"\0\1n"
        asking.cancel()
        assert await loop.sock_recv(theirs, 10) == b""
    assert ours.fileno() == -1
    theirs.close()


def test_a_connection_to_itself_counts_as_refused() -> None:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.connect(own.getsockname())
        with pytest.raises(ConnectionRefusedError):
            client._refuse_itself(own)


async def _connection() -> tuple[EpmdConnection, socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    async def dial() -> socket.socket:
        return ours

    return await EpmdConnection.open(dial), ours, theirs


async def test_the_end_waits_until_the_epmd_has_seen_it() -> None:
    connection, ours, theirs = await _connection()
    async with asyncio.TaskGroup() as tasks:
        ending = tasks.create_task(connection.close())
        assert await asyncio.get_running_loop().sock_recv(theirs, 1) == b""
        assert not ending.done()
        theirs.close()
    await asyncio.sleep(0)
    assert ours.fileno() == -1


async def test_the_end_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlconnect.epmd.client._CLOSE_SECONDS", 0.05)
    connection, ours, theirs = await _connection()
    await connection.close()
    await asyncio.sleep(0)
    assert ours.fileno() == -1
    theirs.close()


async def test_ending_twice_does_nothing() -> None:
    connection, _, theirs = await _connection()
    theirs.close()
    await connection.close()
    await connection.close()


async def test_silence_ends_when_the_other_side_does() -> None:
    connection, _, theirs = await _connection()
    async with asyncio.TaskGroup() as tasks:
        silence = tasks.create_task(connection.wait_closed())
        await asyncio.get_running_loop().sock_sendall(theirs, b"noise is ignored")
        await asyncio.sleep(0)
        assert not silence.done()
        theirs.close()
    connection.abort()


async def test_a_whole_listing_is_read_to_its_end() -> None:
    connection, _, theirs = await _connection()
    await connection.send(NamesRequest())
    loop = asyncio.get_running_loop()
    assert await loop.sock_recv(theirs, 10) == b"\0\1n"
    await loop.sock_sendall(theirs, b"\0\0\x11\x11")
    theirs.close()
    assert await connection.receive_all() == b"\0\0\x11\x11"
    connection.abort()


async def test_cancelled_while_it_begins_it_leaves_no_socket() -> None:
    ours, theirs = socket.socketpair()

    async def dial() -> socket.socket:
        return ours

    async with asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(EpmdConnection.open(dial))
        await asyncio.sleep(0)
        assert not opening.done()
        opening.cancel()
    assert ours.fileno() == -1
    theirs.close()
