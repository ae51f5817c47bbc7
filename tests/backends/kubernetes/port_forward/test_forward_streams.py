"""A websocket behind a socketpair, against a kubelet's end on somebody else's websocket server."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time

import pytest
from backends.kubernetes.port_forward.kubelet import MEGABYTE, Kubelet, kubelet, pumping, received
from world.waiting import wait_until

from erlconnect_backends.kubernetes.forward_streams import ForwardProtocolError
from erlconnect_backends.kubernetes.websocket import (
    Keepalive,
    KeepaliveTimeoutError,
    WebSocketFailedError,
)


async def test_64_megabytes_come_back_as_they_went() -> None:
    content = os.urandom(MEGABYTE) * 64
    with kubelet(Kubelet.echo) as port:
        async with pumping(port) as pump:
            sender = threading.Thread(target=pump.stream.sendall, args=(content,))
            sender.start()
            back = await asyncio.to_thread(received, pump.stream, len(content))
            await asyncio.to_thread(sender.join)
    assert back == content


async def test_two_floods_that_nobody_reads_wait_and_go_on() -> None:
    size = 32 * MEGABYTE
    turned, read = threading.Event(), threading.Event()

    def flood(here: Kubelet) -> None:
        # It never reads, until its own flood has been read.
        here.say(bytes(size))
        turned.set()
        assert len(here.hear_all()) == size
        read.set()

    with kubelet(flood) as port:
        async with pumping(port) as pump:
            sender = threading.Thread(target=pump.stream.sendall, args=(bytes(size),))
            sender.start()
            assert not turned.wait(0.3)
            assert sender.is_alive()
            assert len(await asyncio.to_thread(received, pump.stream, size)) == size
            await asyncio.to_thread(sender.join)
            pump.stream.shutdown(socket.SHUT_WR)
            assert await asyncio.to_thread(read.wait, 10)


async def test_what_was_written_before_the_close_arrives() -> None:
    arrived: list[int] = []
    with kubelet(lambda here: arrived.append(len(here.hear_all()))) as port:
        async with pumping(port) as pump:
            await asyncio.to_thread(pump.stream.sendall, bytes(8 * MEGABYTE))
        await asyncio.to_thread(wait_until, lambda: arrived, "the pod read all")
    assert arrived == [8 * MEGABYTE]
    assert pump.failure is None


async def test_what_the_pod_said_before_its_end_arrives_and_then_the_end() -> None:
    def last_words(here: Kubelet) -> None:
        here.say(bytes(8 * MEGABYTE))

    with kubelet(last_words) as port:
        async with pumping(port) as pump:
            data = await asyncio.to_thread(received, pump.stream, 9 * MEGABYTE)
            assert len(data) == 8 * MEGABYTE
            # The end is heard a moment before the other half is closed.
            await asyncio.to_thread(pump.join, 10)
            with pytest.raises(BrokenPipeError):
                pump.stream.sendall(b"is anybody there?")
    assert pump.failure is None


async def test_an_end_of_the_pod_is_no_reset_to_whoever_was_writing() -> None:
    def hear_a_bit_and_go(here: Kubelet) -> None:
        here.hear()

    with kubelet(hear_a_bit_and_go) as port:
        async with pumping(port) as pump:

            def write_until_the_end() -> None:
                with pytest.raises(BrokenPipeError):
                    pump.stream.sendall(bytes(64 * MEGABYTE))

            await asyncio.to_thread(write_until_the_end)
            assert pump.stream.recv(1) == b""


async def test_what_the_kubelet_complains_of_is_the_end() -> None:
    stays = threading.Event()

    def refuse(here: Kubelet) -> None:
        here.complain("error forwarding port 4369 to pod shop-0: connection refused")
        stays.wait(10)

    with kubelet(refuse) as port:
        async with pumping(port) as pump:
            assert await asyncio.to_thread(pump.stream.recv, 1) == b""
            assert pump.server_error.endswith("connection refused")
            stays.set()


async def test_a_connection_that_is_cut_is_an_end_with_a_failure() -> None:
    def cut(here: Kubelet) -> None:
        here.say(b"half a sen")
        here.connection.socket.shutdown(socket.SHUT_RDWR)

    with kubelet(cut) as port:
        async with pumping(port) as pump:
            assert await asyncio.to_thread(received, pump.stream, 11) == b"half a sen"
    assert isinstance(pump.failure, WebSocketFailedError)


async def test_what_came_before_another_protocol_arrives() -> None:
    def babble(here: Kubelet) -> None:
        here.say(b"erl")
        here.connection.send(b"\x07ang")
        here.hear()

    with kubelet(babble) as port:
        async with pumping(port) as pump:
            assert await asyncio.to_thread(received, pump.stream, 4) == b"erl"
    assert isinstance(pump.failure, ForwardProtocolError)


async def test_messages_in_fragments_stay_one_stream() -> None:
    def speak(here: Kubelet) -> None:
        here.connection.send(iter([b"\x00a", b"\x00b", b"", b"\x01c"]))
        here.connection.send([b"", b"\x00", b"d"])

    with kubelet(speak) as port:
        async with pumping(port) as pump:
            heard = await asyncio.to_thread(received, pump.stream, 99)
    assert heard == b"a\x00b\x01cd"


async def test_a_quiet_port_is_asked_for_signs_of_life_and_gives_them() -> None:
    # The server's library answers pings while its handler waits for data.
    with kubelet(Kubelet.echo) as port:
        async with pumping(port, keepalive=Keepalive(ping=0.05, limit=1)) as pump:
            assert not await asyncio.to_thread(pump.ended.wait, 2)


async def test_a_port_that_gives_no_sign_of_life_is_ended() -> None:
    over = threading.Event()

    def freeze(here: Kubelet) -> None:
        # Whoever holds this keeps the library from answering.
        with here.connection.protocol_mutex:
            over.wait(20)

    with kubelet(freeze) as port:
        async with pumping(port, keepalive=Keepalive(ping=0.05, limit=0.5)) as pump:
            assert await asyncio.to_thread(pump.stream.recv, 1) == b""
            over.set()
    assert isinstance(pump.failure, KeepaliveTimeoutError)


async def test_who_reads_nothing_is_not_taken_for_silence() -> None:
    def flood(here: Kubelet) -> None:
        here.say(bytes(16 * MEGABYTE))
        here.hear()

    with kubelet(flood) as port:
        async with pumping(port, keepalive=Keepalive(ping=0.1, limit=1.5)) as pump:
            await asyncio.to_thread(time.sleep, 3)
            data = await asyncio.to_thread(received, pump.stream, 16 * MEGABYTE)
            assert len(data) == 16 * MEGABYTE
            assert pump.failure is None
