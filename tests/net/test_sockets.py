"""Sockets between programs of one machine, and waiting for at most so long."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plugins.transports.sockets import listening
from world.namespaces import Namespace

from erlconnect.net.sockets import (
    buffered_pair,
    has_ended,
    os_error_text,
    receive_exactly,
    set_within,
    unpaced,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

USUAL = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


def congestion_control(sock: socket.socket) -> str:
    name = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    return name.rstrip(b"\0").decode()


@contextlib.contextmanager
def connected_to(address: str) -> Iterator[socket.socket]:
    with (
        listening(address) as (listener, port),
        socket.create_connection((address, port)) as sock,
        listener.accept()[0],
    ):
        yield sock


@pytest.fixture
def network() -> Iterator[Namespace]:
    with Namespace() as network:
        yield network


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1"])
def test_what_goes_to_this_machine_is_not_paced(address: str) -> None:
    with connected_to(address) as sock:
        assert congestion_control(sock) == USUAL
        unpaced(sock)
        assert congestion_control(sock) == "reno"


def test_what_goes_elsewhere_keeps_the_systems_own(network: Namespace) -> None:
    for address in (network.host_address, network.host_address6):
        with connected_to(address) as sock:
            unpaced(sock)
            assert congestion_control(sock) == USUAL


def test_what_is_no_tcp_or_has_ended_stays_as_it_is() -> None:
    one, other = buffered_pair()
    with one, other, connected_to("127.0.0.1") as ended:
        ended.close()
        for sock in (one, ended):
            unpaced(sock)


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


async def test_a_task_that_is_being_cancelled_can_wait_too() -> None:
    came: list[bool] = []

    async def cleaned_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            came.append(await set_within(asyncio.Event(), 0.01))

    task = asyncio.ensure_future(cleaned_up())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert came == [False]


async def test_exactly_so_many_bytes_are_read_however_they_come() -> None:
    ours, theirs = buffered_pair()
    with ours, theirs:
        theirs.send(b"ab")
        reading = asyncio.ensure_future(receive_exactly(ours, 4))
        await asyncio.sleep(0)
        theirs.send(b"cdef")
        assert await reading == b"abcd"
        assert await receive_exactly(ours, 2) == b"ef"
        assert await receive_exactly(ours, 0) == b""


async def test_an_end_before_the_last_byte_is_told() -> None:
    ours, theirs = buffered_pair()
    with ours, theirs:
        theirs.send(b"abc")
        theirs.close()
        with pytest.raises(asyncio.IncompleteReadError) as raised:
            await receive_exactly(ours, 4)
    assert raised.value.partial == b"abc"
    assert isinstance(raised.value, EOFError)


def test_whether_a_socket_has_ended_is_seen_without_reading_from_it() -> None:
    ours, theirs = buffered_pair()
    with ours, theirs:
        assert not has_ended(ours)
        theirs.send(b"x")
        theirs.close()
        assert not has_ended(ours)
        assert ours.recv(1) == b"x"
        assert has_ended(ours)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "Connection refused"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not"),
        (ConnectionResetError("it closed the connection"), "it closed the connection"),
    ],
)
def test_an_error_of_the_system_has_the_systems_words(error: OSError, text: str) -> None:
    assert os_error_text(error).startswith(text)
