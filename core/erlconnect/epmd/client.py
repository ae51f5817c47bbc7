"""Asking an EPMD, local or remote: one connection, one request, one reply.

The caller says by ``Dial`` how the EPMD is reached, which may be through a tunnel. Every exchange
has a deadline, and every reply a limit. ``local_epmd.py`` decides what is done where no EPMD runs.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.epmd.messages import (
    Alive2Response,
    NamesRequest,
    NamesResponse,
    Port2Response,
    PortPlease2Request,
    frame,
)
from erlconnect.errors import EpmdError, TimedOutError
from erlconnect.net.dial import Address, connect
from erlconnect.net.sockets import os_error_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from erlconnect.epmd.messages import Alive2Request, Request

    Dial = Callable[[], Awaitable[socket.socket]]
    """Returns a connected socket, which then belongs to the caller."""

SECONDS: Final = 5.0  # for a whole exchange, the dial included
_CLOSE_SECONDS: Final = 1.0
_MAX_NAMES_REPLY: Final = 1 << 20
_MAX_REPLY: Final = 4096
_CHUNK: Final = 65536
Reply = TypeVar("Reply", Alive2Response, Port2Response)
_REMEDY: Final = (
    "See whether an epmd runs there and is the one meant; a node without epmd needs its "
    "distribution port: -o dist-port=PORT."
)


class NoEpmdError(EpmdError):
    """Nobody listens there, or the connection went away before the answer."""


async def names(dial: Dial, *, where: str, seconds: float = SECONDS) -> NamesResponse:
    """Ask for all names; ``where`` is the EPMD for people ("the epmd of 10.1.2.3").

    Raises ``NoEpmdError``, ``EpmdError`` where something else answers, ``TimedOutError`` after
    ``seconds``, and what ``dial`` raises. Cancelled, it leaves no connection.
    """
    async with _raising_epmd_errors(where, seconds), _connection(dial) as connection:
        await connection.send(NamesRequest())
        return NamesResponse.parse(await connection.receive_all())


async def port_please(
    dial: Dial, name: str, *, where: str, seconds: float = SECONDS
) -> Port2Response | None:
    """Ask what the node ``name`` (the part before the ``@``) registered; ``None``: nothing.

    Raises and leaves behind what ``names`` does.
    """
    async with _raising_epmd_errors(where, seconds), _connection(dial) as connection:
        await connection.send(PortPlease2Request(node_name=name))
        reply = await connection.receive(Port2Response.parse)
        return None if reply.result else reply


async def register(
    dial: Dial, request: Alive2Request, *, where: str, seconds: float = SECONDS
) -> Registration | None:
    """Register a node; ``None`` where the EPMD refuses, which nearly always means a taken name.

    Raises and leaves behind what ``names`` does. The caller closes the registration.
    """
    async with _raising_epmd_errors(where, seconds):
        connection = await EpmdConnection.open(dial)
        try:
            await connection.send(request)
            reply = await connection.receive(Alive2Response.parse)
        except BaseException:
            connection.abort()
            raise
        # The connection stays open: the registration lasts as long as it does (EPMD protocol).
        if not reply.result:
            return Registration(request.node_name, reply.creation, connection)
        await connection.close()
        return None


class Registration:
    """A name that is registered for as long as its connection lives."""

    def __init__(self, name: str, creation: int, connection: EpmdConnection) -> None:
        """Use :func:`register`."""
        self.name = name
        self.creation = creation
        self._connection = connection

    async def lost(self) -> None:
        """Wait until the EPMD is gone, or has dropped the name; for one waiter at a time."""
        await self._connection.wait_closed()

    async def close(self) -> None:
        """Give the name back and wait, for a second at most, until the EPMD has seen it.

        Cancelled, the connection is closed all the same.
        """
        await self._connection.close()


class EpmdConnection:
    """One connection to an EPMD."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use :meth:`open`."""
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, dial: Dial) -> EpmdConnection:
        """Dial and return the connection; cancelled, it leaves no socket."""
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
        """Return the reply that ``parse`` finds; raise ``OSError`` where none comes."""
        received = b""
        while (reply := parse(received)) is None:
            piece = await self._reader.read(_CHUNK)
            if not piece:
                raise ConnectionResetError("it closed the connection before its answer was whole")
            received += piece
            if len(received) > _MAX_REPLY:
                raise RemoteProtocolError(f"a reply of more than {_MAX_REPLY} bytes")
        return reply

    async def receive_all(self) -> bytes:
        """Return all that comes until the other side closes."""
        received = bytearray()
        while piece := await self._reader.read(_CHUNK):
            received += piece
            if len(received) > _MAX_NAMES_REPLY:
                raise RemoteProtocolError(f"a reply of more than {_MAX_NAMES_REPLY} bytes")
        if not received:
            raise ConnectionResetError("it closed the connection without an answer")
        return bytes(received)

    async def wait_closed(self) -> None:
        """Wait until the other side closes; what it sends is dropped."""
        with suppress(OSError):
            while await self._reader.read(_CHUNK):
                pass

    async def close(self) -> None:
        """Close our half and wait, for a second at most, until the other side has closed, too."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                self._writer.write_eof()
                await self.wait_closed()
        except OSError:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()


@asynccontextmanager
async def _connection(dial: Dial) -> AsyncIterator[EpmdConnection]:
    connection = await EpmdConnection.open(dial)
    try:
        yield connection
    finally:
        connection.abort()


@asynccontextmanager
async def _raising_epmd_errors(where: str, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        message = f"{where} did not answer within {seconds:.1f} s"
        raise TimedOutError(message, remedy=_REMEDY) from error
    except OSError as error:
        raise NoEpmdError(f"{where}: {os_error_text(error)}", remedy=_REMEDY) from error
    except RemoteProtocolError as error:
        message = f"{where} does not answer as an epmd does: {error}"
        raise EpmdError(message, remedy=_REMEDY) from error


def loopback(port: int) -> Dial:
    """Return a dial for this machine's own EPMD."""
    address = Address(family=socket.AF_INET, sockaddr=("127.0.0.1", port), text="127.0.0.1")

    async def dial() -> socket.socket:
        connected = await connect(address)
        try:
            _refuse_itself(connected)
        except BaseException:
            connected.close()
            raise
        return connected

    return dial


def _refuse_itself(connected: socket.socket) -> None:
    """Raise ``ConnectionRefusedError`` where the connection goes to itself."""
    # TCP allows a simultaneous open with oneself: where nobody listens, the kernel may pick the
    # very port that is dialled as the local one.
    if connected.getsockname() == connected.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens")
