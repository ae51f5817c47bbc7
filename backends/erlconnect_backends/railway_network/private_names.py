"""The replicas behind a name of Railway's private network: all its AAAA and A records."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from typing import Final, Literal

import dns.asyncresolver
import dns.exception
import dns.resolver

from erlconnect.api import (
    ConfigurationError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    NoNodeFoundError,
)

SECONDS: Final = 5.0
_DNS_PORT: Final = 53
_BRACKETED: Final = re.compile(r"\[([^\[\]]*)\](?::(\d+))?")
_KINDS: Final[tuple[Literal["AAAA", "A"], ...]] = ("AAAA", "A")
_PRIVATE: Final = (
    "This name resolves only inside Railway's private network: join it with a VPN, or go through "
    "a command there with `-o lookup=never --via COMMAND`."
)


async def replicas(name: str, server: str | None) -> list[str]:
    """Give all addresses of ``name``, IPv6 first, in a stable order.

    Raises ``NameNotFoundError``, ``LookupFailedError``, ``LookupTimeoutError`` or
    ``NoNodeFoundError``.
    """
    resolver = _resolver(server)
    async with asyncio.TaskGroup() as lookups:
        tasks = [lookups.create_task(_lookup(resolver, name, kind)) for kind in _KINDS]
    answers = [task.result() for task in tasks]
    failures = [answer for answer in answers if isinstance(answer, Exception)]
    if failures:
        raise failures[0]
    found = [address for answer in answers if isinstance(answer, list) for address in answer]
    if not found:
        raise NoNodeFoundError(
            f"the name {name} exists and has neither AAAA nor A records",
            remedy="Check that the service has a running deployment.",
        )
    return found


async def _lookup(
    resolver: dns.asyncresolver.Resolver, name: str, kind: str
) -> list[str] | LookupFailedError | NameNotFoundError:
    try:
        answer = await resolver.resolve(
            f"{name}.", kind, raise_on_no_answer=False, lifetime=SECONDS
        )
    except dns.resolver.NXDOMAIN:
        return NameNotFoundError(f"DNS says that {name} does not exist", remedy=_PRIVATE)
    except dns.exception.Timeout:
        return LookupTimeoutError(
            f"DNS did not answer the question for {name} {kind} within {SECONDS:g} s",
            remedy=_PRIVATE,
        )
    except dns.exception.DNSException as error:
        return LookupFailedError(
            f"DNS could not answer the question for {name} {kind}: {error}", remedy=_PRIVATE
        )
    return sorted(record.to_text() for record in answer)


def _resolver(server: str | None) -> dns.asyncresolver.Resolver:
    if server is None:
        return dns.asyncresolver.Resolver()
    resolver = dns.asyncresolver.Resolver(configure=False)
    try:
        address, resolver.port = address_and_port(server)
    except ValueError:
        raise ConfigurationError(
            f"-o server={server}: the name server has to be given by its address",
            remedy="Write ADDRESS or ADDRESS:PORT, IPv6 in brackets with a port.",
        ) from None
    resolver.nameservers = [address]
    return resolver


def address_and_port(server: str) -> tuple[str, int]:
    """Read ``ADDRESS[:PORT]``, IPv6 in brackets where a port follows; raises ``ValueError``."""
    bracketed = _BRACKETED.fullmatch(server)
    host, port = bracketed.groups() if bracketed else (server, None)
    if bracketed is None and server.count(":") == 1:
        host, _, port = server.partition(":")
    number = _DNS_PORT if port is None else int(port)
    if not 0 < number < 65536:  # noqa: PLR2004 - ports have 16 bits
        raise ValueError(port)
    return str(ipaddress.ip_address(host)), number
