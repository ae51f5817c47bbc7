"""A kubelet's end of ``v4.channel.k8s.io``, played on a server of the library ``websockets``.

It speaks for itself what a test tells it to; the double of the API server has real ports.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from websockets.sync.server import serve
from websockets.typing import Subprotocol

from erlconnect_backends.kubernetes.connection import PlainLayer
from erlconnect_backends.kubernetes.forward_streams import (
    CHANNEL_SUBPROTOCOL,
    ChannelCodec,
    ForwardPump,
)
from erlconnect_backends.kubernetes.websocket import HandshakeResult, Piece, WebSocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from websockets.sync.server import ServerConnection

    from erlconnect_backends.kubernetes.websocket import Keepalive

PORT = 4369
MEGABYTE = 1024 * 1024
DATA, ERROR = b"\x00", b"\x01"
_PIECE = 32 * 1024


class Kubelet:
    """One forwarded port as its kubelet sees it."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    def announce(self) -> None:
        for channel in (DATA, ERROR):
            self.connection.send(channel + PORT.to_bytes(2, "little"))

    def say(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE):
            self.connection.send(DATA + data[start : start + _PIECE])

    def complain(self, words: str) -> None:
        self.connection.send(ERROR + words.encode())

    def hear(self) -> bytes:
        """The data of the next message; nothing at the end."""
        for message in self.connection:
            assert isinstance(message, bytes)
            assert message[:1] == DATA
            if message[1:]:
                return message[1:]
        return b""

    def hear_all(self) -> bytes:
        return b"".join(iter(self.hear, b""))

    def echo(self) -> None:
        while data := self.hear():
            self.say(data)


@contextmanager
def kubelet(behave: Callable[[Kubelet], None]) -> Iterator[int]:
    """Serve each websocket with ``behave`` after the announcements; return the server's port."""

    def handle(connection: ServerConnection) -> None:
        here = Kubelet(connection)
        here.announce()
        behave(here)

    with serve(
        handle,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol(CHANNEL_SUBPROTOCOL)],
        compression=None,
        max_size=None,
        ping_interval=None,
        close_timeout=1,
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


async def pump_to(port: int, *, keepalive: Keepalive | None = None) -> ForwardPump:
    """A pump to the kubelet at ``port``, which has agreed; not started."""
    loop = asyncio.get_running_loop()
    wire = socket.socket()
    wire.setblocking(False)
    await loop.sock_connect(wire, ("127.0.0.1", port))
    websocket = WebSocket(
        f"ws://127.0.0.1:{port}/", PlainLayer(), headers=(), subprotocols=[CHANNEL_SUBPROTOCOL]
    )
    await loop.sock_sendall(wire, websocket.outgoing())
    early: list[Piece] = []
    while not (websocket.open or websocket.over):
        data = await loop.sock_recv(wire, 65536)
        assert data
        early += websocket.receive(memoryview(data))
    opened = HandshakeResult(wire=wire, websocket=websocket, early=tuple(early))
    return ForwardPump(opened, partial(ChannelCodec, port=PORT, keepalive=keepalive), name="test")


@asynccontextmanager
async def pumping(port: int, *, keepalive: Keepalive | None = None) -> AsyncIterator[ForwardPump]:
    """A pump whose stream blocks, and which has ended afterwards."""
    pump = await pump_to(port, keepalive=keepalive)
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
