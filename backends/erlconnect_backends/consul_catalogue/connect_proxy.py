"""The way through an own upstream proxy: ``consul connect proxy`` as a child process.

It listens on loopback and registers nothing. Refuses to know how a child is kept.
Program: https://developer.hashicorp.com/consul/commands/connect/proxy
"""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from erlconnect.api import ConfigurationError, UnreachableError
from erlconnect_backends.consul_catalogue.connect_upstream import Route, UpstreamWay
from erlconnect_backends.guarded_child import GuardedChild, guarded_child

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from erlconnect_backends.consul_catalogue.connect_agent import MeshAgent
    from erlconnect_backends.consul_catalogue.connect_mesh import ConnectSettings

PROGRAM: Final = "consul"

_HOST: Final = "127.0.0.1"
_READY: Final = b"ready to serve"
_READY_SECONDS: Final = 5.0
_EXIT_SECONDS: Final = 0.2
_REMEDY: Final = "Run `consul connect proxy` by hand to see why, or use -o transport.mode=native."


class ProxyWay(UpstreamWay):
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
            raise UnreachableError(self._exit, remedy=_REMEDY) from error

    async def why_ended(self, stream: socket.socket) -> str:
        """Say how the proxy exited, or what ``UpstreamWay`` says."""
        if await self._child.exited_within(_EXIT_SECONDS):
            return self._exit
        return await super().why_ended(stream)

    @property
    def _exit(self) -> str:
        said = self._child.last_words
        return (
            f"the own proxy (`consul connect proxy`) has ended{'; it said: ' if said else ''}{said}"
        )


def program() -> str | None:
    """Give the path of the ``consul`` program, if there is one."""
    return shutil.which(PROGRAM)


@asynccontextmanager
async def own_proxy(
    agent: MeshAgent, settings: ConnectSettings, route: Route
) -> AsyncIterator[ProxyWay]:
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
        await child.ready_or_over(_READY_SECONDS)
        yield ProxyWay(agent, host=_HOST, port=port, route=route, child=child)


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
