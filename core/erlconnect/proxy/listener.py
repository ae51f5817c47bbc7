"""Accepting local nodes: one port for an alias, on 127.0.0.1 and on ::1, and nowhere else."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from erlconnect.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MAX_CONNECTIONS: Final = 512
"""Of one alias, in their handshake or up; as many as the embedded epmd has."""
_TRIES: Final = 50
_ADDRESSES: Final = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


class Listener:
    """The listening sockets of one alias; both have the same port, because epmd knows one."""

    def __init__(self) -> None:
        self._sockets = _bind_both()
        self.port: int = self._sockets[0].getsockname()[1]
        self.on_refusal: Callable[[], None] = lambda: None
        """Called once, at the first connection that is one too many."""
        self._connections = 0
        self._refused = False

    async def serve(self, handle: Callable[[socket.socket], Awaitable[None]]) -> None:
        """Accept for ever; ``handle`` runs as a task of its own and owns the socket.

        A connection beyond ``MAX_CONNECTIONS`` is closed at once, so that the local node fails now
        and not after its own 7 s; the other connections go on. Cancelled, it cancels all handlers
        and waits for them. ``handle`` must not raise.
        """
        async with asyncio.TaskGroup() as handlers:
            # One group for both sockets: the end of one accept loop ends the other one, too.
            for listening in self._sockets:
                handlers.create_task(self._accept(listening, handlers, handle))

    def close(self) -> None:
        """Stop listening."""
        for listening in self._sockets:
            listening.close()

    async def _accept(
        self,
        listening: socket.socket,
        handlers: asyncio.TaskGroup,
        handle: Callable[[socket.socket], Awaitable[None]],
    ) -> None:
        loop = asyncio.get_running_loop()

        async def own(accepted: socket.socket) -> None:
            try:
                with accepted:
                    await handle(accepted)
            finally:
                # Counted down after the socket is closed, so that the limit holds for descriptors.
                self._connections -= 1

        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ECONNABORTED):
                    raise
                # Out of descriptors for the moment, or the peer reset its connection before it was
                # accepted. The listening socket is still good, so neither may end the loop.
                await asyncio.sleep(0.1)
                continue
            if self._connections >= MAX_CONNECTIONS:
                accepted.close()
                self._tell_refusal()
                continue
            with suppress(OSError):  # macOS refuses it for a connection that was reset already
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.setblocking(False)
            self._connections += 1
            handlers.create_task(own(accepted))

    def _tell_refusal(self) -> None:
        if not self._refused:
            self._refused = True
            self.on_refusal()


def _bind_both() -> list[socket.socket]:
    """Bind a port that is free in both families; without IPv6, one family is enough."""
    for _ in range(_TRIES):
        first = _listen(socket.AF_INET, 0)
        try:
            return [first, _listen(socket.AF_INET6, first.getsockname()[1])]
        except OSError as error:
            # Only a port in use is worth another try; any other error is taken for no IPv6.
            if error.errno != errno.EADDRINUSE:
                return [first]
            first.close()
    raise UnreachableError(
        f"no local port was free on both 127.0.0.1 and ::1 in {_TRIES} tries",
        remedy="See what listens on so many ports of this machine.",
    )


def _listen(family: socket.AddressFamily, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            # Two sockets share the port number: the one for IPv6 must not claim IPv4 as well.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((_ADDRESSES[family], port))
        listening.listen(128)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
