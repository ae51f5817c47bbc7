"""The way through an own upstream proxy: ``consul connect proxy`` as a child process.

It registers nothing, and listens on loopback. A shell between it and us ends it when our end of
a pipe closes, so that it goes even where this process is killed.
Program: https://developer.hashicorp.com/consul/commands/connect/proxy
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from erlconnect.api import ConfigurationError, UnreachableError, redact
from erlconnect_backends.consul_catalogue.connect_upstream import Route, UpstreamWay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from erlconnect_backends.consul_catalogue.connect_agent import MeshAgent
    from erlconnect_backends.consul_catalogue.connect_mesh import ConnectSettings

PROGRAM: Final = "consul"

_READY: Final = b"ready to serve"
_READY_SECONDS: Final = 5.0
_GRACE_SECONDS: Final = 2.0
_KEPT_BYTES: Final = 4000
_SHOWN_LINES: Final = 3
# $@ is the program. Its standard input is not the pipe, which a job in the background reads.
_GUARD: Final = """
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
{ read -r _ <&3; kill "$child"; } 2>/dev/null &
guard=$!
exec 3<&-
wait "$child"
code=$?
kill "$guard" 2>/dev/null
exit "$code"
"""


class _Watcher(asyncio.SubprocessProtocol):
    """Keeps the end of what the proxy says, and notices when it is ready and when it exits."""

    def __init__(self) -> None:
        self.said = b""
        self.ready_or_over = asyncio.Event()
        self.exited = asyncio.Event()
        self.finished = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        del fd  # it says the same on both
        self.said = (self.said + data)[-_KEPT_BYTES:]
        if _READY in self.said:
            self.ready_or_over.set()

    def process_exited(self) -> None:
        self.exited.set()
        self.ready_or_over.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.finished.set()


class ProxyWay(UpstreamWay):
    """Dials an upstream that is our own; its exit is explained."""

    name = "proxy"

    def __init__(self, agent: MeshAgent, *, port: int, route: Route, watcher: _Watcher) -> None:
        super().__init__(agent, host="127.0.0.1", port=port, route=route)
        self._watcher = watcher

    async def dial(self, port: int) -> socket.socket:
        """As for any upstream, and ``UnreachableError`` with its last words if it has exited."""
        try:
            return await super().dial(port)
        except UnreachableError as error:
            if not self._watcher.exited.is_set():
                raise
            raise UnreachableError(self._last_words(), remedy=_REMEDY) from error

    async def why_ended(self, stream: socket.socket) -> str:
        """Say how the proxy exited, or what ``UpstreamWay`` says."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await self._watcher.exited.wait()
        return (
            self._last_words() if self._watcher.exited.is_set() else await super().why_ended(stream)
        )

    def _last_words(self) -> str:
        return f"the own proxy (`consul connect proxy`) has ended{_said(self._watcher)}"


_REMEDY: Final = "Run `consul connect proxy` by hand to see why, or use -o transport.mode=native."


def program() -> str | None:
    """Give the path of the ``consul`` program, if there is one."""
    return shutil.which(PROGRAM)


@asynccontextmanager
async def own_proxy(
    agent: MeshAgent, settings: ConnectSettings, route: Route
) -> AsyncIterator[ProxyWay]:
    """Run the proxy and give the way through it; leaving ends it.

    Raises ``ConfigurationError`` where there is no ``consul`` program, ``UnreachableError`` where
    it does not stay, and what the agent's answer for a certificate raises.
    """
    if program() is None:
        raise ConfigurationError(
            f"There is no program {PROGRAM!r} in the PATH to run as a proxy",
            remedy="Install it, or use -o transport.mode=native, which needs none.",
        )
    # The proxy would retry for ever what it may not have, and the agent says it better.
    await agent.credentials(route.source)
    port = _free_port()
    async with _running(_arguments(settings, route, port), _variables(agent)) as watcher:
        if watcher.exited.is_set():
            raise UnreachableError(
                f"`consul connect proxy` ended at once{_said(watcher)}", remedy=_REMEDY
            )
        yield ProxyWay(agent, port=port, route=route, watcher=watcher)


@asynccontextmanager
async def _running(arguments: list[str], environment: Mapping[str, str]) -> AsyncIterator[_Watcher]:
    """Run the program behind its guard, and wait until it is ready; leaving reaps both."""
    loop = asyncio.get_running_loop()
    transport, watcher = await loop.subprocess_exec(
        _Watcher,
        *("/bin/sh", "-c", _GUARD, "consul-proxy", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        # Ctrl-C is for the session, which ends its links before it ends this.
        start_new_session=True,
    )
    try:
        await _wait(watcher.ready_or_over, _READY_SECONDS)
        yield watcher
    finally:
        await _end(transport, watcher)


async def _end(transport: asyncio.SubprocessTransport, watcher: _Watcher) -> None:
    pipe = transport.get_pipe_transport(0)
    if pipe:
        pipe.close()
    try:
        await _wait(watcher.exited, _GRACE_SECONDS)
    finally:
        if not watcher.exited.is_set():
            with suppress(ProcessLookupError):
                os.killpg(transport.get_pid(), signal.SIGKILL)
        transport.close()
    await watcher.finished.wait()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _arguments(settings: ConnectSettings, route: Route, port: int) -> list[str]:
    words = [str(program()), "connect", "proxy", "-service", route.source]
    words += ["-upstream", f"{route.destination}:127.0.0.1:{port}"]
    for flag, value in (
        ("-token-file", settings.token_file),
        ("-ca-file", settings.ca_file),
        ("-client-cert", settings.client_cert),
        ("-client-key", settings.client_key),
        ("-tls-server-name", settings.tls_server_name),
    ):
        words += [flag, str(value)] if value else []
    return words


def _variables(agent: MeshAgent) -> dict[str, str]:
    """Give the environment by which the proxy finds the same agent; its token is inherited."""
    return {**os.environ, "CONSUL_HTTP_ADDR": str(agent.access.address)}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _said(watcher: _Watcher) -> str:
    lines = redact(watcher.said.decode(errors="replace")).strip().splitlines()
    return (
        f"; it said: {' / '.join(line.strip() for line in lines[-_SHOWN_LINES:])}" if lines else ""
    )
