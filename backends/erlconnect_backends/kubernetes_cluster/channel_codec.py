"""The bytes of a port on the channels of a websocket that was opened for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.api import StreamPump
from erlconnect_backends.kubernetes_cluster.forward_channels import ForwardChannels
from erlconnect_backends.kubernetes_cluster.forward_codec import ForwardCodec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from erlconnect_backends.kubernetes_cluster.signs_of_life import SignsOfLife
    from erlconnect_backends.kubernetes_cluster.websocket import Opened, Piece


class ChannelCodec(ForwardCodec):
    """The channels of a websocket that was opened for ``port``."""

    def __init__(
        self,
        opened: Opened,
        changed: Callable[[], None],
        *,
        port: int,
        life: SignsOfLife | None = None,
    ) -> None:
        self._channels = ForwardChannels(port)
        super().__init__(opened, self._channels, changed, life)
        # Its first byte stays 0, which is the channel of data.
        self._message = memoryview(bytearray(1 + StreamPump.piece_bytes))

    @property
    def answered(self) -> bool:
        """Whether a ping was answered since."""
        return self.websocket.answered

    def encode(self, data: memoryview) -> None:
        """Make a message of it."""
        self._message[1 : 1 + len(data)] = data
        self.websocket.send(self._message[: 1 + len(data)])

    def _contents(self, piece: Piece) -> Iterator[memoryview]:
        if content := self._channels.receive(piece.payload, begins=piece.begins):
            yield content

    def _taken(self, pieces: Iterable[Piece]) -> Sequence[memoryview]:
        before = self.opened
        contents = super()._taken(pieces)
        if self.opened and not before:
            self.websocket.ping()
        return contents
