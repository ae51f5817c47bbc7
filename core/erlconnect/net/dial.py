"""Connecting by TCP: what is written as HOST:PORT, the addresses of a host, and their race.

``Race`` is happy eyeballs (RFC 8305): the addresses are tried in turn with a short delay between,
and the first that answers wins, so that a dead one does not take the whole time that there is.
``connect`` dials one address. Looking a name up is for the callers.

The loop's ``create_connection`` is not used, because it does not hand out its socket, and neither
is aiohappyeyeballs, which loses the error of each address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ATTEMPT_DELAY_SECONDS: Final = 0.25  # RFC 8305, section 5: "Connection Attempt Delay"
_HOST_AND_PORT: Final = re.compile(r"(?:\[([^\[\]\s/]+)\]|([^\[\]:\s/]+))(?::([0-9]{1,5}))?")
_MAX_PORT: Final = 65535


def host_and_port(text: str, *, default_port: int) -> tuple[str, int]:
    """Split ``HOST[:PORT]``, IPv6 in brackets; ``ValueError`` says what is wrong."""
    parts = _HOST_AND_PORT.fullmatch(text)
    if not parts:
        raise ValueError("it has to be HOST or HOST:PORT, with an IPv6 address in brackets")
    host, port = parts[1] or parts[2], int(parts[3] or default_port)
    if not 0 < port <= _MAX_PORT:
        raise ValueError(f"there is no port {port}")
    if parts[1]:
        # Raises ``ValueError`` where the brackets hold something else.
        ipaddress.IPv6Address(host)
    return host, port


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address to connect to; ``sockaddr`` as ``socket.connect`` takes it."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]
    text: str

    @property
    def private(self) -> bool:
        """Whether it only means something inside one network."""
        numeric = ipaddress.ip_address(self.text)
        return numeric.is_private and not numeric.is_loopback


def found_addresses(found: Sequence[Any]) -> list[Address]:
    """Return what ``getaddrinfo`` found, each address once, in the order to try them.

    The families alternate, beginning with the one that the system prefers (RFC 8305, section 4).
    """
    # A dict keeps the order of getaddrinfo, which is that of preference (RFC 6724).
    unique = dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found)
    return interleaved(
        [
            Address(family=family, sockaddr=sockaddr, text=str(sockaddr[0]))
            for family, sockaddr in unique
        ]
    )


def interleaved(found: Sequence[Address]) -> list[Address]:
    """Return the addresses with the families in turn, beginning with that of the first."""
    first = [address for address in found if address.family == found[0].family]
    second = [address for address in found if address.family != found[0].family]
    alternating = chain.from_iterable(zip_longest(first, second))
    return [address for address in alternating if address is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One address that was tried, and what came back."""

    address: Address
    error: OSError


class Race:
    """One race between addresses; ``tried`` and ``failures`` hold afterwards what happened."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.tried: list[Address] = []
        self.failures: list[Failure] = []
        self._addresses = addresses
        self._winner: socket.socket | None = None
        self._changed = asyncio.Event()

    async def run(self) -> socket.socket | None:
        """Return the first socket that connected; ``None`` where every attempt failed.

        Losing attempts are closed. Cancelled, it leaves no socket behind.
        """
        try:
            async with asyncio.TaskGroup() as group:
                attempts = [group.create_task(self._attempt(self._addresses[0]))]
                for address in self._addresses[1:]:
                    # An attempt that fails starts the next one without the rest of the delay.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(ATTEMPT_DELAY_SECONDS):
                            await self._next_change()
                    if self._winner is not None:
                        break
                    attempts.append(group.create_task(self._attempt(address)))
                while self._winner is None and len(self.failures) < len(attempts):
                    await self._next_change()
                for attempt in attempts:
                    attempt.cancel()
                # The group waits here until the losers have closed their sockets.
        except BaseException:
            if self._winner is not None:
                # Nobody else has the socket: the caller gets an exception in its place.
                self._winner.close()
            raise
        return self._winner

    async def _next_change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    async def _attempt(self, address: Address) -> None:
        self.tried.append(address)
        try:
            connected = await connect(address)
        except OSError as error:
            self.failures.append(Failure(address=address, error=error))
        else:
            if self._winner is None:
                self._winner = connected
            else:
                # Two can connect in one turn of the loop, before the other is cancelled.
                connected.close()
        self._changed.set()


async def connect(address: Address) -> socket.socket:
    """Return a connected non-blocking TCP socket with ``TCP_NODELAY`` and ``SO_KEEPALIVE``.

    Raises ``OSError``; it has no deadline of its own. Cancelled, it leaves no socket behind.
    """
    sock = socket.socket(address.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        # Nagle's algorithm would hold small messages back until the last is acknowledged.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(sock, address.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock
