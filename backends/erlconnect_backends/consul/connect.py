"""Transport ``consul-connect``: which way into the mesh, and why that one.

Refuses to know how a way is gone; ``connect_native``, ``connect_upstream`` and ``connect_proxy``
do.

The way through an upstream that listens already: plain TCP to it, TLS is its own affair.

Knows what a denial looks like from here: the connection is taken and then ends. Never changes
what it was given. Refuses to know where the upstream came from.

Upstreams that stand already: which this machine's sidecars have, and which one listens.

The way through an own upstream proxy: ``consul connect proxy`` as a child process.

It listens on loopback and registers nothing. Refuses to know how a child is kept.
Program: https://developer.hashicorp.com/consul/commands/connect/proxy
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from erlconnect.api import (
    ConfigurationError,
    ErlconnectError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from erlconnect.net.sockets import connected, ended_within
from erlconnect.net.subprocesses import GuardedChild, guarded_child
from erlconnect_backends.consul import errors as failures
from erlconnect_backends.consul.access import access_of
from erlconnect_backends.consul.agent import MeshAgent, Upstream
from erlconnect_backends.consul.connect_native import NativeConnector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from erlconnect.api import Target
    from erlconnect_backends.consul.plugin import ConnectSettings

_DIAL_SECONDS: Final = 3.0
_VERDICT_SECONDS: Final = 1.0
# An end so soon is the proxy's, which has found no way on.
_AT_ONCE_SECONDS: Final = 2.0
_UPSTREAM_REMEDY: Final = (
    "Start the proxy with that upstream, correct -o transport.upstream=, or leave it out to go"
    " without one."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Between which services the mesh has to allow connections; ``source`` empty if unknown."""

    source: str
    destination: str


class UpstreamConnector:
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
            raise failures.service_silent(self.where, _DIAL_SECONDS) from error
        except OSError as error:
            raise failures.service_unreachable(
                self.where, error, remedy=_UPSTREAM_REMEDY
            ) from error
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


_LISTENS_SECONDS: Final = 1.0
_MAX_PORT: Final = 65535


def host_and_port(upstream: str) -> tuple[str, int]:
    """Split ``HOST:PORT``; the port is 0 where it is a name. Raises ``ConfigurationError``."""
    host, colon, port = upstream.rpartition(":")
    if not colon:
        return "", 0
    if not (port.isdecimal() and 0 < int(port) <= _MAX_PORT and host):
        raise ConfigurationError(
            f"The upstream {upstream!r} is neither HOST:PORT nor a name",
            remedy="Correct -o transport.upstream=, e.g. 127.0.0.1:9191.",
        )
    return host.strip("[]"), int(port)


async def find_upstream(agent: MeshAgent, destination: str, *, name: str) -> Upstream | str:
    """Return an upstream to ``destination`` that listens on this machine, or say why there is none.

    ``name`` is that of the service or proxy that has to have it; empty for any. Raises what the
    agent's answers raise, but for a token that may not see this machine's services.
    """
    if not agent.is_local:
        return f"the agent at {agent.access.address} is not on this machine"
    try:
        upstreams = await agent.upstreams(destination)
    except RefusedError as error:
        return error.message
    fitting = [one for one in upstreams if name in ("", one.source, one.proxy)]
    for one in fitting:
        if await _listens(one):
            return one
    if fitting:
        places = ", ".join(f"{one.host}:{one.port}" for one in fitting)
        return f"nobody listens at the upstream that is registered ({places})"
    of = f" of {name}" if name else ""
    return f"no sidecar{of} on this machine has an upstream to it"


async def source_behind(agent: MeshAgent, destination: str, host: str, port: int) -> str:
    """Return the service as which the upstream there connects; empty where nobody knows."""
    if not (agent.is_local and destination):
        return ""
    with suppress(ErlconnectError):
        for one in await agent.upstreams(destination):
            if (one.host, one.port) == (host.replace("localhost", "127.0.0.1"), port):
                return one.source
    return ""


async def _listens(upstream: Upstream) -> bool:
    try:
        async with asyncio.timeout(_LISTENS_SECONDS):
            (await connected(upstream.host, upstream.port)).close()
    except OSError:
        return False
    return True


PROGRAM: Final = "consul"
_HOST: Final = "127.0.0.1"
_READY: Final = b"ready to serve"
_READY_SECONDS: Final = 5.0
_EXIT_SECONDS: Final = 0.2
_PROXY_REMEDY: Final = (
    "Run `consul connect proxy` by hand to see why, or use -o transport.mode=native."
)


class ProxyConnector(UpstreamConnector):
    """Dials an upstream that is our own; its exit is explained."""

    name = "proxy"

    def __init__(
        self, agent: MeshAgent, *, host: str, port: int, route: Route, child: GuardedChild
    ) -> None:
        super().__init__(agent, host=host, port=port, route=route)
        self._child = child

    async def dial(self, port: int) -> socket.socket:
        """As for any upstream, and ``UnreachableError`` with its last words if it has exited."""
        try:
            return await super().dial(port)
        except UnreachableError as error:
            if not self._child.exited.is_set():
                raise
            raise UnreachableError(self._exit, remedy=_PROXY_REMEDY) from error

    async def why_ended(self, stream: socket.socket) -> str:
        """Say how the proxy exited, or what ``UpstreamConnector`` says."""
        if await self._child.exited_within(_EXIT_SECONDS):
            return self._exit
        return await super().why_ended(stream)

    @property
    def _exit(self) -> str:
        said = self._child.last_output
        return (
            f"the own proxy (`consul connect proxy`) has ended{'; it said: ' if said else ''}{said}"
        )


def program() -> str | None:
    """Return the path of the ``consul`` program, if there is one."""
    return shutil.which(PROGRAM)


@asynccontextmanager
async def own_proxy(
    agent: MeshAgent, settings: ConnectSettings, route: Route
) -> AsyncIterator[ProxyConnector]:
    """Run the proxy and give the way through it; leaving ends it.

    Raises ``ConfigurationError`` where there is no ``consul`` program, and what the agent's answer
    for a certificate raises.
    """
    path = program()
    if path is None:
        raise ConfigurationError(
            f"There is no program {PROGRAM!r} in the PATH to run as a proxy",
            remedy="Install it, or use -o transport.mode=native, which needs none.",
        )
    # The proxy would retry for ever what it may not have, and the agent says it better.
    await agent.credentials(route.source)
    port = _free_port()
    arguments = [path, *_arguments(settings, route, port)]
    # It finds the same agent; a token in the environment is inherited.
    environment = {**os.environ, "CONSUL_HTTP_ADDR": str(agent.access.address)}
    async with guarded_child(arguments, environment, ready=_READY) as child:
        await child.ready_or_exited(_READY_SECONDS)
        yield ProxyConnector(agent, host=_HOST, port=port, route=route, child=child)


def _arguments(settings: ConnectSettings, route: Route, port: int) -> list[str]:
    words = ["connect", "proxy", "-service", route.source]
    words += ["-upstream", f"{route.destination}:{_HOST}:{port}"]
    for flag, value in (
        ("-token-file", settings.token_file),
        ("-ca-file", settings.ca_file),
        ("-client-cert", settings.client_cert),
        ("-client-key", settings.client_key),
        ("-tls-server-name", settings.tls_server_name),
    ):
        words += [flag, str(value)] if value else []
    return words


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as listener:
        return int(listener.getsockname()[1])


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
            return _Chosen(
                way=UpstreamConnector(agent, host=host, port=port, route=route), reasons=()
            )
        if not settings.destination:
            raise UsageError(
                "consul-connect does not know to which service it has to connect",
                remedy="Name it with -o transport.destination=SERVICE, or find the node with"
                " --backend consul.",
            )
        reasons: tuple[str, ...] = ()
        if settings.mode in ("auto", "upstream"):
            upstream = await find_upstream(agent, settings.destination, name=settings.upstream)
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
            native = NativeConnector(
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

    def _through(self, agent: MeshAgent, upstream: Upstream) -> UpstreamConnector:
        route = Route(source=upstream.source, destination=self._settings.destination)
        return UpstreamConnector(agent, host=upstream.host, port=upstream.port, route=route)


class ConnectDialer:
    """Dials through the way that was chosen, and names it in every error."""

    def __init__(self, chosen: _Chosen, target: Target, destination: str) -> None:
        self._chosen = chosen
        self._target = target
        self._destination = destination

    async def dial(self, port: int) -> socket.socket:
        """Return a plain socket to the service's port; other ports cannot be reached.

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
