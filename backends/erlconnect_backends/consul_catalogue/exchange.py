"""One HTTP request to an agent and its answer: over TCP, TLS or a Unix socket.

py-consul's own way is not taken: it blocks, so that a waiting request could not be cancelled, it
knows no Unix sockets, and a proxy of the environment would see the token. The standard library
reads the answer. Refuses to know what is asked. Specification: RFC 9112.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect_backends.consul_catalogue import failures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect_backends.consul_catalogue.access import Access

_MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
_PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; the names of ``headers`` are found in any spelling."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


async def exchange(
    access: Access, target: str, *, headers: Mapping[str, str], seconds: float
) -> Reply:
    """Get ``target`` (``/v1/...``, quoted, with its query) on a connection of its own.

    Raises ``LookupFailedError`` where the agent cannot be reached or does not speak HTTP, and
    ``LookupTimeoutError`` after ``seconds``. Cancelled, it leaves no connection behind.
    """
    try:
        async with asyncio.timeout(seconds):
            answer = await _sent(access, _written(access, target, headers))
    except TimeoutError as error:
        raise failures.silence(access.address, seconds) from error
    except ssl.SSLError as error:
        raise failures.tls_refused(access.address, error) from error
    except OSError as error:
        raise failures.unreachable(access.address, error) from error
    try:
        return _read(answer)
    except (http.client.HTTPException, ValueError) as error:
        raise failures.no_http(access.address) from error


def _written(access: Access, target: str, headers: Mapping[str, str]) -> bytes:
    own = {"Host": access.address.authority, "Connection": "close", "Accept": "application/json"}
    if access.authorization:
        own["Authorization"] = access.authorization
    lines = [f"{name}: {value}" for name, value in {**own, **headers}.items()]
    return "\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode("ascii")


async def _sent(access: Access, request: bytes) -> bytes:
    reader, writer = await _connected(access)
    try:
        writer.write(request)
        pieces = bytearray()
        while piece := await reader.read(_PIECE_BYTES):
            pieces += piece
            if len(pieces) > _MAX_ANSWER_BYTES:
                raise failures.too_long(access.address)
        return bytes(pieces)
    finally:
        writer.transport.abort()


async def _connected(access: Access) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = access.address
    name = access.tls_server_name if access.tls else None
    if address.path:
        return await asyncio.open_unix_connection(
            address.path, ssl=access.tls, server_hostname=name
        )
    return await asyncio.open_connection(
        address.host, address.port, ssl=access.tls, server_hostname=name
    )


class _Received:
    """What ``http.client`` reads from in place of a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)


def _read(answer: bytes) -> Reply:
    response = http.client.HTTPResponse(_Received(answer), method="GET")  # type: ignore[arg-type]
    with response:
        response.begin()
        return Reply(status=response.status, headers=response.headers, body=response.read())
