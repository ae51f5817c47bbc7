"""Looks records up: dnspython's resolver, with this backend's deadlines and words for failures.

``Resolver`` asks for the records of one name and follows aliases; ``addresses_of`` asks for A and
AAAA at the same time. A lookup that failed is an error, and never an answer without records.
Questions and answers are plain values: names are text without the dot at the end.

Specification: RFC 1034 and 1035; RFC 6891 (EDNS).
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV

from erlconnect.api import ErlconnectError, LookupFailedError
from erlconnect_backends.dns.errors import (
    ServerFailure,
    alias_loop,
    broken_connection,
    code_failure,
    no_answer,
    no_records,
    no_such_name,
    timeout_failure,
    unusable_addresses,
    unusable_answer,
)
from erlconnect_backends.do53 import SocketNameserver, open_tcp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from erlconnect_backends.do53 import OpenStream, ServerAddress

# What is offered with EDNS0 (RFC 6891, section 6.2.5): without it UDP carries 512 bytes.
_PAYLOAD_BYTES: Final = 4096
_MAX_ALIASES: Final = 8  # over several answers; dnspython has its own limit within one
_MAX_AT_ONCE: Final = 16
_FIRST_TRY_SHARE: Final = 0.2  # of the whole time; each further try is twice as long
Kind = Literal["SRV", "A", "AAAA"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One name and the kind of record to look up."""

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


class Resolver:
    """Asks ``servers`` in turn; all lookups together keep at most 16 exchanges open.

    ``seconds`` is how long the whole search may take, and paces the tries. ``tcp`` asks over TCP at
    once; ``open_stream`` opens the connection for whatever goes over TCP.
    """

    def __init__(
        self,
        servers: Sequence[ServerAddress],
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
            # The server does not follow aliases into zones of others.
            if name.lower() in map(str.lower, names) or len(names) > _MAX_ALIASES:
                raise alias_loop(question, server.text)
            names.append(name)

    async def _ask(
        self, question: Question, until: float
    ) -> tuple[ServerAddress, dns.message.QueryMessage]:
        """Return the first usable answer; a server that did not answer is asked again."""
        servers = [self._nameserver(server) for server in self._servers]
        name = dns.name.from_text(question.name)
        try:
            async with asyncio.timeout_at(until):
                message = (await _resolve(servers, name, question.kind)).response
        except dns.resolver.NXDOMAIN as error:
            # Such an answer can hold aliases first: the caller finds the name that is missing.
            message = error.response(name)
        except (TimeoutError, dns.resolver.NoNameservers):
            failures = {
                # A server without a failure was still being asked when the time was over.
                each.server: each.failure or timeout_failure(_protocol(tcp=self._tcp))
                for each in servers
                if each.asked
            }
            raise no_answer(question, failures) from None
        return next(each.server for each in servers if each.answered), message

    def _nameserver(self, server: ServerAddress) -> _Nameserver:
        return _Nameserver(
            server,
            tcp=self._tcp,
            open_stream=self._open_stream,
            seconds=self._first_try_seconds,
            slots=self._slots,
        )


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
        lookups = [
            tasks.create_task(_outcome(resolver, Question(name=name, kind=kind), until))
            for kind in kinds
        ]
    outcomes = [task.result() for task in lookups]
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    errors = [outcome for outcome in outcomes if isinstance(outcome, ErlconnectError)]
    failed = [error for error in errors if isinstance(error, LookupFailedError)]
    found = [address for answer in answers for address in answer.addresses]
    if addresses := sorted_addresses(found):
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


def sorted_addresses(found: Iterable[str]) -> list[str]:
    """Return each address once, IPv4 first, without those that no host can have."""
    addresses = {ip_address(text) for text in found}
    # Nobody can connect to 0.0.0.0, "::" or a multicast address as to a node.
    usable = [each for each in addresses if not (each.is_unspecified or each.is_multicast)]
    return [str(each) for each in sorted(usable, key=_sort_key)]


def _sort_key(address: IPv4Address | IPv6Address) -> tuple[int, int]:
    return (address.version, int(address))


def dns_name(text: str) -> str:
    """Return the name as DNS knows it: in ASCII; ``ValueError`` says what is wrong with it."""
    try:
        return dns_text(dns.name.from_text(text))
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(str(error).rstrip(".")) from None


def dns_text(name: dns.name.Name) -> str:
    """Return ``name`` as text without the dot at its end; the root is empty."""
    return name.to_text(omit_final_dot=True) if name != dns.name.root else ""


async def _resolve(
    servers: Sequence[_Nameserver], name: dns.name.Name, kind: Kind
) -> dns.resolver.Answer:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = list(servers)
    resolver.use_edns(0, 0, _PAYLOAD_BYTES)
    while True:
        # The caller has the deadline: dnspython measures by the wall clock, and gives up where that
        # is set back.
        with suppress(dns.resolver.LifetimeTimeout):
            return await resolver.resolve(name, kind, raise_on_no_answer=False, lifetime=math.inf)


class _Nameserver(SocketNameserver):
    """One server during one lookup, and why it gave no usable answer.

    After silence the next try is twice as long: the server may be slow, and a packet lost.
    """

    def __init__(
        self,
        server: ServerAddress,
        *,
        tcp: bool,
        open_stream: OpenStream,
        seconds: float,
        slots: asyncio.Semaphore,
    ) -> None:
        super().__init__(server, tcp=tcp, open_stream=open_stream)
        self.asked = False
        self.answered = False
        self.failure: ServerFailure | None = None
        self._seconds = seconds
        self._slots = slots

    async def exchange(
        self, request: dns.message.QueryMessage, *, tcp: bool, seconds: float
    ) -> dns.message.QueryMessage:
        """Return an answer that says what there is; ``seconds`` of dnspython are not used."""
        del seconds
        self.asked = True
        try:
            # The wait for a slot is outside the time of the try: the server has not been asked yet.
            async with self._slots:
                message = await super().exchange(request, tcp=tcp, seconds=self._seconds)
            _check(message)
        except ServerFailure as failure:
            self.failure = failure
        except dns.exception.FormError as error:
            self.failure = unusable_answer(str(error))
        except dns.exception.Timeout:
            self.failure = timeout_failure(_protocol(tcp=tcp))
        except (OSError, EOFError) as error:
            self.failure = broken_connection(_protocol(tcp=tcp), error)
        else:
            self.answered = True
            return message
        if not self.failure.silent:
            # After this one dnspython does not ask the server again.
            raise dns.exception.FormError
        self._seconds *= 2
        raise dns.exception.Timeout


def _protocol(*, tcp: bool) -> str:
    return "TCP" if tcp else "UDP"


def _check(message: dns.message.QueryMessage) -> None:
    """Raise ``ServerFailure`` where the server says no, or contradicts itself."""
    code = message.rcode()
    # NXDOMAIN is an answer, too: it says for certain that there is no such name.
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise code_failure(dns.rcode.to_text(code))
    try:
        chain = message.resolve_chaining()
    except dns.message.ChainTooLong as error:
        raise unusable_answer("a loop of aliases") from error
    except dns.exception.DNSException as error:
        raise unusable_answer(type(error).__name__) from error
    if message.answer and chain.answer is None and not chain.cnames:
        raise unusable_answer("records that nobody asked for")


def _answer(
    server: ServerAddress, message: dns.message.QueryMessage, found: dns.rrset.RRset | None
) -> Answer:
    glue: dict[str, tuple[str, ...]] = {}
    for extra in message.additional:
        if addresses := tuple(_addresses(extra)):
            # A and AAAA are sets of their own; case does not count in names (RFC 4343).
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
