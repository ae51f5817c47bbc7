"""Plain sockets around a pump: waiting for bytes without taking them, pairs, and pacing.

Waiting for something that may not come.

Plain sockets of backends and their transports: connecting, and waiting for an end.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from contextlib import suppress
from typing import Final

from erlconnect.net.dial import Race, found_addresses


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until ``event`` is set, for ``seconds`` at most; say whether it is."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


_BUFFER_BYTES: Final = 1024 * 1024
_TCP: Final = (socket.AF_INET, socket.AF_INET6)


async def readable_within(sock: socket.socket, seconds: float) -> bool:
    """Return whether bytes or an end came; a ``recv`` that is cancelled could lose what came."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        return await set_within(readable, seconds)
    finally:
        loop.remove_reader(sock)


def buffered_pair() -> tuple[socket.socket, socket.socket]:
    """Return a non-blocking socketpair with large buffers, as far as the system grants them."""
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


def unpaced(sock: socket.socket) -> None:
    """Send as fast as the other end takes it where that is on this machine.

    BBR, which some systems use for all TCP, spreads what is sent over time; between two programs
    of one machine that costs a tenth of the throughput and protects nobody.
    """
    if sys.platform == "linux" and sock.family in _TCP:
        with suppress(OSError):
            if ipaddress.ip_address(sock.getpeername()[0]).is_loopback:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")


# A stream that is judged at its start is small talk at most.
_PEEK_BYTES: Final = 1


async def connected(host: str, port: int) -> socket.socket:
    """Return a connected non-blocking socket to the first address of ``host`` that takes it.

    Raises ``OSError``, that of the address that failed first. Cancelled, it leaves no socket
    behind.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    race = Race(found_addresses(found))
    winner = await race.run()
    if winner is None:
        raise race.failures[0].error
    return winner


async def ended_within(sock: socket.socket, seconds: float) -> bool:
    """Return whether the other side closes ``sock`` in time; what it says is left unread."""
    return await readable_within(sock, seconds) and has_ended(sock)


def has_ended(sock: socket.socket) -> bool:
    """Return whether the other side has closed ``sock``; what it says is left unread."""
    try:
        return not sock.recv(_PEEK_BYTES, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
