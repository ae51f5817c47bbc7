"""The way through an upstream that listens already: plain TCP to it, TLS is its own affair.

Knows what a denial looks like from here: the connection is taken and then ends. Never changes
what it was given. Refuses to know where the upstream came from.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect_backends.consul_catalogue import connect_failures as failures
from erlconnect_backends.sockets import connected, ended_within

if TYPE_CHECKING:
    import socket

    from erlconnect_backends.consul_catalogue.connect_agent import MeshAgent

_DIAL_SECONDS: Final = 3.0
_VERDICT_SECONDS: Final = 1.0
# An end so soon is the proxy's, which has found no way on.
_AT_ONCE_SECONDS: Final = 2.0
_REMEDY: Final = (
    "Start the proxy with that upstream, correct -o transport.upstream=, or leave it out to go"
    " without one."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Between which services the mesh has to allow connections; ``source`` empty if unknown."""

    source: str
    destination: str


class UpstreamWay:
    """Dials a local upstream."""

    name = "upstream"

    def __init__(self, agent: MeshAgent, *, host: str, port: int, route: Route) -> None:
        self._agent = agent
        self._host = host
        self._port = port
        self._route = route
        self._dialled: list[tuple[socket.socket, float]] = []

    @property
    def where(self) -> str:
        """Name the upstream in messages."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"The upstream to {self._route.destination or 'the service'} at {host}:{self._port}"

    async def dial(self, port: int) -> socket.socket:
        """Give a connection to the upstream; it leads to the service's port, whatever ``port`` is.

        Raises ``RefusedError`` where an intention denies it, ``UnreachableError`` and
        ``TimedOutError``. Cancelled, it leaves no socket behind.
        """
        del port
        try:
            async with asyncio.timeout(_DIAL_SECONDS):
                stream = await connected(self._host, self._port)
        except TimeoutError as error:
            raise failures.silent(self.where, _DIAL_SECONDS) from error
        except OSError as error:
            raise failures.unreachable(self.where, error, remedy=_REMEDY) from error
        try:
            denied = await self._is_denied() and await ended_within(stream, _VERDICT_SECONDS)
        except BaseException:
            stream.close()
            raise
        if denied:
            stream.close()
            raise failures.denied(self._route.source, self._route.destination)
        now = time.monotonic()
        self._dialled = [one for one in self._dialled if one[0].fileno() >= 0] + [(stream, now)]
        return stream

    async def why_ended(self, stream: socket.socket) -> str:
        """Say why ``stream`` ended, if it was so soon that the proxy ended it; else empty."""
        since = next((since for one, since in self._dialled if one is stream), None)
        if since is None or time.monotonic() - since > _AT_ONCE_SECONDS:
            return ""
        if await self._is_denied():
            return failures.words_of_denial(self._route.source, self._route.destination)
        return (
            f"{self.where} took the connection and closed it: no sidecar of the service passes its"
            " checks, the service does not listen behind it, or an intention denies it"
        )

    async def _is_denied(self) -> bool:
        source, destination = self._route.source, self._route.destination
        return bool(source and destination) and await self._agent.denies(source, destination)
