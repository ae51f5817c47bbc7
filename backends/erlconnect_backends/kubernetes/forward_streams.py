"""What the messages of a websocket mean for one forwarded port, as the codec of a pump.

Two kinds there are, ``channel_codec`` and ``tunnel_codec``. Refuses to know how the websocket came
to be. Neither closes halves: when either side ends, the other one is closed as soon as it has taken
what came before.

The bytes of one forwarded port, pumped between a socketpair and a websocket, and the news of it.

Knows when a port counts as open. Refuses to know what the messages of the websocket mean.

The two channels of one forwarded port: which bytes are data, and what the kubelet says.

Bytes in, facts out: refuses to know websockets and sockets. In ``v4.channel.k8s.io`` the first byte
of a message names its channel, 0 for the port's data and 1 for its errors; each channel begins with
the port in two bytes, little-endian. An end is the websocket's own: neither channel has one.
https://github.com/kubernetes/kubelet/blob/master/pkg/cri/streaming/portforward/websocket.go

The bytes of a port on the channels of a websocket that was opened for it.

The bytes of a port in a tunnel, a websocket that was opened for any port.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from erlconnect.api import StreamPump
from erlconnect_backends.kubernetes.spdy import DATA_HEAD_SIZE, SpdyStreams
from erlconnect_backends.kubernetes.websocket import (
    Keepalive,
    KeepaliveTimeoutError,
    WebSocketFailedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from erlconnect_backends.kubernetes.websocket import HandshakeResult, Piece, WebSocket

CHANNEL_SUBPROTOCOL: Final = "v4.channel.k8s.io"
_DATA: Final = 0
_ERROR: Final = 1
_PORT_BYTES: Final = 2
_MAX_ERROR_BYTES: Final = 4000


class ForwardProtocolError(Exception):
    """The other side does not speak ``v4.channel.k8s.io`` of one port."""


class ForwardChannels:
    """What arrives for one port. ``opened`` is true as soon as the port's data channel is there."""

    def __init__(self, port: int) -> None:
        self.opened = False
        # An end is the websocket's own.
        self.ended = False
        self._announced: Final = port.to_bytes(_PORT_BYTES, "little")
        # What of its own announcement each channel still has to say.
        self._awaited = [self._announced, self._announced]
        self._channel: int | None = None
        self._error = bytearray()

    @property
    def error(self) -> str:
        """What the kubelet said, on one line; empty where it said nothing."""
        return " ".join(self._error.decode(errors="replace").split())

    def receive(self, payload: memoryview, *, begins: bool) -> memoryview:
        """Take a piece of a message and give the data in it, perhaps none.

        ``begins`` says that it is the first piece. Raises ``ForwardProtocolError``.
        """
        if begins:
            self._channel = None
        if self._channel is None:
            if not payload:
                return payload
            self._channel, payload = self._checked(payload[0]), payload[1:]
        payload = self._after_announcement(self._channel, payload)
        if self._channel == _DATA:
            return payload
        self._error += payload[: _MAX_ERROR_BYTES - len(self._error)]
        return payload[:0]

    def _checked(self, channel: int) -> int:
        if channel not in (_DATA, _ERROR):
            raise ForwardProtocolError(f"a message on channel {channel}, which nobody opened")
        return channel

    def _after_announcement(self, channel: int, payload: memoryview) -> memoryview:
        awaited = self._awaited[channel]
        if not awaited:
            return payload
        said = bytes(payload[: len(awaited)])
        if not awaited.startswith(said):
            raise ForwardProtocolError(f"channel {channel} begins with {said!r}, which is no port")
        self._awaited[channel] = awaited[len(said) :]
        self.opened = self.opened or not self._awaited[_DATA]
        return payload[len(said) :]


class ForwardedPort(Protocol):
    """What has arrived for one port."""

    opened: bool
    ended: bool
    """Whether it says no more, though the websocket is open."""

    @property
    def error(self) -> str:
        """What the kubelet said, on one line; empty where it said nothing."""


class ForwardCodec(ABC):
    """What both ways have in common, as a ``StreamCodec``."""

    half_closes = False

    def __init__(
        self,
        opened: HandshakeResult,
        port: ForwardedPort,
        changed: Callable[[], None],
        life: Keepalive | None = None,
    ) -> None:
        self._port = port
        self.over = False
        self.failure: Exception | None = None
        self.spoken = False
        self.websocket: WebSocket = opened.websocket
        self._early = opened.early
        self._changed = changed
        self._life = life or Keepalive()

    @property
    def opened(self) -> bool:
        """Whether the other side has begun to forward."""
        return self._port.opened

    @property
    @abstractmethod
    def answered(self) -> bool:
        """Whether it has answered something that was sent later."""

    @property
    def error(self) -> str:
        """What the kubelet said of the port."""
        return self._port.error

    @abstractmethod
    def encode(self, data: memoryview) -> None:
        """Make a message of it."""

    @abstractmethod
    def _contents(self, piece: Piece) -> Iterable[memoryview]:
        """Return the port's data in a piece of a message."""

    def early(self) -> Sequence[memoryview]:
        """Return what came with the server's agreement."""
        return self._taken(self._early)

    def decode(self, data: memoryview) -> Sequence[memoryview]:
        """Return the port's data, and keep what is said of it."""
        self._life.seen()
        return self._taken(self.websocket.receive(data))

    def say_farewell(self) -> None:
        """Close the websocket, which is the only end there is."""
        self.websocket.close()

    def outgoing(self) -> bytes:
        """Return what was made."""
        return self.websocket.outgoing()

    def seconds_left(self, *, listening: bool) -> float:
        """Ask for a sign of life when it is time for that; raises ``KeepaliveTimeoutError``."""
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
        self.over = bool(self.websocket.over or self._port.ended or self.error or self.failure)
        self.spoken = self.spoken or bool(contents)
        if before != (self.opened, self.answered, self.spoken):
            self._changed()
        return contents


# No word of these protocols says that a port took the connection. A kubelet that is refused says so
# at once, so that an answer to something later, and a little patience, stand for it.
_ANSWER_SECONDS: Final = 0.5
_COMPLAINT_SECONDS: Final = 0.1
_AT_ONCE: Final = "the stream was closed at once"


class ForwardPump(StreamPump):
    """Pumps over ``opened``, which it owns, what ``make_codec`` makes of the bytes.

    What that is given has to be called whenever ``opened``, ``answered`` or ``spoken`` changes.
    Made and waited for in one loop; the stream may outlive it.
    """

    def __init__(
        self,
        opened: HandshakeResult,
        make_codec: Callable[[HandshakeResult, Callable[[], None]], ForwardCodec],
        *,
        name: str,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._forward = make_codec(opened, self._tell)
        super().__init__(opened.wire, self._forward, name=name, at_end=self._tell)

    @property
    def complaint(self) -> str:
        """What the kubelet said of the port, or the API server of the stream; mostly nothing."""
        return self._forward.error or self._forward.websocket.farewell

    @property
    def last_words(self) -> str:
        """What ended it; empty where it was an orderly end."""
        return self.complaint or _words(self.failure)

    async def refusal(self) -> str:
        """Wait until the port is known to be open or not; give why it is not, empty where it is."""
        while not (self._forward.opened or self.ended.is_set()):
            await self._change()
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                while not (self._forward.answered or self._forward.spoken or self.ended.is_set()):
                    await self._change()
        with suppress(TimeoutError):
            async with asyncio.timeout(_COMPLAINT_SECONDS):
                while not (self._forward.spoken or self.ended.is_set()):
                    await self._change()
        if self.ended.is_set() and not self._forward.spoken:
            return self.last_words or _AT_ONCE
        return ""

    async def gone(self) -> None:
        """Wait until it has ended."""
        while not self.ended.is_set():
            await self._change()

    async def _change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def _tell(self) -> None:
        # The stream may outlive the loop.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._changed.set)


def _words(failure: Exception | None) -> str:
    match failure:
        case None:
            return ""
        case KeepaliveTimeoutError() | ForwardProtocolError():
            return f"the way through the API server was given up: {failure}"
        case WebSocketFailedError() | ssl.SSLError():
            return "the API server, or something on the way to it, cut the stream"
        case _:
            why = getattr(failure, "strerror", None) or failure
            return f"the connection to the API server broke: {why}"


class ChannelCodec(ForwardCodec):
    """The channels of a websocket that was opened for ``port``."""

    def __init__(
        self,
        opened: HandshakeResult,
        changed: Callable[[], None],
        *,
        port: int,
        life: Keepalive | None = None,
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


PORT_BYTES: Final = 2


class TunnelCodec(ForwardCodec):
    """A websocket that was opened for any port: the caller's first two bytes say which one."""

    def __init__(self, opened: HandshakeResult, changed: Callable[[], None]) -> None:
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
