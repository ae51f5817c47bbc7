"""Any bytes as an HTTP/1.1 answer of an API server: HttpError, ConnectionError, or an answer.

It is the same answer in every split of the bytes, and no longer than they are.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fuzz_input import InputReader, Value, byte_by_byte, split

from erlconnect.api import HttpConnection, HttpError, HttpRequest
from erlconnect_backends.kubernetes.api_client import decoded, message_in

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from erlconnect.api import HttpResponse

HEADS = [
    b"",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: ",
    b"HTTP/1.0 200 OK\r\n\r\n",
]
REQUEST = HttpRequest(target="/api", headers=[("Host", "h"), ("Connection", "close")])
_loop = asyncio.new_event_loop()


class Wire:
    """A ``Stream`` that gives pieces, and then its end."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    async def send(self, data: bytes) -> None:
        """Take the request, which is always the same."""

    async def receive(self) -> bytes:
        """Return the next piece; nothing at the end."""
        return next(self._pieces, b"")


async def response_of(pieces: Iterable[bytes]) -> HttpResponse:
    """Return an answer whose head was read."""
    return await HttpConnection(Wire(pieces)).request(REQUEST)


async def answer_of(pieces: Iterable[bytes]) -> tuple[int, str, bytes] | None:
    """Return status, a header and body; ``None`` where they are none."""
    try:
        response = await response_of(pieces)
        body = await response.read()
    except (HttpError, ConnectionError):
        return None
    length = response.headers.get("Content-Length", "0").strip()
    chunked = "Transfer-Encoding" in response.headers
    assert chunked or (length.isascii() and length.isdigit()), "Python reads more than HTTP says"
    return response.status, response.headers.get("Retry-After", ""), body


async def lines_of(pieces: Iterable[bytes]) -> list[bytes] | None:
    """Return the lines of an answer that comes by and by."""
    try:
        return [line async for line in (await response_of(pieces)).lines()]
    except (HttpError, ConnectionError):
        return None


def json(body: bytes) -> None:
    """Check a body as the object that it may be, and as what an error says."""
    assert isinstance(message_in(body), str)
    try:
        assert isinstance(decoded(body), dict)
    except HttpError:
        return


def result(coroutine: Coroutine[Any, Any, Value]) -> Value:
    """Run a coroutine to its end; deadlines, even those that are none, need an event loop."""
    return _loop.run_until_complete(coroutine)


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    sizes = reader.counted(8)
    stream = HEADS[reader.number(len(HEADS))] + reader.rest()
    answer = result(answer_of([stream] if stream else []))
    found = result(lines_of([stream] if stream else []))
    for pieces in (list(split(stream, sizes)), byte_by_byte(stream)):
        assert result(answer_of(pieces)) == answer
        assert result(lines_of(pieces)) == found
    assert answer is None or len(answer[2]) <= len(stream)
    json(answer[2] if answer else data)
