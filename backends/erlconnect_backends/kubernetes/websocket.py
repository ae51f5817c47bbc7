"""Websockets to an API server (RFC 6455): the upgrade in asyncio, then bytes in and frames out.

``open_websocket`` connects and upgrades; ``exec`` then reads the websocket in asyncio, and
``forward_streams`` in the thread of a pump. ``WebSocket`` itself touches no socket. Framing,
masking and the opening handshake are those of the library ``websockets``, which this file alone
imports. What a message means, and what to do about a refusal, is the caller's business. Nothing
here has a deadline of its own. ``Keepalive`` computes when a quiet connection needs a ping, and
when it counts as dead.
"""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from erlconnect_backends.kubernetes.connection import open_connection, received, send

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from websockets.datastructures import Headers

    from erlconnect_backends.kubernetes.connection import Credentials, Endpoint, Layer

# Kubelets send 32 KB at a time; a larger message than this is an attempt to use up memory.
_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
# No configuration can reach this logger: at "debug" the library logs all headers, with the token.
_SILENT_LOGGER: Final = logging.Logger("erlconnect.websocket", logging.CRITICAL)  # noqa: LOG001
_DATA: Final = (Opcode.BINARY, Opcode.TEXT, Opcode.CONT)
_IN_ORDER: Final = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD)
# A machine that is gone is noticed after 10 + 3 * 5 s of silence, or 30 s after data was sent that
# it did not acknowledge.
_KEEPALIVE_OPTIONS: Final = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
_UNACKNOWLEDGED_MILLISECONDS: Final = 30_000
PING_SECONDS: Final = 15.0
# A node that does not read for a while delays pongs, too: they stand behind its data. Erlang gives
# a node 60 s (net_ticktime).
PONG_SECONDS: Final = 60.0


async def open_websocket(
    endpoint: Endpoint, credentials: Credentials, target: str, *, subprotocols: Sequence[str]
) -> HandshakeResult:
    """Return an open websocket; ``target`` is a quoted path with its query.

    Raises ``OSError``, as which TLS and proxies fail too, ``WebSocketFailedError`` and
    ``UpgradeRefusedError``. Cancelled, it leaves no connection behind.
    """
    connection = await open_connection(endpoint, credentials)
    wire = connection.wire
    try:
        _set_keepalive_options(wire)
        websocket = WebSocket(
            f"ws://{endpoint.authority}{endpoint.path_prefix}{target}",
            connection.layer,
            headers=[("User-Agent", "erlconnect"), *credentials.headers],
            subprotocols=subprotocols,
        )
        early = await _upgraded(wire, websocket)
    except BaseException:
        wire.close()
        raise
    return HandshakeResult(wire=wire, websocket=websocket, early=early)


async def _upgraded(wire: socket.socket, websocket: WebSocket) -> tuple[Piece, ...]:
    early: list[Piece] = []
    try:
        # A refusal's body is waited for: it says why.
        while not (websocket.open or websocket.over):
            await send(wire, websocket.outgoing())
            early += websocket.receive(await received(wire))
            if websocket.refusal:
                raise UpgradeRefusedError(websocket.refusal)
    except ConnectionError as error:
        raise WebSocketFailedError("the connection was closed in place of an answer") from error
    return tuple(early)


def _set_keepalive_options(wire: socket.socket) -> None:
    """Let the kernel end a connection whose other side is unreachable, as far as it can."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE_OPTIONS.items():
        # Not every system has each of these options.
        if option := getattr(socket, name, None):
            wire.setsockopt(socket.IPPROTO_TCP, option, value)
    if option := getattr(socket, "TCP_USER_TIMEOUT", None):
        wire.setsockopt(socket.IPPROTO_TCP, option, _UNACKNOWLEDGED_MILLISECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeResult:
    """An open websocket and its socket; ``early`` came together with the server's answer."""

    wire: socket.socket
    websocket: WebSocket
    early: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A message or a fragment of one; ``begins`` is true for the first fragment."""

    payload: memoryview
    begins: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the server answered instead of opening the websocket."""

    status: int
    body: bytes
    retry_after: str


class WebSocketFailedError(Exception):
    """The other side speaks no websocket, or ended it without a close frame."""


class UpgradeRefusedError(Exception):
    """The server answered the request, and not with a websocket."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"HTTP status {refusal.status}")
        self.refusal = refusal


class WebSocket:
    """One websocket, from the request on.

    ``over`` is true when nothing more can come, ``answered`` as soon as a pong has come.
    """

    def __init__(
        self,
        url: str,
        layer: Layer,
        *,
        headers: Iterable[tuple[str, str]],
        subprotocols: Iterable[str],
    ) -> None:
        """``url`` begins with ``ws``; of it only the path and the query are sent."""
        self.layer = layer
        self.over = False
        self.answered = False
        self.refusal: Refusal | None = None
        self._protocol = _Protocol(
            parse_uri(url),
            subprotocols=[Subprotocol(each) for each in subprotocols],
            max_size=_MAX_MESSAGE_BYTES,
            logger=_SILENT_LOGGER,
        )
        request = self._protocol.connect()
        for name, value in headers:
            # Assigning adds a header in this library, and a request with two Hosts is refused.
            if name.lower() == "host":
                del request.headers[name]
            request.headers[name] = value
        self._protocol.send_request(request)

    @property
    def open(self) -> bool:
        """Whether the server has agreed, and neither side has begun to close."""
        return self._protocol.state is State.OPEN

    @property
    def subprotocol(self) -> str:
        """What the server chose; empty where it chose nothing."""
        return self._protocol.subprotocol or ""

    @property
    def close_reason(self) -> str:
        """Why the server closed the websocket, in its words; empty where it was in order."""
        close = self._protocol.close_rcvd
        return "" if close is None or close.code in _IN_ORDER else str(close)

    def receive(self, data: memoryview) -> Iterator[Piece]:
        """Take bytes of the socket, none for its end, and yield the messages in them.

        Raises ``WebSocketFailedError`` where they break the protocol, and ``ssl.SSLError``.
        """
        for plain in self.layer.receive(data):
            if plain:
                self._protocol.receive_data(bytearray(plain))
            else:
                self._protocol.receive_eof()
            for event in self._protocol.events_received():
                match event:
                    case Response():
                        self._keep_refusal(event)
                    case Frame(opcode=Opcode.PONG):
                        self.answered = True
                    case Frame(opcode=opcode) if opcode in _DATA:
                        yield _piece(event)
            self._raise_failure(ended=not plain)

    def send(self, payload: memoryview) -> None:
        """Send one message, unless the websocket is not open."""
        if self.open:
            self._protocol.send_binary(payload)

    def ping(self) -> None:
        """Send a ping, unless the websocket is not open."""
        if self.open:
            self._protocol.send_ping(b"")

    def close(self) -> None:
        """Begin to close, unless the websocket is not open."""
        if self.open:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)

    def outgoing(self) -> bytes:
        """Return bytes for the socket; none where there are no more for now."""
        for data in self._protocol.data_to_send():
            # Empty bytes are the library's sign that it would close the socket.
            if data:
                self.layer.send(data)
        return self.layer.outgoing()

    def _keep_refusal(self, response: Response) -> None:
        failure = self._protocol.handshake_exc
        if isinstance(failure, InvalidStatus):
            self.refusal = Refusal(
                status=response.status_code,
                body=bytes(response.body),
                # ``get`` raises where a header stands twice.
                retry_after=next(iter(response.headers.get_all("Retry-After")), ""),
            )

    def _raise_failure(self, *, ended: bool) -> None:
        failure = self._protocol.handshake_exc or self._protocol.parser_exc
        self.over = ended or self._protocol.close_rcvd is not None
        # The caller raises a refusal with its status and body, which this text would lack.
        if isinstance(failure, InvalidHandshake) and self.refusal:
            return
        if failure:
            raise WebSocketFailedError(str(failure)) from failure


class _Protocol(ClientProtocol):
    """Accepts a subprotocol with a slash in its name, as Kubernetes has it; RFC 6455 does not."""

    def process_subprotocol(self, headers: Headers) -> Subprotocol | None:
        """Return a subprotocol that was offered; leave all else to the library."""
        chosen = headers.get_all("Sec-WebSocket-Protocol")
        if len(chosen) == 1 and chosen[0] in (self.available_subprotocols or ()):
            return Subprotocol(chosen[0])
        return super().process_subprotocol(headers)


def _piece(frame: Frame) -> Piece:
    return Piece(payload=memoryview(frame.data), begins=frame.opcode is not Opcode.CONT)


class KeepaliveTimeoutError(TimeoutError):
    """Nothing has come from the other side for too long."""


class Keepalive:
    """Times since the last byte came from the other side."""

    def __init__(self, *, ping: float = PING_SECONDS, limit: float = PONG_SECONDS) -> None:
        """Ping after every ``ping`` seconds without a byte, and give up after ``limit`` seconds."""
        self._ping = ping
        self._limit = limit
        self._received = self._pinged = time.monotonic()

    def received(self) -> None:
        """Note that bytes came just now."""
        self._received = time.monotonic()

    def ping_due(self) -> bool:
        """Return whether to send a ping now; if true, the caller has to send it.

        Raises ``KeepaliveTimeoutError`` where nothing came for too long.
        """
        now = time.monotonic()
        if now - self._received >= self._limit:
            raise KeepaliveTimeoutError(f"it gave no sign of life for {self._limit:g} s")
        # Counting from the last ping, too, sends one ping in each interval and not one a call.
        if now - max(self._received, self._pinged) < self._ping:
            return False
        self._pinged = now
        return True

    def seconds_left(self) -> float:
        """Return the seconds until ``ping_due`` may be true or raise."""
        ping = max(self._received, self._pinged) + self._ping
        # Never 0: a wait of no time at all would turn the caller's loop into a busy one.
        return max(0.01, min(ping, self._received + self._limit) - time.monotonic())
