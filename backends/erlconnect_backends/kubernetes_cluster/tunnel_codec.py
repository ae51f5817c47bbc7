"""The bytes of a port in a tunnel, a websocket that was opened for any port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.api import StreamPump
from erlconnect_backends.kubernetes_cluster.forward_codec import ForwardCodec
from erlconnect_backends.kubernetes_cluster.spdy_streams import DATA_HEAD_SIZE, SpdyStreams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from erlconnect_backends.kubernetes_cluster.websocket import Opened, Piece


PORT_BYTES: Final = 2


class TunnelCodec(ForwardCodec):
    """A websocket that was opened for any port: the caller's first two bytes say which one."""

    def __init__(self, opened: Opened, changed: Callable[[], None]) -> None:
        self._streams = SpdyStreams()
        super().__init__(opened, self._streams, changed)
        self._named = bytearray()
        self._message = memoryview(bytearray(DATA_HEAD_SIZE + StreamPump.piece_bytes))

    @property
    def answered(self) -> bool:
        """Whether the kubelet has answered a ping behind it."""
        return self._streams.answered

    def encode(self, data: memoryview) -> None:
        """Open the streams, and make a message of what follows."""
        missing = PORT_BYTES - len(self._named)
        if missing:
            self._named += data[:missing]
            data = data[missing:]
            if len(self._named) == PORT_BYTES:
                opening = self._streams.opening(int.from_bytes(self._named, "big"))
                self.websocket.send(memoryview(opening))
        if data:
            self._message[:DATA_HEAD_SIZE] = self._streams.data_head(len(data))
            self._message[DATA_HEAD_SIZE : DATA_HEAD_SIZE + len(data)] = data
            self.websocket.send(self._message[: DATA_HEAD_SIZE + len(data)])

    def _contents(self, piece: Piece) -> Iterator[memoryview]:
        yield from self._streams.receive(piece.payload)
        if replies := self._streams.replies():
            self.websocket.send(memoryview(replies))
