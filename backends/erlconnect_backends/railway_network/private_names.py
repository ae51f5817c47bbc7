"""The replicas behind a name of Railway's private network: all its AAAA and A records."""

from __future__ import annotations

import asyncio
import ipaddress
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
    host, port = _host_and_port(server)
    try:
        resolver.nameservers = [str(ipaddress.ip_address(host))]
    except ValueError:
        raise ConfigurationError(
            f"-o server={server}: the name server has to be given by its address",
            remedy="Write ADDRESS or ADDRESS:PORT, IPv6 in brackets with a port.",
        ) from None
    resolver.port = port
    return resolver


def _host_and_port(server: str) -> tuple[str, int]:
    if server.startswith("["):
        host, _, port = server[1:].partition("]")
        return host, int(port[1:]) if port[1:].isdigit() else 53
    host, colon, port = server.rpartition(":")
    return (host, int(port)) if colon and ":" not in host and port.isdigit() else (server, 53)
