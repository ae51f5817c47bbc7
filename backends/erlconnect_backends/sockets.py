"""Plain sockets of backends and their transports: connecting, and waiting for an end."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from erlconnect.api import readable_within
from erlconnect.net.dial import Race, found_addresses

# A stream that is judged at its start is small talk at most.
_PEEK_BYTES: Final = 1


async def connected(host: str, port: int) -> socket.socket:
    """Give a connected non-blocking socket to the first address of ``host`` that takes it.

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
