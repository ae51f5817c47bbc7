"""The embedded EPMD: serves real nodes and tools where no other EPMD runs.

``EmbeddedEpmd`` has the sockets, deadlines and limits. ``NodeTable`` has the names and answers each
request; for it a connection is a number, and a registration ends with its connection. The server
listens on 127.0.0.1, on ::1 and on no address that is not loopback. No request can end it.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import itertools
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.epmd.messages import (
    KILL_REFUSED,
    Alive2Request,
    Alive2Response,
    DumpRequest,
    DumpResponse,
    KillRequest,
    NamesRequest,
    NamesResponse,
    Port2Response,
    PortPlease2Request,
    Request,
    take_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_REQUEST_SECONDS: Final = 10.0
_MAX_CONNECTIONS: Final = 512
_BACKLOG: Final = 128
_NO_IPV6: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_MAX_NAME: Final = 255
_NEW_VERSION: Final = 6  # highest_version of OTP 23 and later
_REFUSED_CREATION: Final = 99  # what OTP's epmd sends with a refusal
# Up to 3 a creation is one of the old, small ones.
_FIRST_CREATION: Final = 4
_OLD_CREATIONS: Final = 3


class EmbeddedEpmd:
    """A running server; close it when done."""

    def __init__(self, port: int, *, request_seconds: float = _REQUEST_SECONDS) -> None:
        """Use :meth:`serve`."""
        self.node_table = NodeTable(port, creation=int(time.time()))
        self.request_seconds = request_seconds
        self._connections: set[_Connection] = set()
        self._no_connections = asyncio.Event()
        self._no_connections.set()
        self._connection_numbers = itertools.count(1)
        self._servers: list[asyncio.Server] = []
        self._closing = False

    @classmethod
    async def serve(
        cls,
        port: int,
        *,
        addresses: Sequence[str] = (),
        warn: Callable[[str], None],
        request_seconds: float = _REQUEST_SECONDS,
    ) -> EmbeddedEpmd:
        """Listen and serve; ``addresses`` are further loopback addresses, others are ignored.

        Raises ``OSError`` where 127.0.0.1 cannot be listened on. What else cannot is a warning.
        A connection must have sent its request and taken the reply after ``request_seconds``.
        """
        server = cls(port, request_seconds=request_seconds)
        sockets = [_listen("127.0.0.1", port), *_listen_on(addresses, port, warn)]
        try:
            for listening in sockets:
                await server._accept_from(listening)
        except BaseException:
            for listening in sockets:
                listening.close()
            await server.close()
            raise
        return server

    async def close(self) -> None:
        """Stop listening and cut every connection; cancelled, it has done both all the same."""
        self._closing = True
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.abort()
        await self._no_connections.wait()

    def add(self, connection: _Connection) -> bool:
        """Keep a new connection; return ``False`` where there are too many or the server ends."""
        if self._closing or len(self._connections) >= _MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        self._no_connections.clear()
        return True

    def remove(self, connection: _Connection, number: int) -> None:
        """Remove a connection that is gone, and what it had registered."""
        self.node_table.remove_owner(number)
        self._connections.discard(connection)
        if not self._connections:
            self._no_connections.set()

    async def _accept_from(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._servers.append(
            await loop.create_server(
                lambda: _Connection(self, next(self._connection_numbers)),
                sock=listening,
                backlog=_BACKLOG,
            )
        )


class _Connection(asyncio.Protocol):
    """One connection: one request, one reply; a registered node's stays open and silent."""

    def __init__(self, server: EmbeddedEpmd, number: int) -> None:
        self._server = server
        self._number = number
        self._received = b""
        self._registered = False
        self._transport: asyncio.Transport
        self._deadline: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._server.request_seconds, self._transport.abort)
        if not self._server.add(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._registered:
            # Nothing may follow; epmd drops the node as well.
            self._transport.abort()
            return
        self._received += data
        try:
            request = take_request(self._received)
        except RemoteProtocolError:
            self._transport.abort()
            return
        if request is None:
            return
        answer = self._server.node_table.answer(request, self._number)
        self._transport.write(answer.reply)
        self._registered = answer.registered
        if self._registered:
            self._deadline.cancel()
        else:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self._deadline.cancel()
        self._server.remove(self, self._number)

    def abort(self) -> None:
        self._transport.abort()


def _listen_on(
    addresses: Sequence[str], port: int, warn: Callable[[str], None]
) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    # A node that runs inet6_tcp registers and looks names up through ::1 (erl_epmd.erl).
    for address in dict.fromkeys(["::1", *addresses]):
        if address == "127.0.0.1":
            continue
        if not ipaddress.ip_address(address).is_loopback:
            warn(f"the address {address} of ERL_EPMD_ADDRESS is ignored: it is not loopback")
            continue
        try:
            sockets.append(_listen(address, port))
        except OSError as error:
            if address != "::1" or error.errno not in _NO_IPV6:
                warn(f"the embedded epmd does not listen on {address} port {port}: {error}")
    return sockets


def _listen(address: str, port: int) -> socket.socket:
    """Return a listening socket of one loopback address; raise ``OSError``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # The connections of an EPMD that has just gone must not hold its port.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Both here: of two sessions that want the port, one has to fail before it is used.
        listening.bind((address, port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to send, and whether the connection now stands for a registered node."""

    reply: bytes
    registered: bool = False


class NodeTable:
    """Names and their owners, answered for as OTP's epmd answers while nodes are registered."""

    def __init__(self, port: int, *, creation: int) -> None:
        """``port`` is the EPMD's own; ``creation`` the number that the next node gets."""
        self._port = port
        self._creation = creation
        self._nodes: dict[str, tuple[Alive2Request, int]] = {}

    def answer(self, request: Request, owner: int) -> Answer:
        """Answer a request that came over the connection with the number ``owner``."""
        match request:
            case Alive2Request():
                return self._register(request, owner)
            case PortPlease2Request():
                return Answer(reply=self._port_of(request.node_name).encode())
            case NamesRequest():
                # ``erl_epmd:names`` rejects a reply that names another port than its own EPMD's.
                names = tuple((name, node.port_no) for name, (node, _) in self._nodes.items())
                return Answer(reply=NamesResponse(epmd_port_no=self._port, nodes=names).encode())
            case DumpRequest():
                known = tuple((name, n.port_no, owner) for name, (n, owner) in self._nodes.items())
                return Answer(reply=DumpResponse(epmd_port_no=self._port, nodes=known).encode())
            case KillRequest():
                return Answer(reply=KILL_REFUSED)
            case _:
                # STOP_REQ: epmd closes the connection without a word.
                return Answer(reply=b"")

    def remove_owner(self, owner: int) -> None:
        """Remove what ``owner`` registered, because its connection is gone."""
        self._nodes = {name: node for name, node in self._nodes.items() if node[1] != owner}

    def _register(self, request: Alive2Request, owner: int) -> Answer:
        old = request.highest_version < _NEW_VERSION
        if request.node_name in self._nodes or not _usable(request.node_name):
            refused = Alive2Response(result=1, creation=_REFUSED_CREATION, old=old)
            return Answer(reply=refused.encode())
        self._nodes[request.node_name] = (request, owner)
        accepted = Alive2Response(result=0, creation=self._next_creation(old=old), old=old)
        return Answer(reply=accepted.encode(), registered=True)

    def _next_creation(self, *, old: bool) -> int:
        self._creation = max((self._creation + 1) & 0xFFFFFFFF, _FIRST_CREATION)
        return self._creation % _OLD_CREATIONS + 1 if old else self._creation

    def _port_of(self, name: str) -> Port2Response:
        if name not in self._nodes:
            return Port2Response(result=1)
        node, _ = self._nodes[name]
        return Port2Response(
            result=0,
            port_no=node.port_no,
            node_type=node.node_type,
            protocol=node.protocol,
            highest_version=node.highest_version,
            lowest_version=node.lowest_version,
            node_name=name,
            extra=node.extra,
        )


def _usable(name: str) -> bool:
    """Whether a line of NAMES_RESP can hold the name; blanks and line ends would break it."""
    return len(name) <= _MAX_NAME and name.isprintable() and " " not in name
