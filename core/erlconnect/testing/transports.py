"""The checks of a transport: bytes go to a real server and come back."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Final

from erlconnect.errors import UnreachableError
from erlconnect.testing.kit import (
    DEADLINE_SECONDS,
    cancelled_early,
    demand,
    nothing_left,
    refusal,
    ungrouped,
    within,
)

if TYPE_CHECKING:
    from erlconnect.contract import Dialer, Target, Transport

_CLOSED_SECONDS: Final = 5.0
_MANY_BYTES: Final = 1024 * 1024
_PIECE_BYTES: Final = 65536


async def check_transport(
    transport: Transport, target: Target, *, port: int, closed_port: int
) -> None:
    """Check a transport to ``target``, where a server on ``port`` sends back what it gets.

    That server has to close a connection when its client does. Nobody may listen on
    ``closed_port``. Cancelled, it leaves behind what ``transport`` leaves.
    """
    async with nothing_left("open() and dial()"), transport.open(target) as dialer:
        await _check_echo(dialer, port)
        await _check_two_at_once(dialer, port)
        await refusal(
            _dial_and_close(dialer, closed_port),
            (UnreachableError,),
            "dial() to a port where nobody listens",
            _CLOSED_SECONDS,
        )
        await cancelled_early(lambda: _dial_and_close(dialer, port), "dial()")
    await _check_opened_twice(transport, target, port)
    await _check_callers_error(transport, target, port)

    async def warm_up() -> None:
        async with transport.open(target) as dialer:
            await _dial_and_close(dialer, port)

    await cancelled_early(warm_up, "open()")


async def _check_echo(dialer: Dialer, port: int) -> None:
    with closing(await _dialled(dialer, port)) as connection:
        # A single byte must not wait for more; the others take more than one read.
        for size in (1, _PIECE_BYTES + 1, _MANY_BYTES):
            await _echoed(connection, random.randbytes(size))  # noqa: S311 - any bytes will do


async def _check_two_at_once(dialer: Dialer, port: int) -> None:
    with (
        closing(await _dialled(dialer, port)) as one,
        closing(await _dialled(dialer, port)) as other,
    ):
        # The later one first: no connection may wait for another.
        await _echoed(other, b"other")
        await _echoed(one, b"one")


async def _check_opened_twice(transport: Transport, target: Target, port: int) -> None:
    what = "a transport that was opened twice at the same time"
    async with nothing_left(what), transport.open(target) as outer:
        async with transport.open(target) as inner:
            await _dial_and_close(inner, port)
        await _check_echo(outer, port)


async def _check_callers_error(transport: Transport, target: Target, port: int) -> None:
    raised = UnreachableError("an error of the caller's own", remedy="")
    came: Exception | None = None
    try:
        async with nothing_left("open()"), transport.open(target) as dialer:
            await _dial_and_close(dialer, port)
            raise raised  # noqa: TRY301 - it has to pass through open()
    except Exception as error:  # noqa: BLE001 - whatever became of it
        came = error
    demand(came is raised, f"open() must let its caller's error through, not {came!r}")


async def _dial_and_close(dialer: Dialer, port: int) -> socket.socket:
    connection = await dialer.dial(port)
    connection.close()
    return connection


async def _dialled(dialer: Dialer, port: int) -> socket.socket:
    connection = await within(dialer.dial(port), "dial()", DEADLINE_SECONDS)
    try:
        _check_connection(connection)
    except AssertionError:
        connection.close()
        raise
    return connection


def _check_connection(connection: socket.socket) -> None:
    demand(
        type(connection) is socket.socket,
        f"dial() must give a plain socket.socket, not {type(connection).__name__}",
    )
    demand(connection.type == socket.SOCK_STREAM, "dial() must give a stream socket")
    demand(not connection.getblocking(), "dial() must give a non-blocking socket")
    try:
        connection.getpeername()
    except OSError as error:
        raise AssertionError("dial() must give a connected socket") from error


async def _echoed(connection: socket.socket, content: bytes) -> None:
    loop = asyncio.get_running_loop()
    what = f"an echo of {len(content)} bytes"
    with ungrouped():
        async with asyncio.TaskGroup() as group:
            # While the answer is read: else both sides would stop when their buffers are full.
            group.create_task(loop.sock_sendall(connection, content))
            back = await within(_received(connection, len(content)), what, DEADLINE_SECONDS)
    demand(back == content, f"{what} must come back as it was sent")


async def _received(connection: socket.socket, length: int) -> bytes:
    loop = asyncio.get_running_loop()
    received = bytearray()
    while len(received) < length:
        # Not ``receive_exactly``: bytes that nobody has sent have to be seen, too.
        piece = await loop.sock_recv(connection, _PIECE_BYTES)
        demand(piece, f"the connection ended after {len(received)} of {length} bytes")
        received += piece
    return bytes(received)
