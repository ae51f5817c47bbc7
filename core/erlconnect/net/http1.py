"""HTTP/1.1 as a client on a stream that is connected already: one request, one answer.

h11 knows the protocol. This file adds what a client of servers that it does not trust needs: every
size has a limit, every wait may have a deadline, and an answer that was cut off is told apart from
one that is no HTTP. An answer comes whole (``read``), by pieces or by lines, as a watch of
Kubernetes sends them. After status 101, and after ``CONNECT``, the stream belongs to another
protocol, and ``trailing`` is what of that has arrived.

Redirects are not followed, so that no other host receives a token. Specification: RFC 9112.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

import h11

from erlconnect.net.sockets import connected

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 32 * 1024 * 1024
MAX_LINE_BYTES: Final = 64 * 1024 * 1024
# Any number of 1xx may precede the answer (RFC 9110, section 15.2): this bounds it.
_MAX_INTERIM_ANSWERS: Final = 16
_PIECE_BYTES: Final = 256 * 1024
_START: Final = b"HTTP/1."


class HttpError(Exception):
    """What came back is no HTTP/1.1, or breaks its rules."""


class TooLongError(HttpError):
    """What came back is longer than it may be."""


class IncompleteAnswerError(ConnectionError):
    """The other side closed the connection before its answer was whole."""


class Stream(Protocol):
    """A connected stream; both methods raise ``OSError``."""

    async def send(self, data: bytes) -> None:
        """Send all of ``data``."""

    async def receive(self) -> bytes:
        """Return the next bytes; ``b""`` at the end of the stream."""


class Headers(Mapping[str, str]):
    """Header fields; case does not count in names, and equal names are joined by commas."""

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self._fields: dict[str, str] = {}
        for name, value in fields:
            # Names have no case, and equal ones form a list (RFC 9110, sections 5.1 and 5.3).
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._fields[key] = f"{self._fields[key]}, {text}" if key in self._fields else text

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request. ``Host`` has to be among ``headers``; the length of ``body`` is added."""

    method: str = "GET"
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""


class HttpConnection:
    """Sends one request on ``stream``, and reads its answer; the caller closes it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._start = b""
        self._at_end = False

    async def request(self, request: HttpRequest, *, seconds: float | None = None) -> HttpResponse:
        """Send ``request`` and return the head of its answer; interim answers are passed over.

        Raises ``HttpError``, ``OSError``, ``TimeoutError`` after ``seconds``, and ``ValueError``
        where ``request`` holds what HTTP cannot carry. Cancelled, it leaves the stream open.
        """
        async with asyncio.timeout(seconds):
            await self._stream.send(self._written(request))
            for _ in range(_MAX_INTERIM_ANSWERS):
                event = await self.event()
                if isinstance(event, h11.Response):
                    return HttpResponse(self, event)
                if not isinstance(event, h11.InformationalResponse):
                    raise HttpError("the answer has no head")
                # 101 is a 1xx, but the last answer in HTTP (RFC 9110, section 15.2.2).
                if event.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
                    return HttpResponse(self, event)
        raise TooLongError("there are interim answers without an end")

    @property
    def trailing(self) -> bytes:
        """What arrived behind the answer and is not part of it."""
        return bytes(self._protocol.trailing_data[0])

    async def event(self) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        """Return the next event of the answer, never ``NEED_DATA``; raise what ``request`` does."""
        while True:
            try:
                event = self._protocol.next_event()
            except h11.RemoteProtocolError as error:
                if self._at_end:
                    raise IncompleteAnswerError("the answer was cut off") from error
                # h11's own words are for programmers, and may quote the answer.
                too_long = error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                raise (TooLongError if too_long else HttpError)("not HTTP/1.1") from None
            if isinstance(event, h11.ConnectionClosed):
                raise IncompleteAnswerError("the answer was cut off")
            if isinstance(event, h11.Event) or event is h11.PAUSED:
                return event
            self._feed(await self._stream.receive())

    def _feed(self, data: bytes) -> None:
        # h11 would wait for the rest of what is no HTTP from its first byte on.
        if len(self._start) < len(_START):
            self._start += data[: len(_START) - len(self._start)]
            if not _START.startswith(self._start):
                raise HttpError("not HTTP/1.1")
        self._at_end = not data
        self._protocol.receive_data(data)

    def _written(self, request: HttpRequest) -> bytes:
        headers = [*request.headers]
        if request.body:
            headers.append(("Content-Length", str(len(request.body))))
        try:
            head = h11.Request(
                method=request.method.encode("ascii"),
                target=request.target.encode("ascii"),
                headers=[(name.encode("ascii"), text.encode("latin-1")) for name, text in headers],
            )
            written = [self._protocol.send(head)]
            if request.body:
                written.append(self._protocol.send(h11.Data(data=request.body)))
            written.append(self._protocol.send(h11.EndOfMessage()))
        except (h11.LocalProtocolError, UnicodeError):
            # The words of both would quote what may be a token.
            raise ValueError("the request holds what HTTP cannot carry") from None
        return b"".join(one for one in written if one)


class HttpResponse:
    """The head of an answer, and its body as it comes; the body is read once."""

    def __init__(
        self, connection: HttpConnection, head: h11.Response | h11.InformationalResponse
    ) -> None:
        self._connection = connection
        self.status = head.status_code
        self.headers = Headers(head.headers)

    @property
    def trailing(self) -> bytes:
        """After status 101, or a ``CONNECT`` that was granted: the beginning of what follows."""
        return self._connection.trailing

    async def pieces(self, *, idle_seconds: float | None = None) -> AsyncIterator[bytes]:
        """Yield the body as it arrives.

        Raises ``HttpError``, ``IncompleteAnswerError`` and other ``OSError``, and ``TimeoutError``
        where nothing came for ``idle_seconds``.
        """
        while True:
            async with asyncio.timeout(idle_seconds):
                event = await self._connection.event()
            if not isinstance(event, h11.Data):
                return
            yield bytes(event.data)

    async def read(self, *, limit: int = MAX_BODY_BYTES) -> bytes:
        """Return the whole body; ``TooLongError`` beyond ``limit``, else as ``pieces``."""
        body = bytearray()
        async for piece in self.pieces():
            body += piece
            if len(body) > limit:
                raise TooLongError(f"more than {limit} bytes")
        return bytes(body)

    async def lines(
        self, *, limit: int = MAX_LINE_BYTES, idle_seconds: float | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the lines of the body that hold something, without their ends, as they come.

        A last line without an end is left out: it may be half of one. Raises ``TooLongError`` for a
        line beyond ``limit``, else as ``pieces``.
        """
        waiting = bytearray()
        async for piece in self.pieces(idle_seconds=idle_seconds):
            *complete, rest = piece.split(b"\n")
            for line in complete:
                whole = bytes(waiting + line)
                waiting.clear()
                if len(whole) > limit:
                    raise TooLongError(f"a line of more than {limit} bytes")
                if whole.strip():
                    yield whole
            waiting += rest
            if len(waiting) > limit:
                raise TooLongError(f"a line of more than {limit} bytes")


class _AsyncioStream:
    """A ``Stream`` of asyncio's own reader and writer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        return await self._reader.read(_PIECE_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProxy:
    """A proxy that opens tunnels by ``CONNECT``; ``authorization`` is ready for its header."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)


class ProxyRefusalError(OSError):
    """The proxy opens no tunnel; ``status`` is its answer's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the proxy answered CONNECT with HTTP status {status}")
        self.status = status


@asynccontextmanager
async def open_stream(
    place: tuple[str, int] | str,
    *,
    tls: ssl.SSLContext | None = None,
    tls_name: str = "",
    proxy: HttpProxy | None = None,
) -> AsyncIterator[Stream]:
    """Connect to a host and port, or to the path of a Unix socket; leaving closes the stream.

    Every address of a host is tried, as ``connected`` does. With ``tls`` the certificate has to be
    for ``tls_name``, else for the host; through ``proxy``, too, which then sees nothing of what is
    sent. Raises ``OSError``, as which TLS and proxies fail too, and ``HttpError`` where the proxy
    speaks no HTTP. It has no deadline of its own. Cancelled, it leaves no socket behind.
    """
    if isinstance(place, str):
        name = tls_name or None if tls else None
        reader, writer = await asyncio.open_unix_connection(place, ssl=tls, server_hostname=name)
    else:
        first = (proxy.host, proxy.port) if proxy else place
        name = tls_name or place[0] if tls else None
        sock = await connected(*first)
        # From here on the transport has the socket, and closes it where the handshake fails.
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=None if proxy else tls, server_hostname=None if proxy else name
        )
    try:
        stream = _AsyncioStream(reader, writer)
        if proxy and not isinstance(place, str):
            await _open_tunnel(stream, place, proxy)
            if tls:
                await writer.start_tls(tls, server_hostname=name)
        yield stream
    finally:
        # At once: an orderly TLS close would wait for a server that may be silent.
        writer.transport.abort()


async def _open_tunnel(stream: Stream, place: tuple[str, int], proxy: HttpProxy) -> None:
    host, port = place
    # CONNECT has a host and a port as its target, and no URL (RFC 9110, section 9.3.6).
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = [("Host", authority)]
    if proxy.authorization:
        headers.append(("Proxy-Authorization", proxy.authorization))
    request = HttpRequest(method="CONNECT", target=authority, headers=headers)
    response = await HttpConnection(stream).request(request)
    # Any 2xx opens the tunnel (RFC 9110, section 9.3.6).
    if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        raise ProxyRefusalError(response.status)
    if response.trailing:
        # Behind a proxy the server waits for our first bytes, in TLS as in HTTP.
        raise HttpError("the proxy sent something before anything was said to the server")
