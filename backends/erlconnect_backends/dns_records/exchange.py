"""Carries one DNS message to a server and one back, over UDP or TCP (RFC 1035, 4.2; RFC 7766).

Knows of a message only the identifier and the bit that says that it was cut. Refuses to know
time: whoever calls sets the deadline. Cancelled, nothing here leaves a socket behind.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from erlconnect_backends.dns_records.servers import NameServer

OpenStream = Callable[["NameServer"], Awaitable[socket.socket]]
"""Gives a connected, plain, non-blocking socket, which the caller closes; a tunnel can be one."""

_MAX_DATAGRAM: Final = 65535
_FLAGS: Final = 2  # where the header has the byte with the bit that says that the answer is cut
_TRUNCATED: Final = 0x02


def is_cut(answer: bytes) -> bool:
    """Whether the server says that there is more than it could send over UDP."""
    return len(answer) > _FLAGS and bool(answer[_FLAGS] & _TRUNCATED)


async def open_tcp(server: NameServer) -> socket.socket:
    """Give a TCP connection to ``server``; raises ``OSError``."""
    stream = socket.socket(server.family, socket.SOCK_STREAM)
    try:
        stream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(stream, server.sockaddr)
    except BaseException:
        stream.close()
        raise
    return stream


async def ask_by_datagram(query: bytes, server: NameServer) -> bytes:
    """Give the answer to ``query`` over UDP, cut or whole; raises ``OSError``."""
    loop = asyncio.get_running_loop()
    with socket.socket(server.family, socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)
        # Connected, so that the kernel drops what others send and reports a closed port.
        datagrams.connect(server.sockaddr)
        await loop.sock_sendall(datagrams, query)
        while True:
            answer = await loop.sock_recv(datagrams, _MAX_DATAGRAM)
            if answer[:2] == query[:2]:
                return answer


async def ask_by_stream(query: bytes, server: NameServer, open_stream: OpenStream) -> bytes:
    """Give the answer to ``query``; raises ``OSError``, and ``EOFError`` if the server hangs up.

    The length in front of it has two bytes, so that 64 KB are the most that is read.
    """
    with await open_stream(server) as stream:
        message = len(query).to_bytes(2, "big") + query
        await asyncio.get_running_loop().sock_sendall(stream, message)
        size = int.from_bytes(await _exactly(2, stream), "big")
        return await _exactly(size, stream)


async def _exactly(size: int, stream: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    received = bytearray()
    while len(received) < size:
        part = await loop.sock_recv(stream, size - len(received))
        if not part:
            raise EOFError
        received += part
    return bytes(received)
