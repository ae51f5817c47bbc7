"""What comes from a connection, by lines and by pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from erlconnect_backends.kubernetes_cluster.connection import Connection


class Incoming:
    """Keeps what was received and not asked for yet, which is one piece and one line at most."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting = b""

    async def line(self, limit: int) -> bytes:
        """Give the next line with its end; without one where it is longer or the last."""
        while b"\n" not in self._waiting and len(self._waiting) <= limit:
            piece = await self._connection.receive()
            if not piece:
                break
            self._waiting += piece
        end = self._waiting.find(b"\n") + 1 or len(self._waiting)
        line, self._waiting = self._waiting[:end], self._waiting[end:]
        return line

    async def some(self, most: int) -> bytes:
        """Give what comes next, ``most`` bytes at most; nothing at the end."""
        piece = self._waiting or await self._connection.receive()
        self._waiting = piece[most:]
        return piece[:most]
