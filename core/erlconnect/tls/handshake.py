"""The handshake, on either side; the certificates of a context say who is trusted.

Refuses to know names and identities: the caller looks at the certificate before it goes on.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket

_PIECE_BYTES: Final = 64 * 1024


@dataclass(slots=True, kw_only=True)
class Tls:
    """A TLS session without a socket. ``early`` is what was decrypted before the pump began."""

    object: ssl.SSLObject
    incoming: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    outgoing: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    early: bytes = b""

    async def send(self, wire: socket.socket) -> None:
        """Send what waits for the other side."""
        if self.outgoing.pending:
            await asyncio.get_running_loop().sock_sendall(wire, self.outgoing.read())

    async def receive(self, wire: socket.socket) -> None:
        """Take in what comes. Raises ``ConnectionResetError`` at the end."""
        data = await asyncio.get_running_loop().sock_recv(wire, _PIECE_BYTES)
        if not data:
            raise ConnectionResetError("closed during or right after the TLS handshake")
        self.incoming.write(data)

    def read_early(self) -> None:
        """Decrypt what came behind the handshake. Raises ``ssl.SSLError`` and ``OSError``."""
        try:
            self.early = self.object.read(_PIECE_BYTES)
        except ssl.SSLWantReadError:
            return
        if not self.early:
            raise ConnectionResetError("closed during or right after the TLS handshake")


async def tls_handshake(
    wire: socket.socket,
    context: ssl.SSLContext,
    *,
    server_name: str | None = None,
    server_side: bool = False,
) -> Tls:
    """Shake hands over a connected socket, which stays the caller's.

    The last words of it wait in the result, for ``Tls.send`` or a pump: until then the other side
    has no answer to its certificate. Raises ``ssl.SSLError`` and ``OSError``; what the other side
    is told about that is sent. Cancelled, the socket is of no further use.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    wrapped = context.wrap_bio(
        incoming, outgoing, server_side=server_side, server_hostname=server_name
    )
    tls = Tls(object=wrapped, incoming=incoming, outgoing=outgoing)
    try:
        while not _shaken(tls):
            await tls.send(wire)
            await tls.receive(wire)
    except ssl.SSLError:
        await tls.send(wire)
        raise
    return tls


def _shaken(tls: Tls) -> bool:
    try:
        tls.object.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def strict(context: ssl.SSLContext) -> ssl.SSLContext:
    """Give ``context`` with what it has to refuse: TLS before 1.2, and a cut for an end."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Before 3.11.4 Python takes a connection that is cut off for one that was closed in order:
    # https://github.com/python/cpython/issues/95494
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context
