"""Writes questions and reads answers; the only file that imports dnspython.

Knows which answer is final, which is unusable, and how aliases are followed. Refuses to know what
the records are for and which server is asked. Specification: RFC 1034 and 1035; RFC 6891 (EDNS).

Asks one name server after the other until one of them answers.

Knows patience: how long a try lasts, who is asked again, and how much goes on at once. Refuses to
know what is asked and what is a usable answer.

Carries one DNS message to a server and one back, over UDP or TCP (RFC 1035, 4.2; RFC 7766).

Knows of a message only the identifier and the bit that says that it was cut. Refuses to know
time: whoever calls sets the deadline. Cancelled, nothing here leaves a socket behind.

Questions and answers of DNS as plain values: names are text without the dot at the end.

The addresses of one name: A and AAAA records, asked for at the same time.

Knows what it means when only one of the two can be had. Refuses to know what the name is for.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV

from erlconnect.api import ErlconnectError, LookupFailedError
from erlconnect.net.dial import Address, connect
from erlconnect.net.sockets import receive_exactly
from erlconnect_backends.dns.errors import (
    ServerFailure,
    alias_loop,
    answered,
    broken_way,
    no_answer,
    no_records,
    no_such_name,
    silence,
    unusable,
    unusable_addresses,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from erlconnect_backends.dns.nameservers import NameServer

OpenStream = Callable[["NameServer"], Awaitable[socket.socket]]
"""Gives a connected, plain, non-blocking socket, which the caller closes; a tunnel can be one."""
_MAX_DATAGRAM: Final = 65535
_FLAGS: Final = 2  # where the header has the byte with the bit that says that the answer is cut
_TRUNCATED: Final = 0x02


def is_cut(answer: bytes) -> bool:
    """Whether the server says that there is more than it could send over UDP."""
    return len(answer) > _FLAGS and bool(answer[_FLAGS] & _TRUNCATED)


async def open_tcp(server: NameServer) -> socket.socket:
    """Return a TCP connection to ``server``; raises ``OSError``."""
    return await connect(Address(family=server.family, sockaddr=server.sockaddr, text=server.text))


async def ask_by_datagram(query: bytes, server: NameServer) -> bytes:
    """Return the answer to ``query`` over UDP, cut or whole; raises ``OSError``."""
    loop = asyncio.get_running_loop()
    with socket.socket(server.family, socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)
        # Connected, so that the kernel drops what others send and reports a closed port.
        datagrams.connect(server.sockaddr)
        await loop.sock_sendall(datagrams, query)
        while True:
            answer = await loop.sock_recv(datagrams, _MAX_DATAGRAM)
            if answer[:2] == query[:2]:
                return answer


async def ask_by_stream(query: bytes, server: NameServer, open_stream: OpenStream) -> bytes:
    """Return the answer to ``query``; raises ``OSError``, and ``EOFError`` if the server hangs up.

    The length in front of it has two bytes, so that 64 KB are the most that is read.
    """
    with await open_stream(server) as stream:
        message = len(query).to_bytes(2, "big") + query
        await asyncio.get_running_loop().sock_sendall(stream, message)
        size = int.from_bytes(await receive_exactly(stream, 2), "big")
        return await receive_exactly(stream, size)


Answered = TypeVar("Answered")
_MAX_AT_ONCE: Final = 16
_FIRST_TRY_SHARE: Final = 0.2  # of the whole time; each further round is twice as long


class Tries:
    """Asks ``servers`` in turn; all questions together keep at most 16 exchanges open.

    ``seconds`` is how long the whole search may take, and paces the tries. ``tcp`` asks over TCP at
    once; ``open_stream`` is the way to a server for whatever goes over TCP.
    """

    def __init__(
        self,
        servers: Sequence[NameServer],
        *,
        tcp: bool,
        seconds: float,
        open_stream: OpenStream = open_tcp,
    ) -> None:
        self._servers = tuple(servers)
        self._tcp = tcp
        self._first_try_seconds = seconds * _FIRST_TRY_SHARE
        self._open_stream = open_stream
        self._slots = asyncio.Semaphore(_MAX_AT_ONCE)

    async def ask(
        self,
        question: Question,
        query: bytes,
        read: Callable[[bytes], Answered],
        *,
        until: float,
    ) -> tuple[NameServer, Answered]:
        """Return the first answer that ``read`` takes; it raises ``ServerFailure`` for the others.

        Who said nothing is asked again, until the event loop's time is ``until``. Raises
        ``LookupFailedError``, and ``LookupTimeoutError`` where nobody said anything. Cancelled, it
        leaves no socket behind.
        """
        complaints: dict[NameServer, ServerFailure] = {}
        pending, seconds = self._servers, self._first_try_seconds
        while True:
            for server in pending:
                try:
                    async with asyncio.timeout_at(until):
                        return server, read(await self._ask_one(query, server, seconds))
                except TimeoutError:
                    complaints.setdefault(server, silence(self._way))
                except ServerFailure as complaint:
                    complaints[server] = complaint
            pending = tuple(server for server in pending if complaints[server].silent)
            seconds *= 2
            if not pending or asyncio.get_running_loop().time() >= until:
                raise no_answer(question, complaints)

    @property
    def _way(self) -> str:
        return "TCP" if self._tcp else "UDP"

    async def _ask_one(self, query: bytes, server: NameServer, seconds: float) -> bytes:
        if not self._tcp:
            by_datagram = partial(ask_by_datagram, query, server)
            answer = await self._in_time("UDP", by_datagram, seconds)
            if not is_cut(answer):
                return answer
        by_stream = partial(ask_by_stream, query, server, self._open_stream)
        return await self._in_time("TCP", by_stream, seconds)

    async def _in_time(
        self, way: str, exchange: Callable[[], Awaitable[bytes]], seconds: float
    ) -> bytes:
        async with self._slots:
            try:
                async with asyncio.timeout(seconds):
                    return await exchange()
            except TimeoutError:
                raise silence(way) from None
            except (OSError, EOFError) as error:
                raise broken_way(way, error) from error


Kind = Literal["SRV", "A", "AAAA"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One name and the kind of record that is wanted."""

    name: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """One SRV record (RFC 2782); an empty ``target`` says that the service is not available."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What ``server`` answered; without ``services`` and ``addresses`` it has no such record.

    ``glue`` holds the addresses that came along for other names, which are in small letters.
    """

    server: str
    services: tuple[ServiceRecord, ...] = ()
    addresses: tuple[str, ...] = ()
    glue: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


_PAYLOAD_BYTES: Final = 4096
_MAX_ALIASES: Final = 8


class Resolver:
    """Looks records up with the help of ``tries``, which know the servers."""

    def __init__(self, tries: Tries) -> None:
        self._tries = tries

    async def lookup(self, question: Question, *, until: float) -> Answer:
        """Return the records, or an answer without any; ``until`` is a time of the event loop.

        Raises ``NameNotFoundError``, ``LookupFailedError`` and ``LookupTimeoutError``. Cancelled,
        it leaves no socket behind.
        """
        names = [question.name]
        while True:
            server, message = await self._ask(Question(name=names[-1], kind=question.kind), until)
            chain = message.resolve_chaining()
            name = dns_text(chain.canonical_name)
            if message.rcode() == dns.rcode.NXDOMAIN:
                raise no_such_name(question, name, server.text)
            if chain.answer is not None or not chain.cnames:
                return _answer(server, message, chain.answer)
            if name.lower() in map(str.lower, names) or len(names) > _MAX_ALIASES:
                raise alias_loop(question, server.text)
            names.append(name)

    async def _ask(
        self, question: Question, until: float
    ) -> tuple[NameServer, dns.message.QueryMessage]:
        query = dns.message.make_query(
            dns.name.from_text(question.name), question.kind, use_edns=0, payload=_PAYLOAD_BYTES
        )
        return await self._tries.ask(question, query.to_wire(), partial(_read, query), until=until)


def dns_text(name: dns.name.Name) -> str:
    """Return ``name`` as text without the dot at its end; the root is empty."""
    return name.to_text(omit_final_dot=True) if name != dns.name.root else ""


def dns_name(text: str) -> str:
    """Return the name as DNS knows it: in ASCII; ``ValueError`` says what is wrong with it."""
    try:
        return dns_text(dns.name.from_text(text))
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(str(error).rstrip(".")) from None


def _read(query: dns.message.QueryMessage, wire: bytes) -> dns.message.QueryMessage:
    """Parse the answer to ``query``; ``ServerFailure`` where it is none or says no."""
    try:
        message = dns.message.from_wire(wire)
    except dns.exception.DNSException as error:
        raise unusable(f"malformed: {type(error).__name__}") from error
    if not (isinstance(message, dns.message.QueryMessage) and query.is_response(message)):
        raise unusable("to another question")
    code = message.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise answered(dns.rcode.to_text(code))
    _refuse_contradictions(message)
    return message


def _refuse_contradictions(message: dns.message.QueryMessage) -> None:
    try:
        chain = message.resolve_chaining()
    except dns.message.ChainTooLong as error:
        raise unusable("a loop of aliases") from error
    except dns.exception.DNSException as error:
        raise unusable(type(error).__name__) from error
    if message.answer and chain.answer is None and not chain.cnames:
        raise unusable("records that nobody asked for")


def _answer(
    server: NameServer, message: dns.message.QueryMessage, found: dns.rrset.RRset | None
) -> Answer:
    glue: dict[str, tuple[str, ...]] = {}
    for extra in message.additional:
        if addresses := tuple(_addresses(extra)):
            name = dns_text(extra.name).lower()
            glue[name] = glue.get(name, ()) + addresses
    return Answer(
        server=server.text,
        services=tuple(_services(found)) if found else (),
        addresses=tuple(_addresses(found)) if found else (),
        glue=glue,
    )


def _services(records: dns.rrset.RRset) -> Iterator[ServiceRecord]:
    for record in records:
        if isinstance(record, SRV):
            yield ServiceRecord(
                priority=record.priority,
                weight=record.weight,
                port=record.port,
                target=dns_text(record.target),
            )


def _addresses(records: dns.rrset.RRset) -> Iterator[str]:
    for record in records:
        if isinstance(record, A | AAAA):
            yield record.address


async def addresses_of(
    name: str,
    kinds: Sequence[Kind],
    *,
    resolver: Resolver,
    until: float,
    warn: Callable[[str], None],
) -> list[str]:
    """Return the addresses in their order, at least one.

    A failed lookup of one kind is warned of where the other kind has addresses, and is the error
    where it has none. Raises ``LookupFailedError``, ``NameNotFoundError``, ``NoNodeFoundError``.
    """
    async with asyncio.TaskGroup() as tasks:
        asked = [
            tasks.create_task(_outcome(resolver, Question(name=name, kind=kind), until))
            for kind in kinds
        ]
    outcomes = [task.result() for task in asked]
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    errors = [outcome for outcome in outcomes if isinstance(outcome, ErlconnectError)]
    failed = [error for error in errors if isinstance(error, LookupFailedError)]
    found = [address for answer in answers for address in answer.addresses]
    if addresses := in_order(found):
        for error in failed:
            warn(error.message)
        return addresses
    if failed:
        raise failed[0]
    if not answers:
        raise errors[0]
    if found:
        raise unusable_addresses(name, found, answers[0].server)
    raise no_records(name, kinds, answers[0].server)


async def _outcome(
    resolver: Resolver, question: Question, until: float
) -> Answer | ErlconnectError:
    try:
        return await resolver.lookup(question, until=until)
    except ErlconnectError as error:
        return error


def in_order(found: Iterable[str]) -> list[str]:
    """Return each address once, IPv4 first, without those that nobody can have."""
    addresses = {ip_address(text) for text in found}
    usable = [each for each in addresses if not (each.is_unspecified or each.is_multicast)]
    return [str(each) for each in sorted(usable, key=_place)]


def _place(address: IPv4Address | IPv6Address) -> tuple[int, int]:
    return (address.version, int(address))
