"""Peers on loopback that are no EPMD, or an EPMD of another kind, and waiting beside an event loop.

Tests run what blocks (real nodes, real tools) by ``asyncio.to_thread``, because an embedded EPMD
that it talks to lives in the event loop of the test.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


@asynccontextmanager
async def answering(reply: bytes, *, port: int = 0, then_close: bool) -> AsyncIterator[int]:
    """Listen on 127.0.0.1, answer the first bytes of each connection with ``reply``."""
    writers: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.read(1024)
        writer.write(reply)
        if then_close:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for writer in writers:
                writer.transport.abort()


async def until(condition: Callable[[], Awaitable[object]], what: str, seconds: float = 10) -> None:
    """Return as soon as ``condition`` holds; fail naming ``what`` after ``seconds``."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not await condition():
        assert loop.time() < end, f"after {seconds} s still not: {what}"
        await asyncio.sleep(0.02)
