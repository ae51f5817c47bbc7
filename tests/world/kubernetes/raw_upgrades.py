"""Connections that stop being HTTP: ``Upgrade: SPDY/3.1``, which kubectl falls back to.

aiohttp knows no upgrade but the websocket's, so the bytes after such a request are kept from it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from world.kubernetes.statuses import bad_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from world.kubernetes.faults import Faults

_PROTOCOL: Final = "X-Stream-Protocol-Version"
_SPDY: Final = "spdy/3.1"
_UPGRADE: Final = f"\r\nupgrade: {_SPDY}\r\n".encode()
_END_OF_HEAD: Final = b"\r\n\r\n"
_CHUNK: Final = 64 << 10


class UpgradingServer(web.Server):
    """aiohttp's server with connections that may be upgraded."""

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    """One connection; ``raw`` is what comes after a request for SPDY, which must come first."""

    raw: asyncio.StreamReader | None = None

    def data_received(self, data: bytes) -> None:
        if self.raw is not None:
            self.raw.feed_data(data)
            return
        head, end, rest = data.partition(_END_OF_HEAD) if data[:5] == b"POST " else (b"", b"", b"")
        if _UPGRADE in head.lower() + b"\r\n":
            assert self.transport is not None
            self.raw = asyncio.StreamReader(_CHUNK)
            self.raw.set_transport(self.transport)
            self.raw.feed_data(rest)
            data = head + end
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.raw is not None:
            self.raw.feed_eof()
        super().connection_lost(exc)


def asks_for_spdy(request: web.BaseRequest) -> bool:
    return request.headers.get("Upgrade", "").lower() == _SPDY


class RawPipe:
    """What is left of the connection: bytes both ways."""

    def __init__(
        self, response: web.StreamResponse, reader: asyncio.StreamReader, faults: Faults
    ) -> None:
        self.response = response
        self._reader = reader
        self._faults = faults

    @classmethod
    async def accept(cls, request: web.BaseRequest, faults: Faults, *protocols: str) -> RawPipe:
        """Answer the request with 101. Raises RefusedError if it offers none of ``protocols``."""
        offered = request.headers.getall(_PROTOCOL, ())
        agreed = [each for each in offered if each in protocols]
        if not agreed:
            raise bad_request(f"unable to negotiate protocol: client supports {list(offered)}")
        assert isinstance(request.protocol, _Connection)
        assert request.protocol.raw is not None
        headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", _PROTOCOL: agreed[0]}
        response = web.StreamResponse(status=101, headers=headers)
        response.force_close()  # after it no further request can come
        await response.prepare(request)
        return cls(response, request.protocol.raw, faults)

    async def messages(self) -> AsyncIterator[bytes]:
        """What comes, until the client closes."""
        while data := await self._reader.read(_CHUNK):
            await self._faults.gate()
            yield data

    async def send(self, data: bytes) -> None:
        """Send; to a client that has gone it is lost."""
        await self._faults.gate()
        with contextlib.suppress(ConnectionError):
            await self.response.write(data)
