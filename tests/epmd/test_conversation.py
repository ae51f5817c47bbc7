from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from erlconnect.epmd.conversation import Conversation
from erlconnect.epmd.requests import NamesRequest

if TYPE_CHECKING:
    import pytest


async def _conversation() -> tuple[Conversation, socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    async def dial() -> socket.socket:
        return ours

    return await Conversation.begin(dial), ours, theirs


async def test_the_end_waits_until_the_epmd_has_seen_it() -> None:
    conversation, ours, theirs = await _conversation()
    async with asyncio.TaskGroup() as tasks:
        ending = tasks.create_task(conversation.end())
        assert await asyncio.get_running_loop().sock_recv(theirs, 1) == b""
        assert not ending.done()
        theirs.close()
    await asyncio.sleep(0)
    assert ours.fileno() == -1


async def test_the_end_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlconnect.epmd.conversation._GOODBYE_SECONDS", 0.05)
    conversation, ours, theirs = await _conversation()
    await conversation.end()
    await asyncio.sleep(0)
    assert ours.fileno() == -1
    theirs.close()


async def test_ending_twice_does_nothing() -> None:
    conversation, _, theirs = await _conversation()
    theirs.close()
    await conversation.end()
    await conversation.end()


async def test_silence_ends_when_the_other_side_does() -> None:
    conversation, _, theirs = await _conversation()
    async with asyncio.TaskGroup() as tasks:
        silence = tasks.create_task(conversation.silence())
        await asyncio.get_running_loop().sock_sendall(theirs, b"noise is ignored")
        await asyncio.sleep(0)
        assert not silence.done()
        theirs.close()
    conversation.abort()


async def test_a_whole_listing_is_read_to_its_end() -> None:
    conversation, _, theirs = await _conversation()
    await conversation.send(NamesRequest())
    loop = asyncio.get_running_loop()
    assert await loop.sock_recv(theirs, 10) == b"\0\1n"
    await loop.sock_sendall(theirs, b"\0\0\x11\x11")
    theirs.close()
    assert await conversation.until_end() == b"\0\0\x11\x11"
    conversation.abort()


async def test_cancelled_while_it_begins_it_leaves_no_socket() -> None:
    ours, theirs = socket.socketpair()

    async def dial() -> socket.socket:
        return ours

    async with asyncio.TaskGroup() as tasks:
        beginning = tasks.create_task(Conversation.begin(dial))
        await asyncio.sleep(0)
        assert not beginning.done()
        beginning.cancel()
    assert ours.fileno() == -1
    theirs.close()
