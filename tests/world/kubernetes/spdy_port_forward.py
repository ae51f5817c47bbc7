"""Port-forward over SPDY streams, as kubectl speaks it: a pair of streams for each connection.

The error stream comes first, then the data stream; their headers bear the same ``requestid``. A
direction ends by itself, so unlike over channels half-closed connections work.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from world.kubernetes.pod_connections import PodConnection, refusal_text
from world.kubernetes.spdy_session import Pipe, SpdySession, SpdyStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from world.kubernetes.pods import RunningPod

PROTOCOL: Final = "portforward.k8s.io"
WEBSOCKET_PROTOCOL: Final = f"SPDY/3.1+{PROTOCOL}"  # of a websocket around the streams


class SpdyPortForward:
    """All forwards of one client to one pod."""

    def __init__(self, pipe: Pipe, runs: Callable[[], RunningPod | None], pod_id: str) -> None:
        """``runs`` gives the pod as long as it is there, which is asked for each connection."""
        self._session = SpdySession(pipe, self._opened)
        self._runs = runs
        self._pod_id = pod_id
        self._errors: dict[str, SpdyStream] = {}
        self._tasks = asyncio.TaskGroup()

    async def run(self) -> None:
        """Forward until the client closes."""
        async with self._tasks:
            await self._session.run()

    def _opened(self, stream: SpdyStream) -> None:
        request = stream.headers.get("requestid", "")
        if stream.headers.get("streamtype") == "error":
            self._errors[request] = stream
            return
        error_stream = self._errors.pop(request)
        if pod := self._runs():
            connection = PodConnection(pod, int(stream.headers["port"]))
            stream.receiver = connection
            self._tasks.create_task(self._forward(stream, error_stream, connection))
        else:
            self._tasks.create_task(self._refuse(stream, error_stream))

    async def _forward(
        self, stream: SpdyStream, error_stream: SpdyStream, connection: PodConnection
    ) -> None:
        try:
            await connection.run(stream.send)
        except OSError as error:
            text = refusal_text(connection.port, self._pod_id, error)
            await error_stream.send(text.encode())
        await error_stream.end()
        await stream.end()

    async def _refuse(self, stream: SpdyStream, error_stream: SpdyStream) -> None:
        text = f'failed to find sandbox "{self._pod_id}" in store: not found'
        await error_stream.send(f"error forwarding port: {text}".encode())
        await error_stream.end()
        await stream.end()
