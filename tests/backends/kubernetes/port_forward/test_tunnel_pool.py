"""Tunnels that stand before anybody dials; the first dial has a stream of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

import pytest
from backends.kubernetes.port_forward.here import MEGABYTE, echoed, next_byte
from world.listeners import echo, listening
from world.ports import free_port
from world.waiting import wait_until

from erlconnect.api import UnreachableError

if TYPE_CHECKING:
    import socket

    from backends.kubernetes.port_forward.here import Here

PORT_FORWARD = "/portforward"
TUNNEL = "SPDY/3.1"


async def seen(here: Here, number: int) -> None:
    """Wait until so many tunnels were asked for."""

    def asked() -> bool:
        return len(here.api.requests.seen(TUNNEL)) >= number

    await asyncio.to_thread(wait_until, asked, f"{number} tunnels", 20)


async def test_later_dials_need_no_answer_of_the_server_either(here: Here) -> None:
    with listening(echo) as port:
        async with here.open(port) as dialer:
            here.api.faults.delay(5, PORT_FORWARD)
            for _ in range(2):
                async with asyncio.timeout(1):
                    stream = await dialer.dial(port)
                with stream:
                    assert await echoed(stream, b"erl") == b"erl"


async def test_a_tunnel_that_was_taken_is_followed_by_the_next(here: Here) -> None:
    with listening(echo) as port:
        async with here.open(port) as dialer:
            (await dialer.dial(port)).close()
            for number in (1, 2, 3):
                await seen(here, number)
                await asyncio.sleep(0.2)
                with await dialer.dial(port) as stream:
                    assert await echoed(stream, b"erl") == b"erl"
            assert len(here.api.requests.seen("v4.channel")) == 1


async def test_64_megabytes_come_back_as_they_went(here: Here) -> None:
    content = os.urandom(MEGABYTE) * 64
    with listening(echo) as port:
        async with here.open(port) as dialer:
            (await dialer.dial(port)).close()
            with await dialer.dial(port) as stream:
                assert await echoed(stream, content) == content
            assert len(here.api.requests.seen("v4.channel")) == 1


async def test_both_ends_reach_the_other_side(here: Here) -> None:
    ended = threading.Event()

    def last_words(connection: socket.socket) -> None:
        echo(connection)
        ended.set()

    with listening(last_words) as port, listening(lambda one: one.sendall(b"bye")) as other:
        async with here.open(port) as dialer:
            (await dialer.dial(port)).close()
            ended.clear()
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"
            assert await asyncio.to_thread(ended.wait, 5)
            await seen(here, 2)
            await asyncio.sleep(0.2)
            with await dialer.dial(other) as stream:
                assert [await next_byte(stream) for _ in range(4)] == [b"b", b"y", b"e", b""]
            assert len(here.api.requests.seen("v4.channel")) == 1


async def test_a_closed_port_is_told_as_ever(here: Here) -> None:
    closed = free_port()
    with listening(echo) as port:
        async with here.open(port) as dialer:
            (await dialer.dial(port)).close()
            with pytest.raises(UnreachableError, match="connect: connection refused"):
                await dialer.dial(closed)


@pytest.mark.parametrize("status", [200, 400, 403])
async def test_a_server_that_knows_no_tunnels_is_not_asked_again(here: Here, status: int) -> None:
    here.api.faults.answer(status, TUNNEL)
    with listening(echo) as port:
        async with here.open(port) as dialer:
            for _ in range(3):
                with await dialer.dial(port) as stream:
                    assert await echoed(stream, b"erl") == b"erl"
            await asyncio.sleep(1.5)
    assert len(here.api.requests.seen(TUNNEL)) == 1


async def test_a_tunnel_that_was_cut_is_followed_after_a_pause(here: Here) -> None:
    with listening(echo) as port:
        async with here.open(port) as dialer:
            (await dialer.dial(port)).close()
            here.api.cut_connections()
            for _ in range(2):
                with await dialer.dial(port) as stream:
                    assert await echoed(stream, b"erl") == b"erl"
            await seen(here, 2)


async def test_nothing_is_left_of_a_transport(here: Here) -> None:
    def tunnels() -> list[threading.Thread]:
        return [one for one in threading.enumerate() if one.name == "erlconnect to shop/shop-0"]

    with listening(echo) as port:
        async with here.open(port):
            assert tunnels()
        await asyncio.to_thread(wait_until, lambda: not tunnels(), "no tunnel is left", 10)
