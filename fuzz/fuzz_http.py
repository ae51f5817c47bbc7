"""Any bytes as an HTTP/1.1 answer of an API server: NotHttpError, ConnectionError, or an answer.

It is the same answer in every split of the bytes, and no longer than they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fuzz_input import InputReader, byte_by_byte, result_of, split

from erlconnect_backends.kubernetes import connection
from erlconnect_backends.kubernetes.connection import (
    BufferedReader,
    NotHttpError,
    Response,
    decoded,
    lines,
    message_in,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from erlconnect_backends.kubernetes.connection import Connection

HEADS = [
    b"",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: ",
    b"HTTP/1.0 200 OK\r\n\r\n",
]


class Wire:
    """Gives pieces as a ``Connection`` does, and then its end."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    async def receive(self) -> bytes:
        """Return the next piece; nothing at the end."""
        return next(self._pieces, b"")


async def response_of(pieces: Iterable[bytes]) -> Response:
    """Return an answer whose head was read."""
    incoming = BufferedReader(cast("Connection", Wire(pieces)))
    status, headers = await connection._head(incoming)  # noqa: SLF001 - what follows the connection
    body = connection._body(incoming, headers)  # noqa: SLF001
    return Response(status=status, headers=headers, pieces=body)


async def answer_of(pieces: Iterable[bytes]) -> tuple[int, str, bytes] | None:
    """Return status, a header and body; ``None`` where they are none."""
    try:
        response = await response_of(pieces)
        body = await whole(response)
    except (NotHttpError, ConnectionError):
        return None
    length = response.headers.get("Content-Length", "0").strip()
    chunked = "Transfer-Encoding" in response.headers
    assert chunked or (length.isascii() and length.isdigit()), "Python reads more than HTTP says"
    return response.status, response.headers.get("Retry-After", ""), body


async def lines_of(pieces: Iterable[bytes]) -> list[bytes] | None:
    """Return the lines of an answer that comes by and by."""
    try:
        return [line async for line in lines(await response_of(pieces))]
    except (NotHttpError, ConnectionError):
        return None


def json(body: bytes) -> None:
    """Check a body as the object that it may be, and as what an error says."""
    assert isinstance(message_in(body), str)
    try:
        assert isinstance(decoded(body), dict)
    except NotHttpError:
        return


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    sizes = reader.counted(8)
    stream = HEADS[reader.number(len(HEADS))] + reader.rest()
    answer = result_of(answer_of([stream] if stream else []))
    found = result_of(lines_of([stream] if stream else []))
    for pieces in (list(split(stream, sizes)), byte_by_byte(stream)):
        assert result_of(answer_of(pieces)) == answer
        assert result_of(lines_of(pieces)) == found
    assert answer is None or len(answer[2]) <= len(stream)
    json(answer[2] if answer else data)
