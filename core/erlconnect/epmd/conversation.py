"""One connection to an EPMD: dialled, one request, one reply, closed.

Knows limits on replies and orderly closing; deadlines are the client's.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.epmd.replies import Alive2Response, Port2Response
from erlconnect.epmd.requests import frame

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from erlconnect.epmd.requests import Request

    Dial = Callable[[], Awaitable[socket.socket]]
    """Gives a connected socket, which whoever dialled then owns."""

_GOODBYE_SECONDS: Final = 1.0
_MAX_NAMES_REPLY: Final = 1 << 20
_MAX_REPLY: Final = 4096
_CHUNK: Final = 65536

Reply = TypeVar("Reply", Alive2Response, Port2Response)


class Conversation:
    """One connection to an EPMD."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use :meth:`begin`."""
        self._reader = reader
        self._writer = writer

    @classmethod
    async def begin(cls, dial: Dial) -> Conversation:
        """Dial; cancelled, it leaves no socket."""
        connected = await dial()
        try:
            return cls(*await asyncio.open_connection(sock=connected))
        except BaseException:
            connected.close()
            raise

    async def send(self, request: Request) -> None:
        """Send the one request of this connection."""
        self._writer.write(frame(request))
        await self._writer.drain()

    async def receive(self, parse: Callable[[bytes], Reply | None]) -> Reply:
        """Read until ``parse`` has a reply."""
        received = b""
        while (reply := parse(received)) is None:
            piece = await self._reader.read(_CHUNK)
            if not piece:
                raise ConnectionResetError("it closed the connection before its answer was whole")
            received += piece
            if len(received) > _MAX_REPLY:
                raise RemoteProtocolError(f"a reply of more than {_MAX_REPLY} bytes")
        return reply

    async def until_end(self) -> bytes:
        """Read all that comes until the other side closes."""
        received = bytearray()
        while piece := await self._reader.read(_CHUNK):
            received += piece
            if len(received) > _MAX_NAMES_REPLY:
                raise RemoteProtocolError(f"a reply of more than {_MAX_NAMES_REPLY} bytes")
        if not received:
            raise ConnectionResetError("it closed the connection without an answer")
        return bytes(received)

    async def silence(self) -> None:
        """Wait for the end of the connection."""
        with suppress(OSError):
            while await self._reader.read(_CHUNK):
                pass

    async def end(self) -> None:
        """Close in an orderly way: our end first, then, if that takes no second, the other."""
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                self._writer.write_eof()
                await self.silence()
        except OSError:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()
