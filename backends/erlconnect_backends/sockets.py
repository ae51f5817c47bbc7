"""Plain sockets of backends and their transports: connecting, and waiting for an end."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from erlconnect.api import readable_within

# A stream that is judged at its start is small talk at most.
_PEEK_BYTES: Final = 1


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
