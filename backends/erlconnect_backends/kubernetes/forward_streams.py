"""The bytes of one forwarded port in the messages of a websocket, and the pump that carries them.

A ``ForwardCodec`` reads and writes the messages, a ``ForwardPump`` carries the bytes between a
socketpair and the websocket and waits until the port counts as open. There are two codecs.
``ChannelCodec`` is for a websocket that was opened for one port, ``TunnelCodec`` for one whose port
is named later (``spdy``). ``port_forward`` opens the websockets.

Neither codec closes halves: the protocols have no end but the websocket's own. When either side
ends, the other one is closed as soon as it has taken what came before.

In ``v4.channel.k8s.io`` the first byte of a message names its channel, 0 for the port's data and 1
for its errors. Each channel begins with the port in two bytes, little-endian.
https://github.com/kubernetes/kubelet/blob/master/pkg/cri/streaming/portforward/websocket.go
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
# No message of these protocols confirms a connected port, but a kubelet reports a refused
# connection at once. So a port counts as open after the reply to a later ping, or 0.5 s without
# one, and then 0.1 s without an error.
_ANSWER_SECONDS: Final = 0.5
_REFUSAL_SECONDS: Final = 0.1
_AT_ONCE: Final = "the stream was closed at once"
PORT_BYTES: Final = 2


class ForwardPump(StreamPump):
    """Carries the bytes of one port over the websocket of ``handshake``, whose socket it owns.

    The codec has to call the function that ``make_codec`` gets whenever ``opened``, ``answered`` or
    ``has_data`` changes. It is made and waited for in one event loop; the stream may outlive that.
    """

    def __init__(
        self,
        handshake: HandshakeResult,
        make_codec: Callable[[HandshakeResult, Callable[[], None]], ForwardCodec],
        *,
        name: str,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._forward = make_codec(handshake, self._notify)
        super().__init__(handshake.wire, self._forward, name=name, at_end=self._notify)

    @property
    def server_error(self) -> str:
        """The kubelet's error about the port, or the API server's about the stream, if any."""
        return self._forward.error or self._forward.websocket.close_reason

    @property
    def end_reason(self) -> str:
        """Why the stream ended; empty where it was closed in order."""
        return self.server_error or _failure_text(self.failure)

    async def refusal(self) -> str:
        """Wait until the port counts as open or not; return why it is not, empty where it is."""
        while not (self._forward.opened or self.ended.is_set()):
            await self._change()
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                while not (self._forward.answered or self._forward.has_data or self.ended.is_set()):
                    await self._change()
        with suppress(TimeoutError):
            async with asyncio.timeout(_REFUSAL_SECONDS):
                # Data proves that the port is open, so that nothing more is waited for.
                while not (self._forward.has_data or self.ended.is_set()):
                    await self._change()
        if self.ended.is_set() and not self._forward.has_data:
            return self.end_reason or _AT_ONCE
        return ""

    async def gone(self) -> None:
        """Wait until it has ended."""
        while not self.ended.is_set():
            await self._change()

    async def _change(self) -> None:
        await self._changed.wait()
        # Safe without a lock: ``_notify`` sets the event in this same loop.
        self._changed.clear()

    def _notify(self) -> None:
        # The loop may be closed already.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._changed.set)


def _failure_text(failure: Exception | None) -> str:
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


class ForwardedPort(Protocol):
    """The state of one port, by either protocol."""

    opened: bool
    ended: bool
    """Whether the port has ended, though the websocket is open."""

    @property
    def error(self) -> str:
        """The kubelet's error text on one line; empty where it sent none."""


class ForwardCodec(ABC):
    """What both codecs have in common, as a ``StreamCodec``."""

    half_closes = False

    def __init__(
        self,
        handshake: HandshakeResult,
        port: ForwardedPort,
        changed: Callable[[], None],
        keepalive: Keepalive | None = None,
    ) -> None:
        self._port = port
        self.over = False
        self.failure: Exception | None = None
        self.has_data = False
        self.websocket: WebSocket = handshake.websocket
        self._early = handshake.early
        self._changed = changed
        self._keepalive = keepalive or Keepalive()

    @property
    def opened(self) -> bool:
        """Whether the other side has begun to forward."""
        return self._port.opened

    @property
    @abstractmethod
    def answered(self) -> bool:
        """Whether something was answered that was sent after the port was opened."""

    @property
    def error(self) -> str:
        """The kubelet's error about the port, on one line; empty without one."""
        return self._port.error

    @abstractmethod
    def encode(self, data: memoryview) -> None:
        """Send ``data`` as a message."""

    @abstractmethod
    def _contents(self, piece: Piece) -> Iterable[memoryview]:
        """Return the port's data in a piece of a message."""

    def early(self) -> Sequence[memoryview]:
        """Return what came together with the server's answer."""
        return self._taken(self._early)

    def decode(self, data: memoryview) -> Sequence[memoryview]:
        """Return the port's data; errors and pings are handled here."""
        self._keepalive.received()
        return self._taken(self.websocket.receive(data))

    def say_farewell(self) -> None:
        """Close the websocket; the protocols have no other end of a stream."""
        self.websocket.close()

    def outgoing(self) -> bytes:
        """Return the messages as bytes for the wire."""
        return self.websocket.outgoing()

    def seconds_left(self, *, listening: bool) -> float:
        """Send a ping when one is due, and return the seconds until the next may be.

        Raises ``KeepaliveTimeoutError`` where nothing came for too long.
        """
        if not listening:
            # While nothing is read, whether anything came is not known.
            self._keepalive.received()
        elif self._keepalive.ping_due():
            self.websocket.ping()
        return self._keepalive.seconds_left()

    def _taken(self, pieces: Iterable[Piece]) -> Sequence[memoryview]:
        before = self.opened, self.answered, self.has_data
        contents: list[memoryview] = []
        try:
            for piece in pieces:
                contents += self._contents(piece)
        except (ssl.SSLError, WebSocketFailedError, ForwardProtocolError) as error:
            self.failure = error
        self.over = bool(self.websocket.over or self._port.ended or self.error or self.failure)
        self.has_data = self.has_data or bool(contents)
        if before != (self.opened, self.answered, self.has_data):
            self._changed()
        return contents


class ChannelCodec(ForwardCodec):
    """``v4.channel.k8s.io``: a websocket that was opened for ``port``."""

    def __init__(
        self,
        handshake: HandshakeResult,
        changed: Callable[[], None],
        *,
        port: int,
        keepalive: Keepalive | None = None,
    ) -> None:
        self._channels = ForwardChannels(port)
        super().__init__(handshake, self._channels, changed, keepalive)
        # Its first byte stays 0, which is the channel of data.
        self._message = memoryview(bytearray(1 + StreamPump.piece_bytes))

    @property
    def answered(self) -> bool:
        """Whether a ping was answered that was sent after the port was opened."""
        return self.websocket.answered

    def encode(self, data: memoryview) -> None:
        """Send ``data`` as a message."""
        self._message[1 : 1 + len(data)] = data
        self.websocket.send(self._message[: 1 + len(data)])

    def _contents(self, piece: Piece) -> Iterator[memoryview]:
        if content := self._channels.receive(piece.payload, begins=piece.begins):
            yield content

    def _taken(self, pieces: Iterable[Piece]) -> Sequence[memoryview]:
        before = self.opened
        contents = super()._taken(pieces)
        # The pong to this ping is what ``answered`` waits for.
        if self.opened and not before:
            self.websocket.ping()
        return contents


class TunnelCodec(ForwardCodec):
    """SPDY/3.1 in a websocket for any port: the caller's first two bytes say which one."""

    def __init__(self, handshake: HandshakeResult, changed: Callable[[], None]) -> None:
        self._streams = SpdyStreams()
        super().__init__(handshake, self._streams, changed)
        self._port_bytes = bytearray()
        # Reused for every message: ``send`` copies it when it is masked.
        self._message = memoryview(bytearray(DATA_HEAD_SIZE + StreamPump.piece_bytes))

    @property
    def answered(self) -> bool:
        """Whether the kubelet has answered the ping behind the streams' opening."""
        return self._streams.answered

    def encode(self, data: memoryview) -> None:
        """Open the streams for the port that comes first, and send what follows."""
        # ``WebSocketForward.dial_through`` sends the port before the caller gets the stream.
        missing = PORT_BYTES - len(self._port_bytes)
        if missing:
            self._port_bytes += data[:missing]
            data = data[missing:]
            if len(self._port_bytes) == PORT_BYTES:
                opening = self._streams.opening(int.from_bytes(self._port_bytes, "big"))
                self.websocket.send(memoryview(opening))
        if data:
            self._message[:DATA_HEAD_SIZE] = self._streams.data_head(len(data))
            self._message[DATA_HEAD_SIZE : DATA_HEAD_SIZE + len(data)] = data
            self.websocket.send(self._message[: DATA_HEAD_SIZE + len(data)])

    def _contents(self, piece: Piece) -> Iterator[memoryview]:
        yield from self._streams.receive(piece.payload)
        if replies := self._streams.replies():
            self.websocket.send(memoryview(replies))


class ForwardProtocolError(Exception):
    """The other side does not speak ``v4.channel.k8s.io`` of one port."""


class ForwardChannels:
    """The two channels of one port; ``opened`` is true as soon as the data channel has begun."""

    def __init__(self, port: int) -> None:
        self.opened = False
        # An end is the websocket's own.
        self.ended = False
        self._announced: Final = port.to_bytes(_PORT_BYTES, "little")
        # What is still missing of the port that each channel begins with.
        self._awaited = [self._announced, self._announced]
        self._channel: int | None = None
        self._error = bytearray()

    @property
    def error(self) -> str:
        """What the kubelet said, on one line; empty where it said nothing."""
        return " ".join(self._error.decode(errors="replace").split())

    def receive(self, payload: memoryview, *, begins: bool) -> memoryview:
        """Take a piece of a message and return the port's data in it, perhaps none.

        ``begins`` is true for the first piece of a message. Raises ``ForwardProtocolError``.
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
        # Text beyond the limit is dropped, so that a server cannot use up memory.
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
        # A message may be cut within the two bytes: the rest is compared when it comes.
        said = bytes(payload[: len(awaited)])
        if not awaited.startswith(said):
            raise ForwardProtocolError(f"channel {channel} begins with {said!r}, which is no port")
        self._awaited[channel] = awaited[len(said) :]
        self.opened = self.opened or not self._awaited[_DATA]
        return payload[len(said) :]
