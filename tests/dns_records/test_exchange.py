"""The bytes on the way to a real name server."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import dns.message
import pytest
from dns_records.zones import MANY

from erlconnect_backends.dns_records.exchange import (
    ask_by_datagram,
    ask_by_stream,
    is_cut,
    open_tcp,
)
from erlconnect_backends.dns_records.servers import NameServer

if TYPE_CHECKING:
    from world.knot import KnotServer

QUERY = dns.message.make_query("crowd.crowd.test.", "SRV", use_edns=0, payload=4096)


def at(port: int) -> NameServer:
    return NameServer(family=socket.AF_INET, sockaddr=("127.0.0.1", port), text=f"127.0.0.1:{port}")


async def test_knot_cuts_what_does_not_fit_and_gives_it_over_tcp(knot: KnotServer) -> None:
    server, wire = at(knot.port), QUERY.to_wire()
    assert is_cut(await ask_by_datagram(wire, server))
    whole = await ask_by_stream(wire, server, open_tcp)
    assert not is_cut(whole)
    assert len(dns.message.from_wire(whole).answer[0]) == MANY


async def test_a_stream_of_somebody_elses_is_used_and_closed(knot: KnotServer) -> None:
    """A tunnel to the server can take the place of TCP to its address."""
    opened: list[socket.socket] = []

    async def tunnel(server: NameServer) -> socket.socket:
        assert server.text == "127.0.0.1:1"
        opened.append(await open_tcp(at(knot.port)))
        return opened[0]

    assert await ask_by_stream(QUERY.to_wire(), at(1), tunnel)
    assert opened[0].fileno() == -1


async def test_a_server_that_hangs_up_is_noticed() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2 + len(QUERY.to_wire()))
        writer.write(b"\x10\x00 and no more")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(EOFError):
            await ask_by_stream(QUERY.to_wire(), at(port), open_tcp)


async def test_answers_to_other_questions_are_passed_over() -> None:
    wire = QUERY.to_wire()
    other = bytes((wire[0] ^ 1,)) + wire[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(ask_by_datagram(wire, at(server.getsockname()[1])))
            _, client = await loop.sock_recvfrom(server, 512)
            for answer in (other, b"", wire):
                server.sendto(answer, client)
    assert asking.result() == wire


@pytest.mark.parametrize("short", [b"", b"a", b"ab"])
def test_an_answer_too_short_for_a_header_is_not_cut(short: bytes) -> None:
    assert not is_cut(short)
