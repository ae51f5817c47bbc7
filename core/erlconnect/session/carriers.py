"""Which transport carries which stream, so that one that was left ends no link that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from erlconnect.session.approach import Approached


class Carriers:
    """The transports of one target, past and present, and the streams that were dialled by them."""

    def __init__(self) -> None:
        self._streams: dict[socket.socket, Approached] = {}
        self._left: list[Approached] = []

    async def dial(self, approached: Approached) -> socket.socket:
        """Dial the target by its transport, as ``Dialer.dial``."""
        stream = await approached.dialer.dial(approached.port)
        self._streams[stream] = approached
        return stream

    def of(self, stream: socket.socket) -> Approached | None:
        """Give the way by which ``stream`` was dialled."""
        return self._streams.get(stream)

    def leave(self, approached: Approached) -> None:
        """Close its transport as soon as all streams are closed that it carries."""
        self._left.append(approached)
        self.sweep()

    def sweep(self) -> None:
        """Forget the streams that are closed, and close what carries none any more."""
        self._streams = {
            stream: way for stream, way in self._streams.items() if stream.fileno() >= 0
        }
        # A target whose name has changed since is the same way.
        used = [way.dialer for way in self._streams.values()]
        for way in self._left:
            if way.dialer not in used:
                way.close()
        self._left = [way for way in self._left if way.dialer in used]
