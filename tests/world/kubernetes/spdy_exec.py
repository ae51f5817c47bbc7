"""Exec over SPDY streams: one for stdin, each output and the Status at the end."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

from world.kubernetes.exec_command import Execution, Running
from world.kubernetes.spdy_session import Pipe, SpdySession, SpdyStream

if TYPE_CHECKING:
    from world.kubernetes.pods import RunningPod

PROTOCOL: Final = "v4.channel.k8s.io"
_OUTPUTS: Final = ("stdin", "stdout", "stderr", "error")  # by the numbers of their channels


class SpdyExec:
    """One execution; begins when the client has opened all streams that it asked for."""

    def __init__(self, pipe: Pipe, pod: RunningPod, asked: Execution) -> None:
        self._session = SpdySession(pipe, self._opened)
        self._running = Running(pod, asked, self._send)
        self._awaited = {"error"} | {word for word in _OUTPUTS[:3] if getattr(asked, word)}
        self._streams: dict[str, SpdyStream] = {}
        self._complete = asyncio.Event()

    async def run(self) -> None:
        """Run until the process has ended or the client has gone."""
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self._run())
            serving = tasks.create_task(self._session.run())
            await asyncio.wait([running, serving], return_when=asyncio.FIRST_COMPLETED)
            running.cancel()
            serving.cancel()

    def _opened(self, stream: SpdyStream) -> None:
        name = stream.headers.get("streamtype", "")
        self._streams[name] = stream
        if name == "stdin":
            stream.receiver = self._running
        if self._awaited <= self._streams.keys():
            self._complete.set()

    async def _run(self) -> None:
        await self._complete.wait()
        outcome = await self._running.run()
        await self._streams["error"].send(json.dumps(outcome).encode())
        for stream in self._streams.values():
            await stream.end()

    async def _send(self, channel: int, data: bytes) -> None:
        await self._streams[_OUTPUTS[channel]].send(data)
