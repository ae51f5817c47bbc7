"""The client's side of one websocket over TLS or nothing: bytes of a socket in, frames out.

Framing, masking and the opening handshake are those of the library ``websockets``; this file alone
imports it. Refuses to know sockets and what a message means. Specification: RFC 6455.

Opens websockets to an API server: a connection and the upgrade, in asyncio.

Refuses to know what they are for and to judge a refusal. Nothing here has a deadline of its own.

When to ask the other side of a quiet connection whether it is still there, and when to give up.

Knows times only.
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

# Kubelets send 32 KB; what is larger than this costs memory that nobody promised.
_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
# Out of reach of every configuration: at "debug" the library tells all headers, the token too.
_SILENCE: Final = logging.Logger("erlconnect.websocket", logging.CRITICAL)  # noqa: LOG001
_DATA: Final = (Opcode.BINARY, Opcode.TEXT, Opcode.CONT)
_IN_ORDER: Final = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD)


class WebSocketFailedError(Exception):
    """The other side speaks no websocket, or ended it in the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A message or a part of one; ``begins`` where it is the first."""

    payload: memoryview
    begins: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the server answered instead of opening the websocket."""

    status: int
    body: bytes
    retry_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeResult:
    """A websocket that the server agreed to, on its socket; ``early`` came with the agreement."""

    wire: socket.socket
    websocket: WebSocket
    early: tuple[Piece, ...]


class WebSocket:
    """One websocket, from the request on.

    ``over`` is true when nothing more can come, ``answered`` as soon as a ping was.
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
            logger=_SILENCE,
        )
        request = self._protocol.connect()
        for name, value in headers:
            if name.lower() == "host":
                del request.headers[name]
            request.headers[name] = value
        self._protocol.send_request(request)

    @property
    def open(self) -> bool:
        """Whether the server has agreed, and nobody has said farewell."""
        return self._protocol.state is State.OPEN

    @property
    def subprotocol(self) -> str:
        """What the server chose; empty where it chose nothing."""
        return self._protocol.subprotocol or ""

    @property
    def farewell(self) -> str:
        """Why the server closed the websocket, in its words; empty where it was in order."""
        close = self._protocol.close_rcvd
        return "" if close is None or close.code in _IN_ORDER else str(close)

    def receive(self, data: memoryview) -> Iterator[Piece]:
        """Take bytes of the socket, none for its end, and give the messages in them.

        Raises ``WebSocketFailedError`` where this is none, and ``ssl.SSLError``.
        """
        for plain in self.layer.receive(data):
            if plain:
                self._protocol.receive_data(bytearray(plain))
            else:
                self._protocol.receive_eof()
            for event in self._protocol.events_received():
                match event:
                    case Response():
                        self._hear(event)
                    case Frame(opcode=Opcode.PONG):
                        self.answered = True
                    case Frame(opcode=opcode) if opcode in _DATA:
                        yield _piece(event)
            self._judge(ended=not plain)

    def send(self, payload: memoryview) -> None:
        """Send one message; nothing where the websocket has ended or is about to."""
        if self.open:
            self._protocol.send_binary(payload)

    def ping(self) -> None:
        """Ask for a sign of life, unless the websocket has ended or is about to."""
        if self.open:
            self._protocol.send_ping(b"")

    def close(self) -> None:
        """Say farewell, unless that was said before."""
        if self.open:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)

    def outgoing(self) -> bytes:
        """Return bytes for the socket; none where there are no more for now."""
        for data in self._protocol.data_to_send():
            # The library says with no bytes that it would close the socket.
            if data:
                self.layer.send(data)
        return self.layer.outgoing()

    def _hear(self, response: Response) -> None:
        failure = self._protocol.handshake_exc
        if isinstance(failure, InvalidStatus):
            self.refusal = Refusal(
                status=response.status_code,
                body=bytes(response.body),
                # ``get`` raises where a header stands twice.
                retry_after=next(iter(response.headers.get_all("Retry-After")), ""),
            )

    def _judge(self, *, ended: bool) -> None:
        failure = self._protocol.handshake_exc or self._protocol.parser_exc
        self.over = ended or self._protocol.close_rcvd is not None
        if isinstance(failure, InvalidHandshake) and self.refusal:
            return
        if failure:
            raise WebSocketFailedError(str(failure)) from failure


class _Protocol(ClientProtocol):
    """Takes a subprotocol with a slash in its name, as Kubernetes has it; RFC 6455 has none."""

    def process_subprotocol(self, headers: Headers) -> Subprotocol | None:
        """Take what was offered; leave all else to the library."""
        chosen = headers.get_all("Sec-WebSocket-Protocol")
        if len(chosen) == 1 and chosen[0] in (self.available_subprotocols or ()):
            return Subprotocol(chosen[0])
        return super().process_subprotocol(headers)


def _piece(frame: Frame) -> Piece:
    return Piece(payload=memoryview(frame.data), begins=frame.opcode is not Opcode.CONT)


# A machine that is gone is noticed after 10 + 3 * 5 s of silence, or 30 s after it took nothing.
_PROBES: Final = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
_UNACKNOWLEDGED_MILLISECONDS: Final = 30_000


class UpgradeRefusedError(Exception):
    """The server answered the request, and not with a websocket."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"HTTP status {refusal.status}")
        self.refusal = refusal


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
        _watch_over(wire)
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


PING_SECONDS: Final = 15.0
# A node that does not read for a while keeps pings from being answered, too; Erlang gives it 60 s.
PONG_SECONDS: Final = 60.0


class KeepaliveTimeoutError(TimeoutError):
    """The other side gave no sign of life."""


class Keepalive:
    """Counts from the last byte that came."""

    def __init__(self, *, ping: float = PING_SECONDS, patience: float = PONG_SECONDS) -> None:
        """Ask every ``ping`` seconds of silence, and give up after ``patience``."""
        self._ping = ping
        self._patience = patience
        self._seen = self._asked = time.monotonic()

    def seen(self) -> None:
        """Count from now."""
        self._seen = time.monotonic()

    def ask(self) -> bool:
        """Say whether it is time to ask; the answer is taken for a request. Raises when silent."""
        now = time.monotonic()
        if now - self._seen >= self._patience:
            raise KeepaliveTimeoutError(f"it gave no sign of life for {self._patience:g} s")
        if now - max(self._seen, self._asked) < self._ping:
            return False
        self._asked = now
        return True

    def seconds_left(self) -> float:
        """Return how long to wait before ``ask`` has something to say."""
        ask = max(self._seen, self._asked) + self._ping
        return max(0.01, min(ask, self._seen + self._patience) - time.monotonic())
