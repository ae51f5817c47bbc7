"""DNS over UDP and TCP ("Do53": RFC 1035, section 4.2; RFC 7766), for dnspython's resolver.

``dns.asyncresolver`` decides which server is asked, how often, and when TCP is needed; a
``SocketNameserver`` carries one query to one server. dnspython has ``Do53Nameserver`` for that. It
is not used for three reasons. Its UDP sockets are not connected, so that a closed port looks like a
lost packet. It passes over an answer that is no DNS, and waits until the time is over. And it has
``asyncio.wait_for``, which on Python 3.11 can lose a cancellation and, with it, a TCP connection.

Cancelled, nothing here leaves a socket behind.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import dns.exception
import dns.message
import dns.nameserver

from erlconnect.net.dial import Address, Race
from erlconnect.net.sockets import receive_exactly

DNS_PORT: Final = 53
_MAX_DATAGRAM: Final = 65535
_FLAGS: Final = 2  # where the header has the byte with the bit that says that the answer is cut
_TRUNCATED: Final = 0x02


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """One socket address to send queries to; ``text`` is what people read."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]
    text: str


OpenStream = Callable[[ServerAddress], Awaitable[socket.socket]]
"""Returns a connected, plain, non-blocking socket, which the caller closes; a tunnel can be one."""


def server_address(found: tuple[Any, ...]) -> ServerAddress:
    """Return one entry of what ``getaddrinfo`` found."""
    family, _, _, _, sockaddr = found
    host, port = sockaddr[:2]
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    text = shown if port == DNS_PORT else f"{shown}:{port}"
    return ServerAddress(family=family, sockaddr=sockaddr, text=text)


def numeric_server(address: str, port: int = DNS_PORT) -> ServerAddress:
    """Return the server at ``address``, which may have a zone; raises ``OSError``."""
    return server_address(
        socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0]
    )


async def open_tcp(server: ServerAddress) -> socket.socket:
    """Return a TCP connection to ``server``; raises ``OSError``."""
    address = Address(family=server.family, sockaddr=server.sockaddr, text=server.text)
    race = Race([address])
    winner = await race.run()
    if winner is None:
        raise race.failures[0].error
    return winner


class SocketNameserver(dns.nameserver.Nameserver):
    """One name server; ``tcp`` asks it over TCP at once, and ``open_stream`` is how."""

    def __init__(
        self, server: ServerAddress, *, tcp: bool = False, open_stream: OpenStream = open_tcp
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.server = server
        self._tcp = tcp
        self._open_stream = open_stream

    def __str__(self) -> str:
        return self.server.text

    def kind(self) -> str:
        """Return dnspython's word for DNS over UDP and TCP."""
        return "Do53"

    def is_always_max_size(self) -> bool:
        """Return whether UDP is left out."""
        return self._tcp

    def answer_nameserver(self) -> str:
        """Return what an answer names as its server."""
        return self.server.text

    def answer_port(self) -> int:
        """Return the port, that of DNS where the server is behind a tunnel."""
        return int(self.server.sockaddr[1]) if self.server.sockaddr else DNS_PORT

    async def async_query(  # noqa: PLR0917 - dnspython's signature
        self,
        request: dns.message.QueryMessage,
        timeout: float,  # noqa: ASYNC109
        source: str | None,
        source_port: int,
        max_size: bool,
        backend: Any,
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        """Return what ``exchange`` returns, as dnspython asks for it."""
        del source, source_port, backend, one_rr_per_rrset, ignore_trailing
        return await self.exchange(request, tcp=max_size, seconds=timeout)

    async def exchange(
        self, request: dns.message.QueryMessage, *, tcp: bool, seconds: float
    ) -> dns.message.QueryMessage:
        """Return the answer to ``request``, whatever its code.

        Raises ``dns.exception.Timeout`` after ``seconds`` and ``dns.message.Truncated`` where UDP
        was not enough, after both of which dnspython asks again. ``OSError``, ``EOFError`` and
        ``dns.exception.FormError`` are final for this server.
        """
        query = request.to_wire()
        try:
            async with asyncio.timeout(seconds):
                if tcp:
                    answer = await ask_by_stream(query, self.server, self._open_stream)
                else:
                    answer = await ask_by_datagram(query, self.server)
        except TimeoutError as error:
            raise dns.exception.Timeout from error
        if not tcp and is_cut(answer):
            raise dns.message.Truncated
        return read_response(request, answer)


async def ask_by_datagram(query: bytes, server: ServerAddress) -> bytes:
    """Return the answer to ``query`` over UDP, cut or whole; raises ``OSError``."""
    loop = asyncio.get_running_loop()
    with socket.socket(server.family, socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)
        # Connected, so that the kernel drops what others send and reports a closed port.
        datagrams.connect(server.sockaddr)
        await loop.sock_sendall(datagrams, query)
        while True:
            answer = await loop.sock_recv(datagrams, _MAX_DATAGRAM)
            # An answer with another identifier is forged or belongs to an older query.
            if answer[:2] == query[:2]:
                return answer


def is_cut(answer: bytes) -> bool:
    """Return whether the server says that there is more than it could send over UDP."""
    return len(answer) > _FLAGS and bool(answer[_FLAGS] & _TRUNCATED)


async def ask_by_stream(query: bytes, server: ServerAddress, open_stream: OpenStream) -> bytes:
    """Return the answer to ``query``; raises ``OSError``, and ``EOFError`` if the server hangs up.

    The length in front of it has two bytes, so that 64 KB are the most that is read.
    """
    with await open_stream(server) as stream:
        message = len(query).to_bytes(2, "big") + query
        await asyncio.get_running_loop().sock_sendall(stream, message)
        # RFC 1035, section 4.2.2: a length of two bytes stands in front of each message.
        size = int.from_bytes(await receive_exactly(stream, 2), "big")
        return await receive_exactly(stream, size)


def read_response(request: dns.message.QueryMessage, answer: bytes) -> dns.message.QueryMessage:
    """Return ``answer`` as a message; ``FormError`` where it is none, or answers something else."""
    try:
        message = dns.message.from_wire(answer)
    except dns.exception.DNSException as error:
        # Of some of its own errors dnspython would ask the same server again.
        raise dns.exception.FormError(f"malformed: {type(error).__name__}") from error
    if not (isinstance(message, dns.message.QueryMessage) and request.is_response(message)):
        raise dns.exception.FormError("to another question")
    return message
