"""Plain sockets of backends and their transports: connecting, waiting for an end, and pairs."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Final

# A stream that is judged at its start is small talk at most.
_PEEK_BYTES: Final = 1
_BUFFER_BYTES: Final = 1024 * 1024


async def connected(host: str, port: int) -> socket.socket:
    """Give a connected non-blocking socket to the first address of ``host`` that takes it.

    Raises ``OSError``. Cancelled, it leaves no socket behind.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    errors: list[OSError] = []
    for family, kind, protocol, _, sockaddr in found:
        try:
            return await _connected(socket.socket(family, kind, protocol), sockaddr)
        except OSError as error:
            errors.append(error)
    raise errors[0] if errors else OSError(f"{host} has no address")


async def _connected(sock: socket.socket, sockaddr: tuple[object, ...]) -> socket.socket:
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(sock, sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


async def readable_within(sock: socket.socket, seconds: float) -> bool:
    """Say whether bytes or an end came; a ``recv`` that is cancelled could lose what came."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        async with asyncio.timeout(seconds):
            return await readable.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(sock)


async def ended_within(sock: socket.socket, seconds: float) -> bool:
    """Say whether the other side closes ``sock`` in time; what it says is left unread."""
    return await readable_within(sock, seconds) and has_ended(sock)


def has_ended(sock: socket.socket) -> bool:
    """Say whether the other side has closed ``sock``; what it says is left unread."""
    try:
        return not sock.recv(_PEEK_BYTES, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def buffered_pair() -> tuple[socket.socket, socket.socket]:
    """Give a non-blocking socketpair with large buffers, as far as the system grants them."""
    pair = socket.socketpair()
    for sock in pair:
        sock.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    return pair


def drain(sock: socket.socket) -> None:
    """Take no more from the other end of a pair, so that our close is an end to it and no reset."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
        while sock.recv(_BUFFER_BYTES):
            pass
