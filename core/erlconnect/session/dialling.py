"""One dial within what is left of a deadline, and one question to a remote epmd."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from erlconnect.epmd.client import names as epmd_names
from erlconnect.errors import EpmdError, UnreachableError
from erlconnect.proxy.refusals import no_connection

if TYPE_CHECKING:
    import socket

    from erlconnect.api import Dialer


async def registered(dialer: Dialer, port: int, where: str, until: float) -> dict[str, int]:
    """Ask a remote epmd for all its names and their ports."""
    try:
        reply = await epmd_names(
            lambda: dialled(dialer, port, where, until),
            where=where,
            seconds=seconds_until(until),
        )
    except UnreachableError as error:
        raise EpmdError(
            f"{where} could not be asked: {error.message}",
            remedy=f"{error.remedy} If the ports differ from the usual ones, name the node's with "
            "`-o dist-port=`, or epmd's with `-o epmd-port=`.",
        ) from error
    return dict(reply.nodes)


async def dialled(dialer: Dialer, port: int, where: str, until: float) -> socket.socket:
    """Dial, until ``until`` at the latest. Raises ``TimedOutError`` and what the dialer raises."""
    seconds = seconds_until(until)
    try:
        async with asyncio.timeout(seconds):
            return await dialer.dial(port)
    except TimeoutError as error:
        raise no_connection(where, seconds) from error


def seconds_until(until: float) -> float:
    """Give what is left: each step has its own deadline, so that it can say what it waited for."""
    return max(0.0, until - asyncio.get_running_loop().time())


def seconds_from_now(seconds: float) -> float:
    """Give the deadline that ``dialled`` takes."""
    return asyncio.get_running_loop().time() + seconds
