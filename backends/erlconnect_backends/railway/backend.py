"""Backend ``railway``: the replicas of a service, and what its variables tell of the nodes in them.

All AAAA and A records of the service's name in Railway's private network are its replicas. With a
token Railway's API is asked for the service's variables, too, which may hold the node's name, its
port and its cookie.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import dns.asyncresolver
import dns.exception
import dns.resolver

from erlconnect.api import (
    ConfigurationError,
    ErlangVariables,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    NodeName,
    NoNodeFoundError,
    Ref,
    SuggestedProfile,
    Target,
    UsageError,
    read_variables,
)
from erlconnect_backends.do53 import DNS_PORT, SocketNameserver, numeric_server
from erlconnect_backends.railway.api import GraphApi, Project, project_link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.api import Query, SessionApi
    from erlconnect_backends.do53 import ServerAddress
    from erlconnect_backends.railway.plugin import RailwaySettings

SECONDS: Final = 5.0
_BRACKETED: Final = re.compile(r"\[([^\[\]]*)\](?::(\d+))?")
_KINDS: Final[tuple[Literal["AAAA", "A"], ...]] = ("AAAA", "A")
_PRIVATE: Final = (
    "This name resolves only inside Railway's private network: join it with a VPN, or go through "
    "a command there with `-o lookup=never --via COMMAND`."
)


class RailwayBackend:
    """Finds the replicas of one service."""

    def __init__(self, settings: RailwaySettings) -> None:
        self._settings = settings

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        """Return a target for each replica, IPv6 first, all with the service's node name.

        Raises what ``replicas``, ``GraphApi`` and ``Project`` raise. Cancelled, it leaves nothing
        behind.
        """
        del session
        service = _checked(query.service)
        info = await self._ask_api(service)
        host = f"{service}.{self._settings.domain}"
        # With -o lookup=never the command of --via looks the name up inside the network.
        addresses = [host]
        if self._settings.lookup == "auto":
            addresses = await replicas(host, self._settings.server)
        node = self._node(info.erlang, host)
        return [
            Target(
                node=node,
                address=address,
                dist_port=info.erlang.dist_port,
                epmd_port=info.erlang.epmd_port or 4369,
                cookies=info.cookies,
                facts={
                    **info.facts,
                    "service": service,
                    "domain": self._settings.domain,
                    "replica": f"{number} of {len(addresses)}",
                },
            )
            for number, address in enumerate(addresses, start=1)
        ]

    def suggested_profiles(self, environment: Mapping[str, str]) -> Sequence[SuggestedProfile]:
        """Return the project that is linked to the working directory, or runs this program."""
        link = project_link("", "", environment, Path.cwd())
        if not link.project:
            return ()
        settings = {"project": link.project}
        if link.environment:
            settings["environment"] = link.environment
        why = "the project that Railway knows for this folder"
        return [SuggestedProfile(name="railway", why=why, settings=settings)]

    def _node(self, erlang: ErlangVariables, host: str) -> NodeName:
        if self._settings.basename:
            return NodeName(name=self._settings.basename, host=host)
        return erlang.node or NodeName(name="", host=host)

    async def _ask_api(self, service: str) -> _ServiceInfo:
        api = GraphApi.from_environment(self._settings.endpoint, os.environ)
        if api is None:
            # A token is optional: DNS alone finds the replicas.
            return _ServiceInfo(erlang=ErlangVariables(), facts={}, cookies=())
        settings = self._settings
        project = await Project.find(
            api, settings.project, settings.environment, os.environ, Path.cwd()
        )
        variables = await project.variables(service)
        reference = Ref(
            name="railway-variables",
            settings={
                "service": service,
                "project": settings.project,
                "environment": settings.environment,
                "endpoint": settings.endpoint,
            },
        )
        return _ServiceInfo(
            erlang=read_variables(variables),
            facts=await project.facts(service),
            cookies=(reference,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ServiceInfo:
    """What the API has of the service; nothing without a token."""

    erlang: ErlangVariables
    facts: dict[str, str]
    cookies: tuple[Ref, ...]


def _checked(service: str) -> str:
    if "@" in service or "." in service or not service:
        raise UsageError(
            f"{service!r} is no name of a Railway service",
            remedy="Give the service's name alone; its domain is -o domain=.",
        )
    return service.lower()


async def replicas(name: str, server: str | None) -> list[str]:
    """Return all addresses of ``name``, IPv6 first, in a stable order.

    Raises ``NameNotFoundError``, ``LookupFailedError``, ``LookupTimeoutError`` or
    ``NoNodeFoundError``.
    """
    resolver = _resolver(server)
    async with asyncio.TaskGroup() as lookups:
        tasks = [lookups.create_task(_lookup(resolver, name, kind)) for kind in _KINDS]
    answers = [task.result() for task in tasks]
    # One failed kind is the error: replicas of the other kind would be a part of them only.
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
        # The dot at the end keeps search domains out of it: the name is whole.
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
    if server is not None:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [SocketNameserver(_server(server))]
        return resolver
    try:
        resolver = dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration as error:
        raise ConfigurationError(
            f"This machine has no name server to ask: {error}",
            remedy="Name one with -o server=ADDRESS[:PORT].",
        ) from None
    usable: list[SocketNameserver] = []
    for address in resolver.nameservers:
        # An address with the zone of an interface that is gone is no address.
        with suppress(OSError):
            usable.append(SocketNameserver(numeric_server(str(address), resolver.port)))
    resolver.nameservers = usable
    return resolver


def _server(text: str) -> ServerAddress:
    try:
        return numeric_server(*address_and_port(text))
    except (ValueError, OSError):
        raise ConfigurationError(
            f"-o server={text}: the name server has to be given by its address",
            remedy="Write ADDRESS or ADDRESS:PORT, IPv6 in brackets with a port.",
        ) from None


def address_and_port(server: str) -> tuple[str, int]:
    """Read ``ADDRESS[:PORT]``, IPv6 in brackets where a port follows; raises ``ValueError``."""
    bracketed = _BRACKETED.fullmatch(server)
    host, port = bracketed.groups() if bracketed else (server, None)
    if bracketed is None and server.count(":") == 1:
        host, _, port = server.partition(":")
    number = DNS_PORT if port is None else int(port)
    if not 0 < number < 65536:  # noqa: PLR2004 - ports have 16 bits
        raise ValueError(port)
    return str(ipaddress.ip_address(host)), number
