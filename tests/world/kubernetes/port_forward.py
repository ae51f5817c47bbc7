"""Port-forward over a websocket with the subprotocol ``v4.channel.k8s.io``, as the kubelet has it.

Two channels a port: 2i carries data, 2i+1 what went wrong. The first message on each is the port,
two bytes, little-endian. A channel has no end of its own: the close of the websocket is the end.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType
from world.kubernetes.pods import dial
from world.kubernetes.statuses import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web
    from world.kubernetes.faults import Faults
    from world.kubernetes.pods import RunningPod

PROTOCOLS: Final = ("v4.channel.k8s.io",)
_CHUNK: Final = 32 << 10  # as large as the buffers that the kubelet copies with


def asked_ports(query: Sequence[tuple[str, str]]) -> list[int]:
    """The ports of a request's query, ``ports=1,2`` or ``ports=1&ports=2``. Raises RefusedError."""
    texts = [text for key, value in query if key == "ports" for text in value.split(",")]
    if not texts:
        raise bad_request('query parameter "port" is required')
    for text in texts:
        if not text.isdecimal() or not 0 < int(text) < 1 << 16:
            raise bad_request(f'unable to parse "{text}" as a port')
    return [int(text) for text in texts]


def refusal_text(port: int, pod_id: str, error: OSError) -> str:
    """What the kubelet says when the pod's port cannot be reached."""
    return (
        f"error forwarding port {port} to pod {pod_id}, uid : failed to execute portforward in "
        f'network namespace "/var/run/netns/cni-{pod_id[:8]}": failed to connect to '
        f'localhost:{port} inside namespace "{pod_id}", {error} '
    )


class PortForward:
    """One websocket that forwards to some ports of one pod."""

    def __init__(
        self,
        websocket: web.WebSocketResponse,
        pod: RunningPod,
        pod_id: str,
        ports: Sequence[int],
        faults: Faults,
    ) -> None:
        self._websocket = websocket
        self._pod = pod
        self._pod_id = pod_id
        self._ports = ports
        self._faults = faults
        loop = asyncio.get_running_loop()
        self._writers: Mapping[int, asyncio.Future[asyncio.StreamWriter | None]] = {
            2 * index: loop.create_future() for index in range(len(ports))
        }

    async def run(self) -> None:
        """Forward until the client closes the websocket or all ports have ended."""
        for index, port in enumerate(self._ports):
            for channel in (2 * index, 2 * index + 1):
                await self._send(channel, port.to_bytes(2, "little"))
        with contextlib.suppress(ConnectionError):
            async with asyncio.TaskGroup() as tasks:
                receiving = tasks.create_task(self._receive())
                async with asyncio.TaskGroup() as forwards:
                    for index, port in enumerate(self._ports):
                        forwards.create_task(self._forward(2 * index, port))
                receiving.cancel()
        await self._faults.gate()
        await self._websocket.close()

    async def _forward(self, channel: int, port: int) -> None:
        try:
            connection = await dial(self._pod, port)
        except OSError as error:
            self._writers[channel].set_result(None)
            await self._send(channel + 1, refusal_text(port, self._pod_id, error).encode())
            return
        reader, writer = await asyncio.open_connection(sock=connection)
        self._writers[channel].set_result(writer)
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(_CHUNK):
                    await self._send(channel, data)
        finally:
            writer.close()

    async def _receive(self) -> None:
        """Hand on what comes until the websocket closes, which ends all connections."""
        while (message := await self._websocket.receive()).type in (
            WSMsgType.BINARY,
            WSMsgType.PING,
            WSMsgType.PONG,
        ):
            await self._faults.gate()
            if message.type is WSMsgType.PING:
                await self._websocket.pong(message.data)
            elif message.type is WSMsgType.BINARY and message.data:
                await self._hand_on(message.data)
        for waiting in self._writers.values():
            if writer := await waiting:
                writer.close()

    async def _hand_on(self, data: bytes) -> None:
        waiting = self._writers.get(data[0])
        writer = await waiting if waiting else None
        if writer is not None:
            with contextlib.suppress(ConnectionError):
                writer.write(data[1:])
                await writer.drain()

    async def _send(self, channel: int, data: bytes) -> None:
        await self._faults.gate()
        await self._websocket.send_bytes(bytes((channel,)) + data)
