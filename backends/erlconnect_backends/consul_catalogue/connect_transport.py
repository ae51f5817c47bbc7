"""Transport ``consul-connect``: which way into the mesh, and why that one.

Refuses to know how a way is gone; ``connect_native``, ``connect_upstream`` and ``connect_proxy``
do.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from erlconnect.api import (
    ErlconnectError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from erlconnect_backends.consul_catalogue import connect_failures as failures
from erlconnect_backends.consul_catalogue.access import access_of
from erlconnect_backends.consul_catalogue.connect_agent import MeshAgent, Upstream
from erlconnect_backends.consul_catalogue.connect_found import (
    found_upstream,
    host_and_port,
    source_behind,
)
from erlconnect_backends.consul_catalogue.connect_native import NativeWay
from erlconnect_backends.consul_catalogue.connect_proxy import own_proxy, program
from erlconnect_backends.consul_catalogue.connect_upstream import Route, UpstreamWay

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from erlconnect.api import Target
    from erlconnect_backends.consul_catalogue.connect_mesh import ConnectSettings

_log = logging.getLogger(__name__)


class Way(Protocol):
    """One way into the mesh that is open."""

    @property
    def name(self) -> str:
        """The setting ``mode`` that asks for it."""

    async def dial(self, port: int) -> socket.socket:
        """As ``Dialer.dial``."""

    async def why_ended(self, stream: socket.socket) -> str:
        """As ``ExplainsEnd.why_ended``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    way: Way
    reasons: tuple[str, ...]

    @property
    def words(self) -> str:
        """Say which way it is and why no better one."""
        because = f" because {'; '.join(self.reasons)}" if self.reasons else ""
        return f"consul-connect, mode {self.way.name}{because}"


class ConnectTransport:
    """Opens a way to the one port of a service that the mesh leads to."""

    def __init__(self, settings: ConnectSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[ConnectDialer]:
        """Choose the way and warm it up; leaving ends what was started.

        Raises what the agent's answers raise, ``UnreachableError`` where no way is there, and
        ``RefusedError`` where the token is not good for it. Streams of the native way go on until
        they are closed.
        """
        agent = MeshAgent(await asyncio.to_thread(access_of, self._settings))
        async with AsyncExitStack() as stack:
            chosen = await self._chosen(agent, target, stack)
            _log.info("%s goes through %s", target.node, chosen.words)
            yield ConnectDialer(chosen, target, self._settings.destination)

    async def _chosen(self, agent: MeshAgent, target: Target, stack: AsyncExitStack) -> _Chosen:
        settings = self._settings
        host, port = host_and_port(settings.upstream)
        if port:
            known = settings.source if "source" in settings.model_fields_set else ""
            source = known or await source_behind(agent, settings.destination, host, port)
            route = Route(source=source, destination=settings.destination)
            return _Chosen(way=UpstreamWay(agent, host=host, port=port, route=route), reasons=())
        if not settings.destination:
            raise UsageError(
                "consul-connect does not know to which service it has to connect",
                remedy="Name it with -o transport.destination=SERVICE, or find the node with"
                " --backend consul.",
            )
        reasons: tuple[str, ...] = ()
        if settings.mode in ("auto", "upstream"):
            upstream = await found_upstream(agent, settings.destination, name=settings.upstream)
            if isinstance(upstream, Upstream):
                return _Chosen(way=self._through(agent, upstream), reasons=())
            reasons = (upstream,)
        if settings.mode == "upstream" or (settings.mode == "auto" and settings.upstream):
            raise UnreachableError(
                f"There is no upstream to {settings.destination}: {reasons[0]}",
                remedy="Name one with -o transport.upstream=HOST:PORT, or leave mode and upstream"
                " out to go without one.",
            )
        return await self._without_upstream(agent, target, stack, reasons)

    async def _without_upstream(
        self, agent: MeshAgent, target: Target, stack: AsyncExitStack, reasons: tuple[str, ...]
    ) -> _Chosen:
        settings = self._settings
        source, destination = settings.source, settings.destination
        if settings.mode != "proxy":
            native = NativeWay(
                agent, source=source, destination=destination, address=target.address
            )
            try:
                await stack.enter_async_context(native.ready())
            except RefusedError:
                raise
            except ErlconnectError as error:
                if settings.mode == "native" or program() is None:
                    raise
                reasons = (*reasons, error.message)
            else:
                return _Chosen(way=native, reasons=reasons)
        route = Route(source=source, destination=destination)
        proxy = await stack.enter_async_context(own_proxy(agent, settings, route))
        return _Chosen(way=proxy, reasons=reasons)

    def _through(self, agent: MeshAgent, upstream: Upstream) -> UpstreamWay:
        route = Route(source=upstream.source, destination=self._settings.destination)
        return UpstreamWay(agent, host=upstream.host, port=upstream.port, route=route)


class ConnectDialer:
    """Dials through the way that was chosen, and names it in every error."""

    def __init__(self, chosen: _Chosen, target: Target, destination: str) -> None:
        self._chosen = chosen
        self._target = target
        self._destination = destination

    async def dial(self, port: int) -> socket.socket:
        """Give a plain socket to the service's port; other ports cannot be reached.

        Raises ``RefusedError`` naming source and destination where an intention denies it, and
        ``UnreachableError`` or ``TimedOutError``. Cancelled, it leaves no socket behind.
        """
        try:
            if self._target.dist_port not in (None, port):
                raise failures.wrong_port(self._destination, self._target.dist_port or 0, port)
            return await self._chosen.way.dial(port)
        except ErlconnectError as error:
            raise failures.on_the_way(error, self._chosen.words) from error

    async def why_ended(self, stream: socket.socket) -> str:
        """Say what the way knows of the end of ``stream``."""
        return await self._chosen.way.why_ended(stream)
