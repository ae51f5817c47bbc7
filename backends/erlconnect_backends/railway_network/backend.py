"""Finds the replicas of a Railway service, and what its variables tell of the nodes in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from erlconnect.api import (
    ErlangVariables,
    NodeName,
    Ref,
    SuggestedProfile,
    Target,
    UsageError,
    read_variables,
)
from erlconnect_backends.railway_network.graph_api import GraphApi
from erlconnect_backends.railway_network.private_names import replicas
from erlconnect_backends.railway_network.project import Project
from erlconnect_backends.railway_network.surroundings import place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.api import Query, SessionApi
    from erlconnect_backends.railway_network.discovery import RailwaySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the API told of the service; nothing without a token."""

    erlang: ErlangVariables
    facts: dict[str, str]
    cookies: tuple[Ref, ...]


class RailwayBackend:
    """The backend ``railway``."""

    def __init__(self, settings: RailwaySettings) -> None:
        self._settings = settings

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        """Give a target for each replica, IPv6 first, all with the service's node name.

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
        """Give the project that is linked to the working directory, or that this is a part of."""
        place = place_of("", "", environment, Path.cwd())
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

    async def _ask_api(self, service: str) -> _Told:
        api = GraphApi.from_environment(self._settings.endpoint, os.environ)
        if api is None:
            return _Told(erlang=ErlangVariables(), facts={}, cookies=())
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
        return _Told(
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
