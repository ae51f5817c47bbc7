"""Any bytes as the answer of a name server: one of our own errors, or usable records."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from unittest import mock

from fuzz_input import InputReader

from erlconnect.api import ErlconnectError
from erlconnect_backends import do53
from erlconnect_backends.dns.backend import hosts_of, targets_of
from erlconnect_backends.dns.resolver import Question, Resolver

if TYPE_CHECKING:
    from erlconnect_backends.dns.resolver import Answer, Kind

KINDS: list[Kind] = ["SRV", "A", "AAAA"]
NAME = "_erl._tcp.shop.example"
SERVER = do53.ServerAddress(family=socket.AF_INET, sockaddr=("127.0.0.1", 53), text="127.0.0.1")
_HEADER_BYTES = 12
_SECONDS: Final = 60.0
_loop = asyncio.new_event_loop()


def answer_to(query: bytes, content: bytes, *, repeats: bool) -> bytes:
    """Return ``content`` behind the query's identifier.

    Where ``repeats``, it has the query's own question, or hardly any input would answer it.
    """
    if not repeats:
        return query[:2] + content
    end = query.index(b"\0", _HEADER_BYTES) + 5
    header = query[:2] + content[:2] + b"\0\1" + content[2:8]
    return header + query[_HEADER_BYTES:end] + content[8:]


def check(answer: Answer) -> None:
    """Check what people and the session get of an answer."""
    addresses = [*answer.addresses, *(one for found in answer.glue.values() for one in found)]
    for address in addresses:
        ipaddress.ip_address(address)
    for host in hosts_of(answer.services):
        assert all(0 < port < 1 << 16 for port in host.ports)
        try:
            list(targets_of(host, addresses, name=NAME, basename="app"))
        except ValueError:
            continue  # a name that no node can have, which the backend says in its own words


async def lookup(question: Question, content: bytes, *, repeats: bool) -> None:
    """Look up; what the server sends, over UDP and then over TCP, is ``content``."""

    async def exchange(query: bytes, *_: object) -> bytes:
        return answer_to(query, content, repeats=repeats)

    resolver = Resolver([SERVER], tcp=False, seconds=_SECONDS)
    until = asyncio.get_running_loop().time() + _SECONDS
    with (
        mock.patch.object(do53, "ask_by_datagram", exchange),
        mock.patch.object(do53, "ask_by_stream", exchange),
        suppress(ErlconnectError),
    ):
        check(await resolver.lookup(question, until=until))


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    question = Question(name=NAME, kind=KINDS[reader.number(len(KINDS))])
    repeats = bool(reader.number(4))
    _loop.run_until_complete(lookup(question, reader.rest(), repeats=repeats))
