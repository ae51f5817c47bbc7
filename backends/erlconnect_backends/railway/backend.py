"""Finds the replicas of a Railway service, and what its variables tell of the nodes in them.

The replicas behind a name of Railway's private network: all its AAAA and A records.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
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
from erlconnect.net.dial import host_and_port
from erlconnect_backends.railway.api import GraphApi, Project, project_link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.api import Query, SessionApi
    from erlconnect_backends.railway.plugin import RailwaySettings

SECONDS: Final = 5.0
_DNS_PORT: Final = 53
_KINDS: Final[tuple[Literal["AAAA", "A"], ...]] = ("AAAA", "A")
_PRIVATE: Final = (
    "This name resolves only inside Railway's private network: join it with a VPN, or go through "
    "a command there with `-o lookup=never --via COMMAND`."
)


async def replicas(name: str, server: str | None) -> list[str]:
    """Return all addresses of ``name``, IPv6 first, in a stable order.

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
    with suppress(ValueError):
        return str(ipaddress.ip_address(server)), _DNS_PORT
    host, port = host_and_port(server, default_port=_DNS_PORT)
    return str(ipaddress.ip_address(host)), port


@dataclass(frozen=True, slots=True, kw_only=True)
class _Warnings:
    """What the API told of the service; nothing without a token."""

    erlang: ErlangVariables
    facts: dict[str, str]
    cookies: tuple[Ref, ...]


class RailwayBackend:
    """The backend ``railway``."""

    def __init__(self, settings: RailwaySettings) -> None:
        self._settings = settings

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        """Return a target for each replica, IPv6 first, all with the service's node name.

        Raises what DNS and Railway's API give reason to. Cancelled, it leaves nothing behind but
        a thread that may wait for the API's answer.
        """
        del session
        service = _checked(query.service)
        told = await self._ask_api(service)
        host = f"{service}.{self._settings.domain}"
        addresses = [host]
        if self._settings.lookup == "auto":
            addresses = await replicas(host, self._settings.server)
        node = self._node(told.erlang, host)
        return [
            Target(
                node=node,
                address=address,
                dist_port=told.erlang.dist_port,
                epmd_port=told.erlang.epmd_port or 4369,
                cookies=told.cookies,
                facts={
                    **told.facts,
                    "service": service,
                    "domain": self._settings.domain,
                    "replica": f"{number} of {len(addresses)}",
                },
            )
            for number, address in enumerate(addresses, start=1)
        ]

    def suggested_profiles(self, environment: Mapping[str, str]) -> Sequence[SuggestedProfile]:
        """Return the project that is linked to the working directory, or that this is a part of."""
        place = project_link("", "", environment, Path.cwd())
        if not place.project:
            return ()
        settings = {"project": place.project}
        if place.environment:
            settings["environment"] = place.environment
        why = "the project that Railway knows for this folder"
        return [SuggestedProfile(name="railway", why=why, settings=settings)]

    def _node(self, erlang: ErlangVariables, host: str) -> NodeName:
        if self._settings.basename:
            return NodeName(name=self._settings.basename, host=host)
        return erlang.node or NodeName(name="", host=host)

    async def _ask_api(self, service: str) -> _Warnings:
        api = GraphApi.from_environment(self._settings.endpoint, os.environ)
        if api is None:
            return _Warnings(erlang=ErlangVariables(), facts={}, cookies=())
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
        return _Warnings(
            erlang=read_variables(variables),
            facts=await project.facts(service),
            cookies=(reference,),
        )


def _checked(service: str) -> str:
    if "@" in service or "." in service or not service:
        raise UsageError(
            f"{service!r} is no name of a Railway service",
            remedy="Give the service's name alone; its domain is -o domain=.",
        )
    return service.lower()
