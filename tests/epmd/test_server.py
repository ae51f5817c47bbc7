"""The embedded EPMD: asked by real Erlang, compared with the real epmd; its limits and its end."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from epmd.fakes import until
from world.erlang import ErlangNode
from world.ports import free_port

from erlconnect.epmd import client
from erlconnect.epmd.messages import (
    Alive2Request,
    Alive2Response,
    DumpRequest,
    KillRequest,
    NamesRequest,
    NamesResponse,
    Port2Response,
    PortPlease2Request,
    StopRequest,
)
from erlconnect.epmd.server import EmbeddedEpmd, NodeTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from world.epmd import RealEpmd

COOKIE = "test-of-epmd"
APP = Alive2Request(port_no=1234, node_name="app")


@asynccontextmanager
async def embedded(
    port: int, *, addresses: tuple[str, ...] = (), request_seconds: float = 10
) -> AsyncIterator[tuple[EmbeddedEpmd, list[str]]]:
    """An embedded EPMD on ``port``, and what it warned of."""
    warnings: list[str] = []
    server = await EmbeddedEpmd.serve(
        port, addresses=addresses, warn=warnings.append, request_seconds=request_seconds
    )
    try:
        yield server, warnings
    finally:
        await server.close()


def _epmd_tool(port: int, *words: str) -> str:
    done = subprocess.run(
        ["epmd", "-port", str(port), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return done.stdout


async def _names(port: int) -> dict[str, int]:
    return dict((await client.names(client.loopback(port), where="epmd")).nodes)


async def test_real_nodes_find_each_other_through_it(epmd_port: int) -> None:
    def talk() -> None:
        with (
            ErlangNode.start("one@127.0.0.1", epmd_port=epmd_port, cookie=COOKIE) as one,
            ErlangNode.start("two@127.0.0.1", epmd_port=epmd_port, cookie=COOKIE) as two,
        ):
            assert one.evaluate("net_adm:ping('two@127.0.0.1').") == "pong"
            listed = f'{{ok,[{{"two",{two.dist_port}}},{{"one",{one.dist_port}}}]}}'
            assert (
                one.evaluate("{ok, N} = net_adm:names(), {ok, lists:reverse(lists:sort(N))}.")
                == listed
            )
            shown = _epmd_tool(epmd_port, "-names")
            assert f"up and running on port {epmd_port} with data:" in shown
            assert f"name one at port {one.dist_port}\n" in shown
            two.kill()

    async with embedded(epmd_port):
        await asyncio.to_thread(talk)

        async def nobody() -> bool:
            return await _names(epmd_port) == {}

        await until(nobody, "the names of nodes that ended are gone")


async def test_short_names_and_ipv6_nodes_register_too(epmd_port: int) -> None:
    def talk() -> None:
        with (
            ErlangNode.start(
                "short@localhost", epmd_port=epmd_port, cookie=COOKIE, short=True
            ) as one,
            ErlangNode.start("peer@localhost", epmd_port=epmd_port, cookie=COOKIE, short=True),
        ):
            assert one.evaluate("net_adm:ping('peer@localhost').") == "pong"
        inet6 = ("-proto_dist", "inet6_tcp")
        with (
            ErlangNode.start("six@::1", epmd_port=epmd_port, cookie=COOKIE, flags=inet6) as six,
            ErlangNode.start("seven@::1", epmd_port=epmd_port, cookie=COOKIE, flags=inet6),
        ):
            assert six.evaluate("net_adm:ping('seven@::1').") == "pong"

    async with embedded(epmd_port):
        await asyncio.to_thread(talk)


async def test_a_second_node_of_a_name_is_told_so(epmd_port: int) -> None:
    def talk() -> None:
        with (
            ErlangNode.start("one@127.0.0.1", epmd_port=epmd_port, cookie=COOKIE),
            pytest.raises(AssertionError, match="seems to be in use"),
        ):
            ErlangNode.start("one@127.0.0.1", epmd_port=epmd_port, cookie=COOKIE)

    async with embedded(epmd_port):
        await asyncio.to_thread(talk)


async def test_the_real_tool_can_neither_kill_it_nor_drop_a_name(epmd_port: int) -> None:
    async with embedded(epmd_port):
        registration = await client.register(client.loopback(epmd_port), APP, where="epmd")
        assert registration is not None
        assert "not allowed" in await asyncio.to_thread(_epmd_tool, epmd_port, "-kill")
        await asyncio.to_thread(_epmd_tool, epmd_port, "-stop", "app")
        assert await _names(epmd_port) == {"app": 1234}
        await registration.close()


def _exchange(port: int, wire: bytes) -> tuple[bytes, bool]:
    """What comes back for ``wire``, and whether the connection is then closed."""
    received = b""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(0.3)
        sock.sendall(wire)
        try:
            while piece := sock.recv(4096):
                received += piece
        except TimeoutError:
            return received, False
        except ConnectionResetError:
            pass
        return received, True


def _alive2(name: bytes, highest: int = 6) -> bytes:
    body = struct.pack(">BHBBHHH", 120, 1234, 77, 0, highest, 5, len(name)) + name + b"\0\0"
    return len(body).to_bytes(2) + body


@pytest.mark.parametrize(
    "wire",
    [
        b"\0\1n",
        b"\0\3nxx",
        b"\0\1k",
        b"\0\5sheld",
        b"\0\5zheld",
        b"\0\6zheld\0",
        b"\0\6zother",
        b"\0\1z",
        b"\0\1Q",
        b"\0\0",
        b"\4\0n",
        b"\0\1nn",
        _alive2(b""),
        _alive2(b"a\0b"),
        _alive2(b"held"),
        _alive2(b"a" * 256),
        _alive2(b"\xff"),
    ],
    ids=repr,
)
async def test_it_answers_what_real_epmd_answers(epmd: RealEpmd, wire: bytes) -> None:
    """A node ``held`` is registered with both; names replies begin with each one's own port."""
    free = free_port()
    async with embedded(free):
        held = Alive2Request(port_no=1234, node_name="held")
        answers = []
        for port in (epmd.port, free):
            registration = await client.register(client.loopback(port), held, where="epmd")
            assert registration is not None
            reply, closed = await asyncio.to_thread(_exchange, port, wire)
            answers.append((reply.removeprefix(port.to_bytes(4)), closed))
            await registration.close()
        (real, real_closed), (ours, ours_closed) = answers
        assert ours == real
        # After a refusal real epmd leaves the connection open for nothing.
        assert ours_closed or not real_closed


async def test_a_request_in_pieces(epmd_port: int) -> None:
    async with embedded(epmd_port):
        reader, writer = await asyncio.open_connection("127.0.0.1", epmd_port)
        for byte in b"\0\1n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await reader.read() == epmd_port.to_bytes(4)
        writer.close()
        await writer.wait_closed()


async def test_who_says_nothing_is_cut_and_who_is_registered_is_not(epmd_port: int) -> None:
    async with embedded(epmd_port, request_seconds=0.1):
        registration = await client.register(client.loopback(epmd_port), APP, where="epmd")
        assert registration is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", epmd_port)
        writer.write(b"\0")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert await _names(epmd_port) == {"app": 1234}
        await registration.close()


async def test_a_registered_node_that_talks_loses_its_name(epmd_port: int) -> None:
    async with embedded(epmd_port):
        reader, writer = await asyncio.open_connection("::1", epmd_port)
        writer.write(_alive2(b"chatty"))
        assert (await reader.readexactly(6))[:2] == b"v\0"
        assert await _names(epmd_port) == {"chatty": 1234}
        writer.write(b"x")
        assert await reader.read() == b""
        assert await _names(epmd_port) == {}
        writer.close()
        await writer.wait_closed()


async def test_too_many_connections_are_cut_at_once(
    epmd_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erlconnect.epmd.server._MAX_CONNECTIONS", 1)
    async with embedded(epmd_port):
        registration = await client.register(client.loopback(epmd_port), APP, where="epmd")
        assert registration is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", epmd_port)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await registration.close()
        assert await _names(epmd_port) == {}


async def test_it_listens_on_loopback_alone(epmd_port: int) -> None:
    async with embedded(epmd_port, addresses=("127.0.0.5", "10.0.0.1", "127.0.0.1")) as (
        server,
        warnings,
    ):
        listening = [sock.getsockname()[0] for part in server._servers for sock in part.sockets]
        assert sorted(listening) == ["127.0.0.1", "127.0.0.5", "::1"]
    assert [warning for warning in warnings if "10.0.0.1" in warning] == warnings != []


async def test_a_held_ipv6_port_is_a_warning(epmd_port: int) -> None:
    with socket.create_server(("::1", epmd_port), family=socket.AF_INET6):
        async with embedded(epmd_port) as (_, warnings):
            assert await _names(epmd_port) == {}
    assert "::1" in warnings[0]


async def test_a_held_port_is_an_error(epmd_port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", epmd_port)),
        pytest.raises(OSError, match="in use"),
    ):
        await EmbeddedEpmd.serve(epmd_port, warn=print)


async def test_closing_cuts_everybody_and_frees_the_port(epmd_port: int) -> None:
    async with embedded(epmd_port):
        registration = await client.register(client.loopback(epmd_port), APP, where="epmd")
        assert registration is not None
    await registration.lost()
    await registration.close()
    async with embedded(epmd_port) as (_, warnings):
        assert await _names(epmd_port) == {}
    assert warnings == []


async def test_cancelled_while_it_starts_it_frees_the_port(epmd_port: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(EmbeddedEpmd.serve(epmd_port, warn=print))
        await asyncio.sleep(0)
        assert not starting.done()
        starting.cancel()
    assert starting.cancelled()
    with socket.create_server(("127.0.0.1", epmd_port)):
        pass


async def test_an_address_that_cannot_be_listened_on_is_a_warning(epmd_port: int) -> None:
    with socket.create_server(("127.0.0.5", epmd_port)):
        async with embedded(epmd_port, addresses=("127.0.0.5",)) as (_, warnings):
            assert await _names(epmd_port) == {}
    assert "127.0.0.5" in warnings[0]


async def test_a_machine_without_ipv6_is_served_without_a_word(
    epmd_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_ipv4(address: str, port: int) -> socket.socket:
        if ":" in address:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return socket.create_server((address, port))

    monkeypatch.setattr("erlconnect.epmd.server._listen", only_ipv4)
    async with embedded(epmd_port) as (_, warnings):
        assert await _names(epmd_port) == {}
    assert warnings == []


def _directory(creation: int = 1000) -> NodeTable:
    return NodeTable(4369, creation=creation)


def _register(node_table: NodeTable, name: str, owner: int, *, highest: int = 6) -> Alive2Response:
    request = Alive2Request(port_no=1234, node_name=name, highest_version=highest)
    reply = Alive2Response.parse(node_table.answer(request, owner).reply)
    assert reply is not None
    return reply


def _names_directory(node_table: NodeTable) -> tuple[tuple[str, int], ...]:
    return NamesResponse.parse(node_table.answer(NamesRequest(), 0).reply).nodes


def test_a_registered_node_is_listed_and_found() -> None:
    node_table = _directory()
    request = Alive2Request(port_no=1234, node_name="app", node_type=72, extra=b"x")
    answer = node_table.answer(request, 1)
    assert answer.registered
    assert _names_directory(node_table) == (("app", 1234),)
    found = Port2Response.parse(node_table.answer(PortPlease2Request(node_name="app"), 2).reply)
    assert found == Port2Response(
        result=0,
        port_no=1234,
        node_type=72,
        highest_version=6,
        lowest_version=5,
        node_name="app",
        extra=b"x",
    )


def test_an_unknown_name_is_answered_with_one() -> None:
    assert _directory().answer(PortPlease2Request(node_name="app"), 1).reply == b"w\1"


def test_a_taken_name_is_refused_and_stays_with_its_first_owner() -> None:
    node_table = _directory()
    _register(node_table, "app", 1)
    assert _register(node_table, "app", 2) == Alive2Response(result=1, creation=99)
    node_table.remove_owner(2)
    assert _names_directory(node_table) == (("app", 1234),)
    node_table.remove_owner(1)
    assert _names_directory(node_table) == ()


def test_each_registration_has_a_new_creation_that_is_not_one_of_the_small_ones() -> None:
    node_table = _directory(creation=0xFFFFFFFE)
    creations = []
    for owner in range(4):
        creations.append(_register(node_table, "app", owner).creation)
        node_table.remove_owner(owner)
    assert creations == [0xFFFFFFFF, 4, 5, 6]


def test_an_old_node_gets_the_old_reply_with_a_small_creation() -> None:
    reply = _register(_directory(), "app", 1, highest=5)
    assert reply.old
    assert reply.result == 0
    assert reply.creation in (1, 2, 3)


def test_names_that_would_break_the_listing_are_refused() -> None:
    node_table = _directory()
    for name in ("a" * 256, "a b", "a\nname b at port 1", "\udcff", "\x7f"):
        assert _register(node_table, name, 1).result == 1
    assert _register(node_table, "a" * 255, 1).result == 0


def test_the_dump_shows_names_ports_and_connections() -> None:
    node_table = _directory()
    _register(node_table, "app", 7)
    dump = node_table.answer(DumpRequest(), 8).reply
    assert dump == b"\0\0\x11\x11active name     <app> at port 1234, fd = 7\n\0"


def test_nobody_can_end_it_or_drop_a_name() -> None:
    node_table = _directory()
    _register(node_table, "app", 1)
    assert node_table.answer(KillRequest(), 2).reply == b"NO"
    assert node_table.answer(StopRequest(node_name="app"), 3).reply == b""
    assert _names_directory(node_table) == (("app", 1234),)
