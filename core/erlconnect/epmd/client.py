"""Asking an EPMD, local or remote, over whatever connected socket a dial gives.

Knows one exchange per connection, its deadline and its limits; does not know how an EPMD is
reached nor what a session does when there is none.

One connection to an EPMD: dialled, one request, one reply, closed.

Knows limits on replies and orderly closing; deadlines are the client's.
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
    """Gives a connected socket, which whoever dialled then owns."""

_GOODBYE_SECONDS: Final = 1.0
_MAX_NAMES_REPLY: Final = 1 << 20
_MAX_REPLY: Final = 4096
_CHUNK: Final = 65536
Reply = TypeVar("Reply", Alive2Response, Port2Response)


class EpmdConnection:
    """One connection to an EPMD."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use :meth:`begin`."""
        self._reader = reader
        self._writer = writer

    @classmethod
    async def begin(cls, dial: Dial) -> EpmdConnection:
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


SECONDS: Final = 5.0
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
    async with _explained(where, seconds), _conversation(dial) as conversation:
        await conversation.send(NamesRequest())
        return NamesResponse.parse(await conversation.until_end())


async def port_please(
    dial: Dial, name: str, *, where: str, seconds: float = SECONDS
) -> Port2Response | None:
    """Ask what the node ``name`` (the part before the ``@``) registered; ``None``: nothing.

    Raises and leaves behind what ``names`` does.
    """
    async with _explained(where, seconds), _conversation(dial) as conversation:
        await conversation.send(PortPlease2Request(node_name=name))
        reply = await conversation.receive(Port2Response.parse)
        return None if reply.result else reply


async def register(
    dial: Dial, request: Alive2Request, *, where: str, seconds: float = SECONDS
) -> Registration | None:
    """Register a node; ``None`` where the EPMD refuses, which nearly always means a taken name.

    Raises and leaves behind what ``names`` does. The caller closes the registration.
    """
    async with _explained(where, seconds):
        conversation = await EpmdConnection.begin(dial)
        try:
            await conversation.send(request)
            reply = await conversation.receive(Alive2Response.parse)
        except BaseException:
            conversation.abort()
            raise
        if not reply.result:
            return Registration(request.node_name, reply.creation, conversation)
        await conversation.end()
        return None


class Registration:
    """A name that is registered for as long as its connection lives."""

    def __init__(self, name: str, creation: int, conversation: EpmdConnection) -> None:
        """Use :func:`register`."""
        self.name = name
        self.creation = creation
        self._conversation = conversation

    async def lost(self) -> None:
        """Wait until the EPMD is gone, or has dropped the name; for one waiter at a time."""
        await self._conversation.silence()

    async def close(self) -> None:
        """Return the name back and wait, at most a second, until the EPMD has seen it.

        Cancelled, the connection is closed all the same.
        """
        await self._conversation.end()


@asynccontextmanager
async def _conversation(dial: Dial) -> AsyncIterator[EpmdConnection]:
    conversation = await EpmdConnection.begin(dial)
    try:
        yield conversation
    finally:
        conversation.abort()


@asynccontextmanager
async def _explained(where: str, seconds: float) -> AsyncIterator[None]:
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
    """Notice that the connection goes to itself, as outgoing ports allow while nobody listens."""
    if connected.getsockname() == connected.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens")
