"""Exec over a websocket with the subprotocol ``v4.channel.k8s.io`` or ``v5.channel.k8s.io``.

Channels: 0 stdin, 1 stdout, 2 stderr, 3 a Status at the end, 4 the terminal's size, which nobody
has here. The only thing that is new in v5 is the message 255, 0: the end of stdin.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

from world.kubernetes.exec_command import ERROR, STDIN, STDOUT, Execution, Running

if TYPE_CHECKING:
    from world.kubernetes.pods import RunningPod
    from world.kubernetes.websockets import Websocket

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_END_OF_STDIN: Final = bytes((255, STDIN))


class WebsocketExec:
    """One execution over one websocket."""

    def __init__(self, websocket: Websocket, pod: RunningPod, asked: Execution) -> None:
        self._websocket = websocket
        self._running = Running(pod, asked, self._send)

    async def run(self) -> None:
        """Run until the process has ended or the client has gone."""
        await self._send(STDOUT, b"")  # tells the client that the connection stands
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self._run())
            receiving = tasks.create_task(self._receive(running))
            await asyncio.wait([running])
            receiving.cancel()
        await self._websocket.close()

    async def _run(self) -> None:
        outcome = await self._running.run()
        await self._send(ERROR, json.dumps(outcome).encode())

    async def _receive(self, running: asyncio.Task[None]) -> None:
        async for message in self._websocket.messages():
            if message == _END_OF_STDIN and self._websocket.protocol == PROTOCOLS[0]:
                await self._running.end_input()
            elif message[:1] == bytes((STDIN,)):
                await self._running.feed(message[1:])
        running.cancel()

    async def _send(self, channel: int, data: bytes) -> None:
        await self._websocket.send(bytes((channel,)) + data)
