"""Opens connections to an API server: directly or through its proxy, with TLS always checked.

Refuses to know what is said over them. asyncio's own streams are not taken: one that is cancelled
in the middle of its TLS handshake stays open.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect_backends.kubernetes_cluster.layers import Clear, Tls
from erlconnect_backends.kubernetes_cluster.proxy_dialog import Proxy, pass_proxy
from erlconnect_backends.sockets import connected

if TYPE_CHECKING:
    import socket

    from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess, Credentials
    from erlconnect_backends.kubernetes_cluster.layers import Layer

_PIECE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A non-blocking socket, and what lies between it and HTTP; whoever has it closes ``wire``."""

    wire: socket.socket
    layer: Layer

    async def send(self, data: bytes) -> None:
        """Send ``data``. Raises ``OSError``."""
        self.layer.send(data)
        await send(self.wire, self.layer.outgoing())

    async def receive(self) -> bytes:
        """Give what comes next; nothing at the end. Raises ``OSError``."""
        early = self.layer.early()
        if early is not None:
            return early
        while True:
            data = await asyncio.get_running_loop().sock_recv(self.wire, _PIECE_BYTES)
            pieces = [bytes(piece) for piece in self.layer.receive(memoryview(data))]
            if pieces or not data:
                return b"".join(pieces)


async def open_connection(access: ClusterAccess, credentials: Credentials) -> Connection:
    """Give a connection to the API server, after TLS where it speaks TLS.

    Raises ``OSError``, as which TLS and proxies fail too. It has no deadline of its own. Cancelled,
    it leaves no socket behind.
    """
    wire = await _through_proxy(access)
    try:
        return Connection(wire=wire, layer=await _layer(wire, credentials))
    except BaseException:
        wire.close()
        raise


async def send(wire: socket.socket, data: bytes) -> None:
    """Send ``data`` as it is."""
    await asyncio.get_running_loop().sock_sendall(wire, data)


async def received(wire: socket.socket) -> memoryview:
    """Give what comes next, as it is; the end is an ``OSError``."""
    data = await asyncio.get_running_loop().sock_recv(wire, _PIECE_BYTES)
    if not data:
        raise ConnectionResetError("the server closed the connection")
    return memoryview(data)


async def _through_proxy(access: ClusterAccess) -> socket.socket:
    if not access.proxy:
        return await connected(access.host, access.port)
    proxy = Proxy.of(access.proxy)
    wire = await connected(proxy.host, proxy.port)
    try:
        await pass_proxy(wire, proxy, access.host, access.port)
    except BaseException:
        wire.close()
        raise
    return wire


async def _layer(wire: socket.socket, credentials: Credentials) -> Layer:
    if credentials.tls is None:
        return Clear()
    tls = Tls(credentials.tls, credentials.tls_server_name)
    data = memoryview(b"")
    while not tls.shake_hands(data):
        await send(wire, tls.outgoing())
        # More than the handshake may be in it: a TLS 1.2 server has the last word.
        data = await received(wire)
    await send(wire, tls.outgoing())
    return tls
