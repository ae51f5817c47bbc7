"""Port-forward over a websocket with the subprotocol ``v4.channel.k8s.io``, as the kubelet has it.

Two channels a port: 2i carries data, 2i+1 what went wrong. The first message on each is the port,
two bytes, little-endian. A channel has no end of its own: the close of the websocket is the end.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from world.kubernetes.pod_connections import PodConnection, refusal_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from world.kubernetes.pods import RunningPod
    from world.kubernetes.websockets import Websocket

PROTOCOLS: Final = ("v4.channel.k8s.io",)


class PortForward:
    """One websocket that forwards to some ports of one pod."""

    def __init__(
        self, websocket: Websocket, pod: RunningPod, pod_id: str, ports: Sequence[int]
    ) -> None:
        self._websocket = websocket
        self._pod_id = pod_id
        self._connections = {
            2 * index: PodConnection(pod, port) for index, port in enumerate(ports)
        }

    async def run(self) -> None:
        """Forward until the client closes the websocket or all ports have ended."""
        for channel, connection in self._connections.items():
            preamble = connection.port.to_bytes(2, "little")
            await self._send(channel, preamble)
            await self._send(channel + 1, preamble)
        async with asyncio.TaskGroup() as tasks:
            receiving = tasks.create_task(self._receive())
            async with asyncio.TaskGroup() as forwards:
                for channel, connection in self._connections.items():
                    forwards.create_task(self._forward(channel, connection))
            receiving.cancel()
        await self._websocket.close()

    async def _forward(self, channel: int, connection: PodConnection) -> None:
        try:
            await connection.run(partial(self._send, channel))
        except OSError as error:
            text = refusal_text(connection.port, self._pod_id, error)
            await self._send(channel + 1, text.encode())

    async def _receive(self) -> None:
        """Hand on what comes until the websocket closes, which ends all connections."""
        async for message in self._websocket.messages():
            connection = self._connections.get(message[0]) if message else None
            if connection is not None:
                await connection.feed(message[1:])
        for connection in self._connections.values():
            await connection.close()

    async def _send(self, channel: int, data: bytes) -> None:
        await self._websocket.send(bytes((channel,)) + data)
