"""Handshake frames over a socket: a length, then the body.

The length has 16 bits, and 32 where the distribution is spoken over TLS. Reads take exactly one
frame and never a byte more, because right behind the last frame of the handshake the first frame of
the connection may follow.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.net.sockets import has_ended, receive_exactly
from erlconnect.proxy.timing import Timer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

# The longest message has a name of 255 characters; the rest is room for future fields.
_MAX_BODY: Final = 4096
# "Distribution Handshake": the packets of the handshake have a 16-bit length.
LENGTH_SIZE: Final = 2
TLS_LENGTH_SIZE: Final = 4
# Content type 21 or 22, then the major version (RFC 8446, section 5.1).
_TLS_ALERT: Final = b"\x15\x03"
_TLS_HANDSHAKE: Final = b"\x16\x03"
_HTTP: Final = b"HT"
Peer = Literal["local", "remote"]
Message = TypeVar("Message")


class PeerError(Exception):
    """The handshake with ``peer`` failed; the message is what was seen."""

    def __init__(self, peer: Peer, seen: str) -> None:
        super().__init__(seen)
        self.peer = peer


class PeerClosedError(PeerError):
    """The peer closed or reset the connection."""


class PeerProtocolError(PeerError):
    """The peer sent something else than the message that was expected."""


class TlsSpokenError(PeerProtocolError):
    """The peer sent a TLS record: it expects the distribution over TLS."""


class FrameStream:
    """One side of the handshake; ``stopwatch`` records how long each message took."""

    def __init__(
        self,
        sock: socket.socket,
        peer: Peer,
        stopwatch: Timer | None = None,
        *,
        length_size: int = LENGTH_SIZE,
    ) -> None:
        self._length_size = length_size
        self.socket = sock
        self.peer: Peer = peer
        self.waiting_for = ""
        """The name of the message that ``recv`` waits for; empty if it waits for none."""
        self._last = "before its first message"
        self._stopwatch = stopwatch or Timer.disabled()

    async def recv(self, message: str, parse: Callable[[bytes], Message]) -> Message:
        """Read one frame and parse its body; ``message`` is the name of the expected one.

        Raises ``PeerClosedError`` or ``PeerProtocolError``. Cancelled, it may have taken a part of
        the frame: the stream is of no further use.
        """
        self.waiting_for = message
        try:
            with self._stopwatch.phase(message):
                parsed = parse(await self._body(message))
        except RemoteProtocolError as error:
            raise PeerProtocolError(self.peer, str(error)) from error
        # Not in a `finally`: after a timeout the error names the message that did not come.
        self.waiting_for = ""
        self._last = f"after {message}"
        return parsed

    async def send(self, message: str, body: bytes) -> None:
        """Write one frame; ``message`` is its name. Raises ``PeerClosedError``."""
        frame = len(body).to_bytes(self._length_size, "big") + body
        try:
            with self._stopwatch.phase(message):
                await asyncio.get_running_loop().sock_sendall(self.socket, frame)
        except OSError as error:
            raise self._closed() from error
        self._last = f"after {message}"

    @property
    def ended(self) -> bool:
        """Whether the peer has closed and left nothing to read."""
        return has_ended(self.socket)

    async def _body(self, message: str) -> bytes:
        head = await self._exactly(self._length_size)
        # As a length, two or four bytes that begin so would be beyond every message.
        start = head[: len(_HTTP)]
        if start in (_TLS_ALERT, _TLS_HANDSHAKE):
            raise TlsSpokenError(self.peer, f"{message}: TLS came instead")
        if start == _HTTP:
            raise RemoteProtocolError(f"{message}: an HTTP answer came instead")
        length = int.from_bytes(head, "big")
        # Checked before the body is read, so that a wrong length costs no memory and no waiting.
        if not 0 < length <= _MAX_BODY:
            raise RemoteProtocolError(f"{message}: a frame of {length} bytes")
        return await self._exactly(length)

    async def _exactly(self, size: int) -> bytes:
        try:
            return await receive_exactly(self.socket, size)
        except (OSError, EOFError) as error:
            raise self._closed() from error

    def _closed(self) -> PeerClosedError:
        return PeerClosedError(self.peer, f"the connection was closed {self._last}")
