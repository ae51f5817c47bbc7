"""Plain sockets around a pump: waiting for bytes without taking them, pairs, and pacing."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from contextlib import suppress
from typing import Final

from erlconnect.streams.waiting import set_within

_BUFFER_BYTES: Final = 1024 * 1024
_TCP: Final = (socket.AF_INET, socket.AF_INET6)


async def readable_within(sock: socket.socket, seconds: float) -> bool:
    """Say whether bytes or an end came; a ``recv`` that is cancelled could lose what came."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        return await set_within(readable, seconds)
    finally:
        loop.remove_reader(sock)


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


def unpaced(sock: socket.socket) -> None:
    """Send as fast as the other end takes it where that is on this machine.

    BBR, which some systems use for all TCP, spreads what is sent over time; between two programs
    of one machine that costs a tenth of the throughput and protects nobody.
    """
    if sys.platform == "linux" and sock.family in _TCP:
        with suppress(OSError):
            if ipaddress.ip_address(sock.getpeername()[0]).is_loopback:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
