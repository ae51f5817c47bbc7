"""One program whose standard input and output are a stream, from its start to its reaping."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from erlconnect.api import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOOK_SECONDS: Final = 0.3
_GRACE_SECONDS: Final = 2.0
_KEPT_BYTES: Final = 2000


class StdioChild:
    """A running program. ``stream`` is our end of the socketpair; whoever dials owns it."""

    def __init__(
        self, program: str, process: asyncio.subprocess.Process, stream: socket.socket
    ) -> None:
        """Use :meth:`start`."""
        self.stream = stream
        self._program = program
        self._process = process
        self._said = b""
        self._ended = asyncio.Event()
        self._unwanted = asyncio.Event()

    @classmethod
    async def start(cls, arguments: Sequence[str], keepers: asyncio.TaskGroup) -> StdioChild:
        """Start the program; a task in ``keepers`` reaps it. Raises ``OSError``."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *arguments,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=asyncio.subprocess.PIPE,
                )
        except BaseException:
            ours.close()
            raise
        ours.setblocking(False)
        child = cls(arguments[0], process, ours)
        keepers.create_task(child._keep())
        return child

    @property
    def over(self) -> bool:
        """Whether the program was reaped and nobody holds its stream."""
        return self._ended.is_set() and self.stream.fileno() < 0

    @property
    def words(self) -> str:
        """How it ended and what it said on stderr, without secrets."""
        code = self._process.returncode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        said = redact(self._said.decode(errors="replace").strip())
        return f"{self._program} ended with {how}" + (f": {said}" if said else "")

    async def ended_within(self, seconds: float) -> bool:
        """Wait for its end, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        return self._ended.is_set()

    def end(self) -> None:
        """Close the stream and have the program ended."""
        self._unwanted.set()
        # The relay's threads wait in calls that a close alone would not end.
        with suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)
        self.stream.close()

    async def _keep(self) -> None:
        """Read its stderr, end it when its stream is closed, and reap it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read_stderr())
                await self._until_unwanted()
                await self._stop()
                # A grandchild may hold stderr open for ever.
                await asyncio.wait([reading], timeout=_LOOK_SECONDS)
                reading.cancel()
                self._ended.set()
        finally:
            self._ended.set()
            if self._process.returncode is None:
                self._process.kill()

    async def _until_unwanted(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            exited = tasks.create_task(self._process.wait())
            while not (exited.done() or self._unwanted.is_set() or self.stream.fileno() < 0):
                await asyncio.wait([exited], timeout=_LOOK_SECONDS)
            exited.cancel()

    async def _stop(self) -> None:
        with suppress(ProcessLookupError, TimeoutError):
            if self._process.returncode is None:
                self._process.terminate()
            async with asyncio.timeout(_GRACE_SECONDS):
                await self._process.wait()
        with suppress(ProcessLookupError):
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()

    async def _read_stderr(self) -> None:
        assert self._process.stderr  # noqa: S101 - it was asked for
        while piece := await self._process.stderr.read(_KEPT_BYTES):
            self._said = (self._said + piece)[-_KEPT_BYTES:]
