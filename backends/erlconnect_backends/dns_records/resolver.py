"""Writes questions and reads answers; the only file that imports dnspython.

Knows which answer is final, which is unusable, and how aliases are followed. Refuses to know what
the records are for and which server is asked. Specification: RFC 1034 and 1035; RFC 6891 (EDNS).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV

from erlconnect_backends.dns_records.failures import (
    alias_loop,
    answered,
    no_such_name,
    unusable,
)
from erlconnect_backends.dns_records.records import Answer, Question, ServiceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erlconnect_backends.dns_records.servers import NameServer
    from erlconnect_backends.dns_records.tries import Tries

_PAYLOAD_BYTES: Final = 4096
_MAX_ALIASES: Final = 8


class Resolver:
    """Looks records up with the help of ``tries``, which know the servers."""

    def __init__(self, tries: Tries) -> None:
        self._tries = tries

    async def lookup(self, question: Question, *, until: float) -> Answer:
        """Give the records, or an answer without any; ``until`` is a time of the event loop.

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
    """Give ``name`` as text without the dot at its end; the root is empty."""
    return name.to_text(omit_final_dot=True) if name != dns.name.root else ""


def dns_name(text: str) -> str:
    """Give the name as DNS knows it: in ASCII; ``ValueError`` says what is wrong with it."""
    try:
        return dns_text(dns.name.from_text(text))
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(str(error).rstrip(".")) from None


def _read(query: dns.message.QueryMessage, wire: bytes) -> dns.message.QueryMessage:
    """Parse what should be the answer to ``query``; ``Complaint`` where it is not or says no."""
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
