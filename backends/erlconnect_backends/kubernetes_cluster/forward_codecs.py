"""What the messages of a websocket mean for one forwarded port, as codecs of a pump.

Refuses to know how the websocket came to be. Neither way closes halves: when either side ends, the
other one is closed as soon as it has taken what came before.
"""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from erlconnect.api import StreamPump
from erlconnect_backends.kubernetes_cluster.forward_channels import (
    ForwardChannels,
    ForwardProtocolError,
)
from erlconnect_backends.kubernetes_cluster.signs_of_life import SignsOfLife
from erlconnect_backends.kubernetes_cluster.spdy_streams import DATA_HEAD_SIZE, SpdyStreams
from erlconnect_backends.kubernetes_cluster.websocket import WebSocketFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from erlconnect_backends.kubernetes_cluster.websocket import Opened, Piece, WebSocket

PORT_BYTES: Final = 2


class ForwardCodec(ABC):
    """What both ways have in common, as a ``StreamCodec``."""

    half_closes = False

    def __init__(
        self, opened: Opened, changed: Callable[[], None], life: SignsOfLife | None
    ) -> None:
        self.over = False
        self.failure: Exception | None = None
        self.spoken = False
        self.websocket: WebSocket = opened.websocket
        self._early = opened.early
        self._changed = changed
        self._life = life or SignsOfLife()

    @property
    @abstractmethod
    def opened(self) -> bool:
        """Whether the other side has begun to forward."""

    @property
    @abstractmethod
    def answered(self) -> bool:
        """Whether it has answered something that was sent later."""

    @property
    @abstractmethod
    def error(self) -> str:
        """What the kubelet said of the port."""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether the port says no more, though the websocket is open."""

    @abstractmethod
    def encode(self, data: memoryview) -> None:
        """Make a message of it."""

    @abstractmethod
    def _contents(self, piece: Piece) -> Iterable[memoryview]:
        """Give the port's data in a piece of a message."""

    def early(self) -> Sequence[memoryview]:
        """Give what came with the server's agreement."""
        return self._taken(self._early)

    def decode(self, data: memoryview) -> Sequence[memoryview]:
        """Give the port's data, and keep what is said of it."""
        self._life.seen()
        return self._taken(self.websocket.receive(data))

    def say_farewell(self) -> None:
        """Close the websocket, which is the only end there is."""
        self.websocket.close()

    def outgoing(self) -> bytes:
        """Give what was made."""
        return self.websocket.outgoing()

    def seconds_left(self, *, listening: bool) -> float:
        """Ask for a sign of life when it is time for that; raises ``SilentError``."""
        if not listening:
            # Who does not read cannot tell whether the other side is silent.
            self._life.seen()
        elif self._life.ask():
            self.websocket.ping()
        return self._life.seconds_left()

    def _taken(self, pieces: Iterable[Piece]) -> Sequence[memoryview]:
        before = self.opened, self.answered, self.spoken
        contents: list[memoryview] = []
        try:
            for piece in pieces:
                contents += self._contents(piece)
        except (ssl.SSLError, WebSocketFailedError, ForwardProtocolError) as error:
            self.failure = error
        self.over = bool(self.websocket.over or self.ended or self.error or self.failure)
        self.spoken = self.spoken or bool(contents)
        if before != (self.opened, self.answered, self.spoken):
            self._changed()
        return contents


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
        super().__init__(opened, changed, life)
        self._channels = ForwardChannels(port)
        # Its first byte stays 0, which is the channel of data.
        self._message = memoryview(bytearray(1 + StreamPump.piece_bytes))

    @property
    def opened(self) -> bool:
        """Whether the port's channel of data is there."""
        return self._channels.opened

    @property
    def answered(self) -> bool:
        """Whether a ping was answered since."""
        return self.websocket.answered

    @property
    def error(self) -> str:
        """What came on the channel of errors."""
        return self._channels.error

    @property
    def ended(self) -> bool:
        """Say no: an end is the websocket's own."""
        return False

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


class TunnelCodec(ForwardCodec):
    """A websocket that was opened for any port: the caller's first two bytes say which one."""

    def __init__(
        self, opened: Opened, changed: Callable[[], None], *, life: SignsOfLife | None = None
    ) -> None:
        super().__init__(opened, changed, life)
        self._streams = SpdyStreams()
        self._port = bytearray()
        self._message = memoryview(bytearray(DATA_HEAD_SIZE + StreamPump.piece_bytes))

    @property
    def opened(self) -> bool:
        """Whether the kubelet has the port's stream of data."""
        return self._streams.opened

    @property
    def answered(self) -> bool:
        """Whether the kubelet has answered a ping behind it."""
        return self._streams.answered

    @property
    def error(self) -> str:
        """What came on the stream of errors."""
        return self._streams.error

    @property
    def ended(self) -> bool:
        """Whether the stream of data has ended."""
        return self._streams.ended

    def encode(self, data: memoryview) -> None:
        """Open the streams, and make a message of what follows."""
        missing = PORT_BYTES - len(self._port)
        if missing:
            self._port += data[:missing]
            data = data[missing:]
            if len(self._port) == PORT_BYTES:
                opening = self._streams.opening(int.from_bytes(self._port, "big"))
                self.websocket.send(memoryview(opening))
        if data:
            self._message[:DATA_HEAD_SIZE] = self._streams.data_head(len(data))
            self._message[DATA_HEAD_SIZE : DATA_HEAD_SIZE + len(data)] = data
            self.websocket.send(self._message[: DATA_HEAD_SIZE + len(data)])

    def _contents(self, piece: Piece) -> Iterator[memoryview]:
        yield from self._streams.receive(piece.payload)
        if replies := self._streams.replies():
            self.websocket.send(memoryview(replies))
