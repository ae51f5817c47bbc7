"""The race of addresses over real sockets, and HOST:PORT."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plugins.transports.own_network import run_in_own_network
from plugins.transports.sockets import listening, silent, take_all
from world.ports import free_port
from world.waiting import wait_until

from erlconnect.net import dial as module
from erlconnect.net.dial import Address, Race, connect, host_and_port
from erlconnect.net.sockets import connected as dialled

if TYPE_CHECKING:
    from collections.abc import Callable


def address(text: str, port: int) -> Address:
    if ":" in text:
        return Address(family=socket.AF_INET6, sockaddr=(text, port, 0, 0), text=text)
    return Address(family=socket.AF_INET, sockaddr=(text, port), text=text)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_until, condition, "the race came this far")


async def test_a_dead_family_does_not_hold_up_the_other() -> None:
    with silent("::1") as (_, dead), listening("127.0.0.1") as (_, alive):
        before = open_files()
        race = Race([address("::1", dead), address("127.0.0.1", alive)])
        async with asyncio.timeout(30):
            connected = await race.run()

        assert connected is not None
        with connected:
            assert connected.getpeername() == ("127.0.0.1", alive)
            assert race.failures == []
            assert open_files() == before + 1


async def test_the_next_address_is_not_waited_for_when_one_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ATTEMPT_DELAY_SECONDS", 3600)
    refusing = free_port()
    with listening("127.0.0.1") as (_, alive):
        race = Race([address("::1", refusing), address("127.0.0.1", alive)])
        async with asyncio.timeout(30):
            connected = await race.run()

        assert connected is not None
        connected.close()
        assert [failure.error.errno for failure in race.failures] == [errno.ECONNREFUSED]


async def test_an_address_that_answers_at_once_is_the_only_one_tried() -> None:
    with listening("::1") as (_, first), listening("127.0.0.1") as (other, second):
        race = Race([address("::1", first), address("127.0.0.1", second)])
        connected = await race.run()

        assert connected is not None
        with connected:
            assert connected.getpeername()[:2] == ("::1", first)
            assert [each.text for each in race.tried] == ["::1"]
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()


async def test_a_slow_address_still_wins_when_the_later_one_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ATTEMPT_DELAY_SECONDS", 0.01)
    with silent("127.0.0.1") as (listener, slow):
        race = Race([address("127.0.0.1", slow), address("::1", free_port())])
        async with asyncio.TaskGroup() as group, asyncio.timeout(30):
            running = group.create_task(race.run())
            await until(lambda: race.failures)
            take_all(listener)
            connected = await running

        assert connected is not None
        with connected:
            assert connected.getpeername() == ("127.0.0.1", slow)


async def test_of_two_that_connect_at_once_one_is_closed() -> None:
    with listening("::1") as (_, first), listening("127.0.0.1") as (_, second):
        before = open_files()
        race = Race([])
        await race._attempt(address("::1", first))
        await race._attempt(address("127.0.0.1", second))

        assert race._winner is not None
        with race._winner:
            assert race._winner.getpeername()[:2] == ("::1", first)
            assert open_files() == before + 1


async def test_all_failures_are_kept() -> None:
    before = open_files()
    tried = [address(text, free_port()) for text in ("::1", "127.0.0.1")]
    race = Race(tried)

    assert await race.run() is None
    assert [failure.address for failure in race.failures] == race.tried == tried
    assert open_files() == before


async def test_cancelled_it_leaves_no_socket_behind() -> None:
    with silent("::1") as (_, first), silent("127.0.0.1") as (_, second):
        before = open_files()
        race = Race([address("::1", first), address("127.0.0.1", second)])
        async with asyncio.TaskGroup() as group, asyncio.timeout(30):
            running = group.create_task(race.run())
            await until(lambda: len(race.tried) == 2)
            running.cancel()

        assert running.cancelled()
        assert open_files() == before


@pytest.mark.parametrize("steps", range(12))
async def test_cancelled_at_any_step_it_gives_the_socket_or_closes_it(steps: int) -> None:
    with listening("127.0.0.1") as (_, port):
        before = open_files()
        race = Race([address("127.0.0.1", port)])
        async with asyncio.TaskGroup() as group:
            running = group.create_task(race.run())
            for _ in range(steps):
                await asyncio.sleep(0)
            running.cancel()

        if not running.cancelled() and (connected := running.result()):
            connected.close()
        assert open_files() == before


def test_a_backend_does_not_wait_for_a_dead_address_either(tmp_path: Path) -> None:
    """As towards an API server, its proxy or a sidecar whose first AAAA answers nothing."""
    program = """
from contextlib import ExitStack
from erlconnect.net.sockets import connected

async def first():
    async with asyncio.timeout(8):
        return await connected("server.test", 4444)

with ExitStack() as stack:
    stack.enter_context(listener("127.0.0.1", 4444))
    stack.enter_context(listener("::1", 4444)).listen(0)
    for _ in range(3):  # the queue is full then, and nobody else gets an answer
        filler = stack.enter_context(socket.socket(socket.AF_INET6))
        filler.setblocking(False)
        filler.connect_ex(("::1", 4444))
    print([found[4][0] for found in socket.getaddrinfo("server.test", 4444, type=1)])
    print(stack.enter_context(asyncio.run(first())).getpeername()[0])
"""
    hosts = "127.0.0.1 server.test\n::1 server.test\n"
    order, reached = run_in_own_network(tmp_path, program, hosts=hosts).splitlines()
    assert (order, reached) == ("['::1', '127.0.0.1']", "127.0.0.1")


async def test_a_backend_is_told_why_no_address_took_the_connection() -> None:
    with pytest.raises(ConnectionRefusedError):
        await dialled("localhost", free_port())


async def test_one_address_is_dialled_with_the_options_of_every_dial() -> None:
    with listening("127.0.0.1") as (_, port):
        address = Address(family=socket.AF_INET, sockaddr=("127.0.0.1", port), text="127.0.0.1")
        with await connect(address) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("node.example", "node.example", 7),
        ("10.1.2.3:9100", "10.1.2.3", 9100),
        ("[fd12::10]", "fd12::10", 7),
        ("[::1]:9100", "::1", 9100),
    ],
)
def test_a_host_and_perhaps_a_port(text: str, host: str, port: int) -> None:
    assert host_and_port(text, default_port=7) == (host, port)


@pytest.mark.parametrize("text", ["", "::1", "a:b", "a:0", "a:65536", "[a]:1", "a/b", ":53", "a:"])
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        host_and_port(text, default_port=7)
