"""Upstreams that stand already: which this machine's sidecars have, and which one listens."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from erlconnect.api import ConfigurationError, ErlconnectError, RefusedError
from erlconnect_backends.sockets import connected

if TYPE_CHECKING:
    from erlconnect_backends.consul_catalogue.connect_agent import MeshAgent, Upstream

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


async def found_upstream(agent: MeshAgent, destination: str, *, name: str) -> Upstream | str:
    """Give an upstream to ``destination`` that listens on this machine, or say why there is none.

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
    """Give the service as which the upstream there connects; empty where nobody knows."""
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
