"""Connected sockets: waiting for what they may bring, reading from them, and their options.

The transports, the proxy and the backends use these helpers; ``dial.py`` makes the connections.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import sys
from contextlib import suppress
from typing import Final

from erlconnect.net.dial import Race, found_addresses

_BUFFER_BYTES: Final = 1024 * 1024
_TCP: Final = (socket.AF_INET, socket.AF_INET6)


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


async def receive_exactly(sock: socket.socket, size: int) -> bytes:
    """Return the next ``size`` bytes of a non-blocking socket.

    Raises ``asyncio.IncompleteReadError``, which is an ``EOFError``, where the stream ends before,
    and ``OSError``. Cancelled, what had come is lost.
    """
    loop = asyncio.get_running_loop()
    received = bytearray()
    while len(received) < size:
        # Never more than is wanted: what follows is for the next reader.
        piece = await loop.sock_recv(sock, size - len(received))
        if not piece:
            raise asyncio.IncompleteReadError(bytes(received), size)
        received += piece
    return bytes(received)


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until ``event`` is set, for ``seconds`` at most; return whether it is."""
    if not event.is_set():
        # No ``asyncio.timeout``: in a task that is being cancelled, Python before 3.11.4 takes the
        # timeout for a part of that.
        waiting = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait([waiting], timeout=seconds)
        finally:
            waiting.cancel()
    return event.is_set()


async def readable_within(sock: socket.socket, seconds: float) -> bool:
    """Return whether bytes or an end came in time; nothing is read."""
    # A ``sock_recv`` with a timeout could lose what came: a cancellation may follow the read.
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        return await set_within(readable, seconds)
    finally:
        loop.remove_reader(sock)


async def ended_within(sock: socket.socket, seconds: float) -> bool:
    """Return whether the other side closes ``sock`` in time; what it says is left unread."""
    return await readable_within(sock, seconds) and has_ended(sock)


def has_ended(sock: socket.socket) -> bool:
    """Return whether the other side has closed ``sock``; what it says is left unread."""
    try:
        return not sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        # A reset is an end, too.
        return True


def os_error_text(error: OSError) -> str:
    """Return the system's words for ``error``, without the address that asyncio adds to them."""
    # The numbers of ``gaierror`` are negative on Linux and no errno.
    if error.errno and error.errno > 0 and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return error.strerror or str(error)


def buffered_pair() -> tuple[socket.socket, socket.socket]:
    """Return a non-blocking socketpair with large buffers, as far as the system grants them."""
    pair = socket.socketpair()
    for sock in pair:
        sock.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    return pair


def drain(sock: socket.socket) -> None:
    """Discard what the other end of a pair has sent, before ``sock`` is closed."""
    # A close with unread bytes would be a reset for the other end instead of an end.
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
        while sock.recv(_BUFFER_BYTES):
            pass


def unpaced(sock: socket.socket) -> None:
    """Send without pacing where the other end is on this machine; elsewhere change nothing."""
    # BBR, which some systems use for all TCP, spreads what is sent over time; between two programs
    # of one machine that costs a tenth of the throughput and protects nobody.
    if sys.platform == "linux" and sock.family in _TCP:
        with suppress(OSError):
            if ipaddress.ip_address(sock.getpeername()[0]).is_loopback:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
