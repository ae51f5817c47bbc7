"""One HTTP/1.1 request to an API server on a connection of its own, and its answer as it comes.

Knows lengths, chunks and the end of a stream. Refuses to know what is asked, and to judge a status.
Specification: RFC 9112.
"""

from __future__ import annotations

import contextlib
import http.client
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect_backends.kubernetes_cluster.connection import open_connection
from erlconnect_backends.kubernetes_cluster.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess, Credentials

_MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_LINE_BYTES: Final = 16 * 1024
_PIECE_BYTES: Final = 256 * 1024
_HEX: Final = 16
_DIGITS: Final = frozenset(b"0123456789abcdefABCDEF")


class NotHttpError(Exception):
    """What came back is no HTTP, or not what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked; ``target`` is a quoted path with its query, without the server's prefix."""

    method: str
    target: str
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The head of an answer; ``pieces`` gives its body as it arrives."""

    status: int
    headers: http.client.HTTPMessage
    pieces: AsyncIterator[bytes]


@contextlib.asynccontextmanager
async def exchange(
    access: ClusterAccess, credentials: Credentials, request: Request
) -> AsyncIterator[Response]:
    """Send ``request``; leaving the context closes the connection.

    Raises ``OSError`` and ``NotHttpError``, from ``pieces`` too. It has no deadline of its own.
    """
    connection = await open_connection(access, credentials)
    with connection.wire:
        await connection.send(_written(access, credentials, request))
        incoming = Incoming(connection)
        status, headers = await _head(incoming)
        yield Response(status=status, headers=headers, pieces=_body(incoming, headers))


def _written(access: ClusterAccess, credentials: Credentials, request: Request) -> bytes:
    headers = [
        ("Host", access.authority),
        ("Accept", "application/json"),
        ("User-Agent", "erlconnect"),
        ("Connection", "close"),
        *credentials.headers,
    ]
    if request.body:
        headers.append(("Content-Type", request.content_type))
        headers.append(("Content-Length", str(len(request.body))))
    lines = [f"{name}: {value}" for name, value in headers]
    first = f"{request.method} {access.path_prefix}{request.target} HTTP/1.1"
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1") + request.body


async def _head(incoming: Incoming) -> tuple[int, http.client.HTTPMessage]:
    first = await _line(incoming)
    version, _, rest = first.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise NotHttpError
    lines, length = [], 0
    while (line := await _line(incoming)) not in (b"\r\n", b"\n"):
        lines.append(line)
        length += len(line)
        if length > _MAX_HEAD_BYTES:
            raise NotHttpError
    try:
        headers = http.client.parse_headers(io.BytesIO(b"".join([*lines, b"\r\n"])))
    except http.client.HTTPException:
        raise NotHttpError from None
    return int(rest[:3]), headers


async def _body(incoming: Incoming, headers: http.client.HTTPMessage) -> AsyncIterator[bytes]:
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        while length := _number((await _line(incoming)).partition(b";")[0], _HEX):
            async for piece in _exactly(incoming, length):
                yield piece
            await _line(incoming)
    elif "Content-Length" in headers:
        async for piece in _exactly(incoming, _number(headers["Content-Length"].encode(), 10)):
            yield piece
    else:
        while piece := await incoming.some(_PIECE_BYTES):
            yield piece


async def _exactly(incoming: Incoming, length: int) -> AsyncIterator[bytes]:
    while length:
        piece = await incoming.some(min(length, _PIECE_BYTES))
        if not piece:
            raise _cut_off()
        length -= len(piece)
        yield piece


async def _line(incoming: Incoming) -> bytes:
    line = await incoming.line(_MAX_LINE_BYTES)
    if len(line) > _MAX_LINE_BYTES:
        raise NotHttpError
    if not line.endswith(b"\n"):
        raise _cut_off()
    return line


def _cut_off() -> ConnectionError:
    return ConnectionResetError("the answer was cut off")


def _number(text: bytes, base: int) -> int:
    # Python takes signs and underscores, too.
    if not _DIGITS.issuperset(text.strip()):
        raise NotHttpError
    try:
        return int(text.strip(), base)
    except ValueError:
        raise NotHttpError from None
