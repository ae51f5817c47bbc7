"""Transport ``consul-connect``: how a connection gets into the service mesh, and why so.

``ConnectTransport`` chooses one of three connectors, one for each value of the setting ``mode``.
``UpstreamConnector`` dials an upstream on this machine that listens already; TLS is its proxy's
affair. ``NativeConnector`` of ``connect_native`` speaks the mesh's TLS itself. ``ProxyConnector``
runs ``consul connect proxy`` as a child, which listens on loopback and registers nothing.

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
from erlconnect_backends.consul import errors
from erlconnect_backends.consul.access import access_of
from erlconnect_backends.consul.agent import MeshAgent, Upstream
from erlconnect_backends.consul.connect_native import NativeConnector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from erlconnect.api import Target
    from erlconnect_backends.consul.plugin import ConnectSettings

PROGRAM: Final = "consul"
_HOST: Final = "127.0.0.1"
_MAX_PORT: Final = 65535
_READY: Final = b"ready to serve"
_DIAL_SECONDS: Final = 3.0
_VERDICT_SECONDS: Final = 1.0
_LISTENS_SECONDS: Final = 1.0
_READY_SECONDS: Final = 5.0
_EXIT_SECONDS: Final = 0.2
# A proxy takes a connection before it knows whether it can go on, and closes it where it cannot.
_PROXY_FAILURE_SECONDS: Final = 2.0
_UPSTREAM_REMEDY: Final = (
    "Start the proxy with that upstream, correct -o transport.upstream=, or leave it out to go"
    " without one."
)
_PROXY_REMEDY: Final = (
    "Run `consul connect proxy` by hand to see why, or use -o transport.mode=native."
)
_log = logging.getLogger(__name__)


class Connector(Protocol):
    """Dials into the mesh in one of the modes."""

    @property
    def name(self) -> str:
        """The setting ``mode`` that asks for it."""

    async def dial(self, port: int) -> socket.socket:
        """As ``Dialer.dial``."""

    async def why_ended(self, stream: socket.socket) -> str:
        """As ``ExplainsEnd.why_ended``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ConnectorChoice:
    connector: Connector
    reasons: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The mode, and why no better one was chosen."""
        because = f" because {'; '.join(self.reasons)}" if self.reasons else ""
        return f"consul-connect, mode {self.connector.name}{because}"


class ConnectTransport:
    """Opens a connector to the one port of a service that the mesh leads to."""

    def __init__(self, settings: ConnectSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[ConnectDialer]:
        """Choose a connector and make it ready; leaving ends what was started.

        Raises what the agent's answers raise, ``UnreachableError`` where no mode is possible, and
        ``RefusedError`` where the token is not good for it. Streams of the mode ``native`` go on
        until they are closed.
        """
        agent = MeshAgent(await asyncio.to_thread(access_of, self._settings))
        async with AsyncExitStack() as stack:
            choice = await self._choose(agent, target, stack)
            _log.info("%s goes through %s", target.node, choice.words)
            yield ConnectDialer(choice, target, self._settings.destination)

    async def _choose(
        self, agent: MeshAgent, target: Target, stack: AsyncExitStack
    ) -> _ConnectorChoice:
        settings = self._settings
        host, port = host_and_port(settings.upstream)
        if port:
            return _ConnectorChoice(connector=await self._upstream_at(agent, host, port))
        if not settings.destination:
            raise UsageError(
                "consul-connect does not know to which service it has to connect",
                remedy="Name it with -o transport.destination=SERVICE, or find the node with"
                " --backend consul.",
            )
        reasons: tuple[str, ...] = ()
        if settings.mode in ("auto", "upstream"):
            upstream = await registered_upstream(
                agent, settings.destination, name=settings.upstream
            )
            if isinstance(upstream, Upstream):
                return _ConnectorChoice(connector=self._through(agent, upstream))
            reasons = (upstream,)
        if settings.mode == "upstream" or (settings.mode == "auto" and settings.upstream):
            raise UnreachableError(
                f"There is no upstream to {settings.destination}: {reasons[0]}",
                remedy="Name one with -o transport.upstream=HOST:PORT, or leave mode and upstream"
                " out to go without one.",
            )
        return await self._without_upstream(agent, target, stack, reasons)

    async def _upstream_at(self, agent: MeshAgent, host: str, port: int) -> UpstreamConnector:
        settings = self._settings
        # The source is only needed to explain a denial. The default of the setting is no fact.
        known = settings.source if "source" in settings.model_fields_set else ""
        source = known or await source_of_upstream(agent, settings.destination, host, port)
        route = Route(source=source, destination=settings.destination)
        return UpstreamConnector(agent, host=host, port=port, route=route)

    async def _without_upstream(
        self, agent: MeshAgent, target: Target, stack: AsyncExitStack, reasons: tuple[str, ...]
    ) -> _ConnectorChoice:
        settings = self._settings
        source, destination = settings.source, settings.destination
        if settings.mode != "proxy":
            native = NativeConnector(
                agent, source=source, destination=destination, address=target.address
            )
            try:
                await stack.enter_async_context(native.ready())
            except RefusedError:
                # The own proxy would need the same rights.
                raise
            except ErlconnectError as error:
                if settings.mode == "native" or program() is None:
                    raise
                reasons = (*reasons, error.message)
            else:
                return _ConnectorChoice(connector=native, reasons=reasons)
        route = Route(source=source, destination=destination)
        proxy = await stack.enter_async_context(own_proxy(agent, settings, route))
        return _ConnectorChoice(connector=proxy, reasons=reasons)

    def _through(self, agent: MeshAgent, upstream: Upstream) -> UpstreamConnector:
        route = Route(source=upstream.source, destination=self._settings.destination)
        return UpstreamConnector(agent, host=upstream.host, port=upstream.port, route=route)


class ConnectDialer:
    """Dials by the connector that was chosen, and names its mode in every error."""

    def __init__(self, choice: _ConnectorChoice, target: Target, destination: str) -> None:
        self._choice = choice
        self._target = target
        self._destination = destination

    async def dial(self, port: int) -> socket.socket:
        """Return a plain socket to the service's port; other ports cannot be reached.

        Raises ``RefusedError`` naming source and destination where an intention denies it, and
        ``UnreachableError`` or ``TimedOutError``. Cancelled, it leaves no socket behind.
        """
        try:
            # A sidecar passes every connection on to the one port that is registered.
            if self._target.dist_port not in (None, port):
                raise errors.wrong_port(self._destination, self._target.dist_port or 0, port)
            return await self._choice.connector.dial(port)
        except ErlconnectError as error:
            raise errors.with_mode(error, self._choice.words) from error

    async def why_ended(self, stream: socket.socket) -> str:
        """Return what the connector knows of the end of ``stream``."""
        return await self._choice.connector.why_ended(stream)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Between which services the mesh has to allow connections; ``source`` empty if unknown."""

    source: str
    destination: str


class UpstreamConnector:
    """Dials an upstream on this machine."""

    name = "upstream"

    def __init__(self, agent: MeshAgent, *, host: str, port: int, route: Route) -> None:
        self._agent = agent
        self._host = host
        self._port = port
        self._route = route
        self._dialled: list[tuple[socket.socket, float]] = []

    @property
    def where(self) -> str:
        """How messages name the upstream."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"The upstream to {self._route.destination or 'the service'} at {host}:{self._port}"

    async def dial(self, port: int) -> socket.socket:
        """Return a connection to the upstream; whatever ``port`` is, it leads to the service's.

        Raises ``RefusedError`` where an intention denies it, ``UnreachableError`` and
        ``TimedOutError``. Cancelled, it leaves no socket behind.
        """
        del port
        try:
            async with asyncio.timeout(_DIAL_SECONDS):
                stream = await connected(self._host, self._port)
        except TimeoutError as error:
            raise errors.service_timed_out(self.where, _DIAL_SECONDS) from error
        except OSError as error:
            raise errors.service_unreachable(self.where, error, remedy=_UPSTREAM_REMEDY) from error
        # The sidecar on the other side closes what an intention denies after it was taken.
        try:
            denied = await self._is_denied() and await ended_within(stream, _VERDICT_SECONDS)
        except BaseException:
            stream.close()
            raise
        if denied:
            stream.close()
            raise errors.denied(self._route.source, self._route.destination)
        now = time.monotonic()
        # Closed sockets are dropped, or the list would grow for as long as the session lasts.
        self._dialled = [one for one in self._dialled if one[0].fileno() >= 0] + [(stream, now)]
        return stream

    async def why_ended(self, stream: socket.socket) -> str:
        """Return why ``stream`` ended, if it was so soon that the proxy ended it; else nothing."""
        since = next((since for one, since in self._dialled if one is stream), None)
        if since is None or time.monotonic() - since > _PROXY_FAILURE_SECONDS:
            return ""
        if await self._is_denied():
            return errors.denial_words(self._route.source, self._route.destination)
        return (
            f"{self.where} took the connection and closed it: no sidecar of the service passes its"
            " checks, the service does not listen behind it, or an intention denies it"
        )

    async def _is_denied(self) -> bool:
        source, destination = self._route.source, self._route.destination
        return bool(source and destination) and await self._agent.denies(source, destination)


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


async def registered_upstream(agent: MeshAgent, destination: str, *, name: str) -> Upstream | str:
    """Return an upstream to ``destination`` that listens on this machine, or why there is none.

    ``name`` is that of the service or proxy that has to have it; empty for any. Raises what the
    agent's answers raise, except where the token may not see this machine's services.
    """
    if not agent.is_local:
        return f"the agent at {agent.access.address} is not on this machine"
    try:
        upstreams = await agent.upstreams(destination)
    except RefusedError as error:
        return error.message
    fitting = [one for one in upstreams if name in ("", one.source, one.proxy)]
    # A registration says nothing about whether the proxy runs: each one is tried.
    for one in fitting:
        if await _listens(one):
            return one
    if fitting:
        places = ", ".join(f"{one.host}:{one.port}" for one in fitting)
        return f"nobody listens at the upstream that is registered ({places})"
    of = f" of {name}" if name else ""
    return f"no sidecar{of} on this machine has an upstream to it"


async def source_of_upstream(agent: MeshAgent, destination: str, host: str, port: int) -> str:
    """Return the service as which the upstream there connects; empty where it is not known."""
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


class ProxyConnector(UpstreamConnector):
    """Dials the upstream of a ``consul connect proxy`` that runs as a child."""

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
        """Return how the proxy exited, else what ``UpstreamConnector`` returns."""
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
    """Run the proxy and yield its connector; leaving ends it.

    Raises ``ConfigurationError`` where there is no ``consul`` program, and what the agent's answer
    for a certificate raises.
    """
    path = program()
    if path is None:
        raise ConfigurationError(
            f"There is no program {PROGRAM!r} in the PATH to run as a proxy",
            remedy="Install it, or use -o transport.mode=native, which needs none.",
        )
    # Without a right to the certificate the proxy would try for ever; the agent says why.
    await agent.credentials(route.source)
    port = _free_port()
    arguments = [path, *_arguments(settings, route, port)]
    # The token is never an argument, which other users could see: it stays in the environment or
    # in its file.
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
