"""How many local connections an alias takes, and what becomes of the rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from erlconnect.proxy import listener as module
from erlconnect.proxy.listener import Listener

if TYPE_CHECKING:
    import socket

    import pytest

SECONDS = 10


async def connect(port: int, host: str = "127.0.0.1") -> bytes:
    """Connect, and give what comes: an empty text is an end at once."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        async with asyncio.timeout(SECONDS):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_beyond_its_bound_a_connection_is_closed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 3, raising=False)
    leave = asyncio.Event()
    came: asyncio.Queue[None] = asyncio.Queue()
    refusals: list[None] = []

    async def handle(local: socket.socket) -> None:
        came.put_nowait(None)
        await leave.wait()
        await asyncio.get_running_loop().sock_sendall(local, b"served")

    listener = Listener()
    listener.on_refusal = lambda: refusals.append(None)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(listener.serve(handle))
        held = [group.create_task(connect(listener.port)) for _ in range(3)]
        async with asyncio.timeout(SECONDS):
            for _ in held:
                await came.get()
        assert await connect(listener.port) == b""
        assert await connect(listener.port) == b""
        assert (came.qsize(), len(refusals)) == (0, 1)
        leave.set()
        assert [await one for one in held] == [b"served"] * 3
        assert await connect(listener.port) == b"served"
        serving.cancel()
    listener.close()
