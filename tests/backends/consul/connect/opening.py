"""Opening the transport as a session does, with its settings as text."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from erlconnect.api import NodeName, Target
from erlconnect_backends.consul.connect import ConnectTransport
from erlconnect_backends.consul.plugin import ConnectSettings

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from world.consul import ConsulAgent

    from erlconnect_backends.consul.connect import ConnectDialer


def target(port: int | None, address: str = "127.0.0.1") -> Target:
    """A target whose service is registered at ``port``."""
    return Target(node=NodeName.parse(f"app@{address}"), address=address, dist_port=port)


def transport(agent: ConsulAgent, destination: str, **settings: str) -> ConnectTransport:
    """The transport to ``destination`` by way of ``agent``."""
    given = {"address": agent.address, "destination": destination, **settings}
    return ConnectTransport(ConnectSettings.model_validate(given))


@asynccontextmanager
async def dialled(
    agent: ConsulAgent, destination: str, port: int | None, **settings: str
) -> AsyncIterator[tuple[ConnectDialer, socket.socket]]:
    """A dialer and a stream that it dialled, both closed afterwards."""
    async with transport(agent, destination, **settings).open(target(port)) as dialer:
        with await dialer.dial(port or 1) as stream:
            yield dialer, stream


async def answered(stream: socket.socket, question: bytes) -> bytes:
    """Send ``question``, and give what comes back first; empty at an end of any kind."""
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(stream, question)
        return await asyncio.wait_for(loop.sock_recv(stream, 65536), 10)
    except ConnectionError:
        return b""
