"""Any bytes as the answer of a name server: one of our own errors, or usable records."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, cast

from fuzz_input import InputReader, result_of

from erlconnect.api import ErlconnectError
from erlconnect.net.dial import host_and_port
from erlconnect_backends.dns.backend import hosts_of, targets_of
from erlconnect_backends.dns.errors import ServerFailure, no_answer
from erlconnect_backends.dns.nameservers import DNS_PORT, NameServer
from erlconnect_backends.dns.resolver import Question, Resolver, is_cut

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from erlconnect_backends.dns.resolver import Answer, Kind, Tries

Answered = TypeVar("Answered")
KINDS: list[Kind] = ["SRV", "A", "AAAA"]
NAME = "_erl._tcp.shop.example"
HOST, PORT = host_and_port("127.0.0.1:53", default_port=DNS_PORT)
SERVER = NameServer(
    family=cast("socket.AddressFamily", 2), sockaddr=(HOST, PORT), text=f"{HOST}:{PORT}"
)
_HEADER_BYTES = 12


class OneServer:
    """Answers as ``Tries`` does, always with the same bytes behind the query's identifier.

    Where ``repeats``, they have the query's own question, or hardly any would answer it.
    """

    def __init__(self, content: bytes, *, repeats: bool) -> None:
        self._content = content
        self._repeats = repeats

    async def ask(
        self, question: Question, query: bytes, read: Callable[[bytes], Answered], *, until: float
    ) -> tuple[NameServer, Answered]:
        """Return what ``read`` makes of the answer."""
        assert until == 0
        answer = query[:2] + self._content
        if self._repeats:
            end = query.index(b"\0", _HEADER_BYTES) + 5
            answer = query[:2] + self._content[:2] + b"\0\1" + self._content[2:8]
            answer += query[_HEADER_BYTES:end] + self._content[8:]
        is_cut(answer)
        try:
            return SERVER, read(answer)
        except ServerFailure as complaint:
            raise no_answer(question, {SERVER: complaint}) from complaint


def check(answer: Answer) -> None:
    """Check what people and the session get of an answer."""
    addresses = [*answer.addresses, *(one for found in answer.glue.values() for one in found)]
    for address in addresses:
        ipaddress.ip_address(address)
    for host in hosts_of(answer.services):
        assert all(0 < port < 1 << 16 for port in host.ports)
        try:
            list(targets_of(host, addresses, asked=NAME, basename="app"))
        except ValueError:
            continue  # a name that no node can have, which the backend says in its own words


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    question = Question(name=NAME, kind=KINDS[reader.number(len(KINDS))])
    server = OneServer(repeats=bool(reader.number(4)), content=reader.rest())
    resolver = Resolver(cast("Tries", server))
    with suppress(ErlconnectError):
        check(result_of(resolver.lookup(question, until=0)))
