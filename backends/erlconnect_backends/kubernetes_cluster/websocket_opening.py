"""Opens websockets to an API server: a connection and the upgrade, in asyncio.

Refuses to know what they are for and to judge a refusal. Nothing here has a deadline of its own.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from erlconnect_backends.kubernetes_cluster.connection import open_connection, received, send
from erlconnect_backends.kubernetes_cluster.websocket import (
    Opened,
    Refusal,
    WebSocket,
    WebSocketFailedError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess, Credentials
    from erlconnect_backends.kubernetes_cluster.websocket import Piece

# A machine that is gone is noticed after 10 + 3 * 5 s of silence, or 30 s after it took nothing.
_PROBES: Final = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
_UNACKNOWLEDGED_MILLISECONDS: Final = 30_000


class UpgradeRefusedError(Exception):
    """The server answered the request, and not with a websocket."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"HTTP status {refusal.status}")
        self.refusal = refusal


async def open_websocket(
    access: ClusterAccess, credentials: Credentials, target: str, *, subprotocols: Sequence[str]
) -> Opened:
    """Give an open websocket; ``target`` is a quoted path with its query.

    Raises ``OSError``, as which TLS and proxies fail too, ``WebSocketFailedError`` and
    ``UpgradeRefusedError``. Cancelled, it leaves no connection behind.
    """
    connection = await open_connection(access, credentials)
    wire = connection.wire
    try:
        _watch_over(wire)
        websocket = WebSocket(
            f"ws://{access.authority}{access.path_prefix}{target}",
            connection.layer,
            headers=[("User-Agent", "erlconnect"), *credentials.headers],
            subprotocols=subprotocols,
        )
        early = await _upgraded(wire, websocket)
    except BaseException:
        wire.close()
        raise
    return Opened(wire=wire, websocket=websocket, early=early)


async def _upgraded(wire: socket.socket, websocket: WebSocket) -> tuple[Piece, ...]:
    early: list[Piece] = []
    try:
        while not (websocket.open or websocket.over):
            await send(wire, websocket.outgoing())
            early += websocket.receive(await received(wire))
            if websocket.refusal:
                raise UpgradeRefusedError(websocket.refusal)
    except ConnectionError as error:
        raise WebSocketFailedError("the connection was closed in place of an answer") from error
    return tuple(early)


def _watch_over(wire: socket.socket) -> None:
    """Have the kernel notice a machine or a network that is gone, as far as it can."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if option := getattr(socket, name, None):
            wire.setsockopt(socket.IPPROTO_TCP, option, value)
    if option := getattr(socket, "TCP_USER_TIMEOUT", None):
        wire.setsockopt(socket.IPPROTO_TCP, option, _UNACKNOWLEDGED_MILLISECONDS)
