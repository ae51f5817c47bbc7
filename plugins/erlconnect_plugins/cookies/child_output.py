"""Runs a program to its end and keeps what it wrote, within bounds.

Knows how a child is started without a shell, ended and reaped. Refuses to know what its output
means. Built on ``loop.subprocess_exec``, whose transport can be closed while a grandchild still
holds the pipes; ``asyncio.subprocess.Process`` cannot.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from erlconnect.api import set_within, started_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_OUTPUT_BYTES: Final = 65_536  # of each stream; the rest is read and dropped
GRACE_SECONDS: Final = 2.0  # between asking a child to end and ending it
DRAIN_SECONDS: Final = 1.0  # for output that a grandchild still holds back

_STDOUT: Final = 1
_STDERR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildOutput:
    """What a child wrote and the status it ended with; negative is the number of a signal."""

    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    status: int


class _Collector(asyncio.SubprocessProtocol):
    def __init__(self) -> None:
        self.written = {_STDOUT: bytearray(), _STDERR: bytearray()}
        self.exited = asyncio.Event()
        self.finished = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        room = MAX_OUTPUT_BYTES - len(self.written[fd])
        self.written[fd] += data[:room]

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.finished.set()


async def child_output(arguments: Sequence[str], *, deadline: float) -> ChildOutput:
    """Run ``arguments`` with no input until it ends, ``deadline`` seconds at most.

    Raises ``OSError`` where it cannot be started and ``TimeoutError`` at the deadline. Then, and
    when cancelled, the child is asked to end, killed if it does not, and reaped.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(deadline):
        starting = loop.subprocess_exec(_Collector, *arguments, stdin=asyncio.subprocess.DEVNULL)
        transport, collector = await started_whole(starting, lambda pair: _end(*pair))
        try:
            await collector.exited.wait()
            await set_within(collector.finished, DRAIN_SECONDS)
        finally:
            await _end(transport, collector)
    return ChildOutput(
        stdout=bytes(collector.written[_STDOUT]),
        stderr=bytes(collector.written[_STDERR]),
        status=transport.get_returncode() or 0,
    )


async def _end(transport: asyncio.SubprocessTransport, collector: _Collector) -> None:
    try:
        if not collector.exited.is_set():
            with suppress(ProcessLookupError):
                transport.terminate()
            await set_within(collector.exited, GRACE_SECONDS)
    finally:
        # Kills a child that is still there; the loop reaps it.
        transport.close()
        await collector.finished.wait()
