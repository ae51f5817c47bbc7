"""TLS behind a socketpair, against Python's own TLS server with a leaf of the real mesh."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from backends.consul.connect.mesh import identity, natively, roots
from world.kubernetes.certificates import Authority
from world.listeners import echo, listening
from world.waiting import wait_until

from erlconnect.api import TlsPump
from erlconnect_backends.consul.connect_native import WrongIdentityError, handshake, mesh_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from world.consul import ConsulAgent

MEGABYTE = 1024 * 1024


def context_of(agent: ConsulAgent, service: str = "dev") -> ssl.SSLContext:
    leaf = agent.request("GET", f"/agent/connect/ca/leaf/{service}")
    return mesh_context(
        certificate=leaf["CertPEM"], private_key=leaf["PrivateKeyPEM"], roots=roots(agent)
    )


async def pump_to(agent: ConsulAgent, port: int, service: str = "app") -> TlsPump:
    wire = socket.socket()
    wire.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(wire, ("127.0.0.1", port))
        tls = await handshake(wire, context_of(agent), identity=identity(agent, service))
    except BaseException:
        wire.close()
        raise
    return TlsPump(wire, tls, name="test")


@asynccontextmanager
async def pumping(agent: ConsulAgent, port: int) -> AsyncIterator[TlsPump]:
    """A pump whose stream blocks, and which has ended afterwards."""
    pump = await pump_to(agent, port)
    pump.start()
    with pump.stream:
        pump.stream.settimeout(20)
        yield pump
    await asyncio.to_thread(pump.join, 10)
    assert not pump.is_alive()


def received(stream: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (piece := stream.recv(MEGABYTE)):
        data += piece
    return bytes(data)


async def test_64_megabytes_come_back_as_they_went(agent: ConsulAgent) -> None:
    content = os.urandom(MEGABYTE) * 64
    with natively(agent, "app", echo) as port:
        async with pumping(agent, port) as pump:
            sender = threading.Thread(target=pump.stream.sendall, args=(content,))
            sender.start()
            back = await asyncio.to_thread(received, pump.stream, len(content))
            await asyncio.to_thread(sender.join)
    assert back == content


async def test_two_floods_that_nobody_reads_wait_and_go_on(agent: ConsulAgent) -> None:
    size = 16 * MEGABYTE
    turned, read = threading.Event(), threading.Event()

    def flood(stream: ssl.SSLSocket) -> None:
        # It never reads, until its own flood has been read.
        stream.sendall(bytes(size))
        turned.set()
        assert len(b"".join(iter(lambda: stream.recv(MEGABYTE), b""))) == size
        read.set()

    with natively(agent, "app", flood) as port:
        async with pumping(agent, port) as pump:
            sender = threading.Thread(target=pump.stream.sendall, args=(bytes(size),))
            sender.start()
            assert not turned.wait(0.3)
            assert sender.is_alive()
            assert len(await asyncio.to_thread(received, pump.stream, size)) == size
            await asyncio.to_thread(sender.join)
            pump.stream.shutdown(socket.SHUT_WR)
            assert await asyncio.to_thread(read.wait, 10)


async def test_a_closed_half_leaves_the_other_one_open(agent: ConsulAgent) -> None:
    def answer_the_end(stream: ssl.SSLSocket) -> None:
        question = b"".join(iter(lambda: stream.recv(65536), b""))
        stream.sendall(question[::-1])
        stream.unwrap()

    with natively(agent, "app", answer_the_end) as port:
        async with pumping(agent, port) as pump:
            pump.stream.sendall(b"erl")
            pump.stream.shutdown(socket.SHUT_WR)
            assert await asyncio.to_thread(received, pump.stream, 4) == b"lre"
            assert await asyncio.to_thread(pump.stream.recv, 1) == b""
    assert pump.failure is None


async def test_the_other_half_too(agent: ConsulAgent) -> None:
    last: list[bytes] = []
    listens = threading.Event()

    def speak_and_listen(stream: ssl.SSLSocket) -> None:
        stream.sendall(b"last words")
        # Sends its farewell and goes on reading.
        stream.settimeout(0.2)
        with pytest.raises(OSError, match=r"timed out|closed|read"):
            stream.unwrap()
        stream.settimeout(10)
        listens.set()
        last.append(stream.recv(100))

    with natively(agent, "app", speak_and_listen) as port:
        async with pumping(agent, port) as pump:
            assert await asyncio.to_thread(received, pump.stream, 11) == b"last words"
            assert await asyncio.to_thread(listens.wait, 10)
            pump.stream.sendall(b"heard")
            await asyncio.to_thread(wait_until, lambda: last, "the server read")
    assert last == [b"heard"]


async def test_what_was_written_before_the_close_arrives(agent: ConsulAgent) -> None:
    arrived: list[int] = []

    def count(stream: ssl.SSLSocket) -> None:
        arrived.append(sum(map(len, iter(lambda: stream.recv(MEGABYTE), b""))))

    with natively(agent, "app", count) as port:
        async with pumping(agent, port) as pump:
            await asyncio.to_thread(pump.stream.sendall, bytes(8 * MEGABYTE))
        await asyncio.to_thread(wait_until, lambda: arrived, "the server read all")
    assert arrived == [8 * MEGABYTE]


async def test_a_server_that_is_cut_off_is_an_end_with_a_failure(agent: ConsulAgent) -> None:
    def cut(stream: ssl.SSLSocket) -> None:
        stream.sendall(b"half a sen")
        stream.shutdown(socket.SHUT_RDWR)

    with natively(agent, "app", cut) as port:
        async with pumping(agent, port) as pump:
            assert await asyncio.to_thread(received, pump.stream, 11) == b"half a sen"
    # Before 3.11.4 it is no SSLEOFError yet.
    assert isinstance(pump.failure, ssl.SSLError)
    assert "eof" in str(pump.failure).lower()


async def test_another_service_is_told_nothing(agent: ConsulAgent) -> None:
    heard: list[bytes] = []
    with (
        natively(agent, "thief", lambda stream: heard.append(stream.recv(1))) as port,
        pytest.raises(WrongIdentityError, match="/svc/thief"),
    ):
        await pump_to(agent, port)
    assert heard in ([], [b""])


async def test_a_certificate_of_another_mesh_is_refused(agent: ConsulAgent) -> None:
    from world.consul import ConsulAgent as AnotherAgent

    with (
        AnotherAgent() as stranger,
        natively(stranger, "app", echo) as port,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        await pump_to(agent, port)


async def test_who_speaks_no_tls(agent: ConsulAgent) -> None:
    with (
        listening(lambda connection: connection.sendall(b"+OK who is there?\r\n")) as port,
        pytest.raises(ssl.SSLError),
    ):
        await pump_to(agent, port)


async def test_what_a_server_says_first_is_not_lost(agent: ConsulAgent) -> None:
    greeting = b"x" * 40_000

    def greet(stream: ssl.SSLSocket) -> None:
        stream.sendall(greeting)
        echo(stream)

    with natively(agent, "app", greet) as port:
        async with pumping(agent, port) as pump:
            assert await asyncio.to_thread(received, pump.stream, len(greeting)) == greeting


def test_a_certificate_is_loaded_where_a_descriptor_keeps_its_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``/dev/fd/N`` is opened here as macOS does: as the same open file, with its position."""
    load = ssl.SSLContext.load_cert_chain
    loaded: list[bytes] = []

    def opened(path: str) -> Path:
        assert path.startswith("/dev/fd/")
        loaded.append(os.read(int(path.removeprefix("/dev/fd/")), 1_000_000))
        file = tmp_path / str(len(loaded))
        file.write_bytes(loaded[-1])
        return file

    def load_cert_chain(
        context: ssl.SSLContext,
        certificate: str,
        key: str | None = None,
        password: Callable[[], str] | None = None,
    ) -> None:
        load(context, opened(certificate), opened(key or certificate), password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load_cert_chain)
    authority = Authority()
    certificate, key = authority.client("shop", "mesh")
    mesh_context(
        certificate=certificate.decode(),
        private_key=key.decode(),
        roots=[authority.certificate.decode()],
    )
    assert certificate in loaded[0]
    assert key in loaded[1]
