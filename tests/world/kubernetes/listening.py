"""The listening side of the API server double: an event loop in a thread, TLS, connections.

Knows nothing of what is answered.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import web
from world.kubernetes.raw_upgrades import UpgradingServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine

_SECONDS: Final = 20
_LAST_WORDS_SECONDS: Final = 0.01  # in which connections that were closed let go of their sockets


class Handler(Protocol):
    """Answers requests in the event loop that it was made in."""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to one request."""

    def close(self) -> None:
        """Give back what is held beside the connections."""


class Listener:
    """Serves what ``make_handler`` makes, on one port of 127.0.0.1."""

    def __init__(
        self,
        port: int,
        context: ssl.SSLContext,
        make_handler: Callable[[], Handler],
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._port = port
        self._context = context
        self._make_handler = make_handler
        self._handler: Handler | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="kubernetes-api")

    def start(self) -> None:
        """Start the thread, and listen."""
        self._thread.start()
        self._do(self._set_up())
        self.open()

    def close(self) -> None:
        """Drop what there is and end the thread."""
        self.shut()
        self._do(self._tear_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()

    def open(self) -> None:
        """Listen; the port is always the same."""
        self._do(self._open())

    def shut(self) -> None:
        """Stop listening, and reset every connection."""
        self._do(self._shut())

    def cut(self) -> None:
        """Reset every connection, and go on listening."""
        self._do(self._cut())

    async def _set_up(self) -> None:
        self._handler = self._make_handler()
        server = UpgradingServer(self._handler, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server)
        await self._runner.setup()

    async def _tear_down(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
        assert self._handler is not None
        self._handler.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*left, return_exceptions=True), _SECONDS)
        await self._loop.shutdown_default_executor()
        await asyncio.sleep(_LAST_WORDS_SECONDS)

    async def _open(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._context)
        await self._site.start()

    async def _shut(self) -> None:
        if self._site is not None:
            await self._site.stop()
            self._site = None
        await self._cut()

    async def _cut(self) -> None:
        assert self._runner is not None
        server = self._runner.server
        assert server is not None
        for connection in list(server.connections):
            reset(connection.transport)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)


def reset(transport: asyncio.BaseTransport | None) -> None:
    """Close a connection by RST, without a word of TLS."""
    if not isinstance(transport, asyncio.Transport):
        return
    if not transport.is_closing():  # one that is has no socket to ask any more
        lingering = struct.pack("ii", 1, 0)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
    with suppress(AttributeError):  # Python 3.11.2 lets go of one that was closed, and says so
        transport.abort()
