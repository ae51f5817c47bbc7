"""The bytes on the way to a real name server, and dnspython's resolver on top of them."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import dns.asyncresolver
import dns.message
import pytest
from backends.dns.zones import MANY, ZONES
from world.knot import KnotServer
from world.ports import free_port

from erlconnect_backends.do53 import (
    ServerAddress,
    SocketNameserver,
    ask_by_datagram,
    ask_by_stream,
    is_cut,
    numeric_server,
    open_tcp,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def knot() -> Iterator[KnotServer]:
    with KnotServer(ZONES) as server:
        yield server


QUERY = dns.message.make_query("crowd.crowd.test.", "SRV", use_edns=0, payload=4096)


def at(port: int) -> ServerAddress:
    return ServerAddress(
        family=socket.AF_INET, sockaddr=("127.0.0.1", port), text=f"127.0.0.1:{port}"
    )


async def test_knot_cuts_what_does_not_fit_and_gives_it_over_tcp(knot: KnotServer) -> None:
    server, wire = at(knot.port), QUERY.to_wire()
    assert is_cut(await ask_by_datagram(wire, server))
    whole = await ask_by_stream(wire, server, open_tcp)
    assert not is_cut(whole)
    assert len(dns.message.from_wire(whole).answer[0]) == MANY


async def test_a_stream_of_somebody_elses_is_used_and_closed(knot: KnotServer) -> None:
    """A tunnel to the server can take the place of TCP to its address."""
    opened: list[socket.socket] = []

    async def tunnel(server: ServerAddress) -> socket.socket:
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


async def test_dnspythons_resolver_asks_over_tcp_what_is_cut_over_udp(knot: KnotServer) -> None:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [SocketNameserver(at(knot.port))]
    answer = await resolver.resolve("crowd.crowd.test.", "SRV")
    assert answer.nameserver == f"127.0.0.1:{knot.port}"
    assert answer.port == knot.port
    assert answer.rrset is not None
    assert len(answer.rrset) == MANY


async def test_a_dial_that_is_refused_is_final() -> None:
    nameserver = SocketNameserver(at(free_port()), tcp=True)
    with pytest.raises(ConnectionRefusedError):
        await nameserver.exchange(QUERY, tcp=True, seconds=10)
    assert (str(nameserver), nameserver.kind()) == (nameserver.server.text, "Do53")


@pytest.mark.parametrize(
    ("address", "port", "text"),
    [
        ("10.96.0.10", 53, "10.96.0.10"),
        ("10.96.0.10", 5353, "10.96.0.10:5353"),
        ("fd12::10", 53, "[fd12::10]"),
        ("fd12::10", 5353, "[fd12::10]:5353"),
    ],
)
def test_how_a_server_is_written(address: str, port: int, text: str) -> None:
    server = numeric_server(address, port)
    assert (server.text, server.sockaddr[:2]) == (text, (address, port))
    assert SocketNameserver(server).answer_port() == port


@pytest.mark.parametrize("address", ["ns.example", "fe80::1%no-such-zone", "10.96.0.10:53"])
def test_a_name_is_no_address(address: str) -> None:
    with pytest.raises(socket.gaierror):
        numeric_server(address)
