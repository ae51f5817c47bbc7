"""One program whose standard input and output are a stream, from its start to its reaping."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from erlconnect.api import redact, set_within, started_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOOK_SECONDS: Final = 0.3
_GRACE_SECONDS: Final = 2.0
_KEPT_BYTES: Final = 2000


class _Watcher(asyncio.SubprocessProtocol):
    """Keeps the end of what the program says on stderr, and notices when it exits."""

    def __init__(self) -> None:
        self.said = b""
        self.exited = asyncio.Event()
        self.finished = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        del fd  # stderr is the only pipe
        self.said = (self.said + data)[-_KEPT_BYTES:]

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.finished.set()


class StdioChild:
    """A running program. ``stream`` is our end of the socketpair; whoever dials owns it."""

    def __init__(
        self,
        program: str,
        transport: asyncio.SubprocessTransport,
        watcher: _Watcher,
        stream: socket.socket,
    ) -> None:
        """Use :meth:`start`."""
        self.stream = stream
        self._program = program
        self._transport = transport
        self._watcher = watcher
        self._unwanted = False
        self._group = 0

    @classmethod
    async def start(
        cls, arguments: Sequence[str], keepers: asyncio.TaskGroup, *, group: bool
    ) -> StdioChild:
        """Start the program; a task in ``keepers`` reaps it. Raises ``OSError``.

        With ``group``, what the program starts is ended with it, at the price that none of it can
        ask for a password at the terminal.
        """
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                starting = loop.subprocess_exec(
                    _Watcher,
                    *arguments,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    process_group=0 if group else None,
                )
                transport, watcher = await started_whole(starting, _killed)
        except BaseException:
            ours.close()
            raise
        ours.setblocking(False)
        child = cls(arguments[0], transport, watcher, ours)
        child._group = transport.get_pid() if group else 0
        keepers.create_task(child._keep())
        return child

    @property
    def over(self) -> bool:
        """Whether the program has ended and nobody holds its stream."""
        return self._watcher.finished.is_set() and self.stream.fileno() < 0

    @property
    def words(self) -> str:
        """How it ended and what it said on stderr, without secrets."""
        code = self._transport.get_returncode()
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        said = redact(self._watcher.said.decode(errors="replace").strip())
        return f"{self._program} ended with {how}" + (f": {said}" if said else "")

    async def ended_within(self, seconds: float) -> bool:
        """Wait for its end, at most so long."""
        return await set_within(self._watcher.finished, seconds)

    def end(self) -> None:
        """Close the stream and have the program ended."""
        self._unwanted = True
        # The relay's threads wait in calls that a close alone would not end.
        with suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)
        self.stream.close()

    async def _keep(self) -> None:
        """Wait until it exits, or until its stream is closed, and leave nothing of it."""
        try:
            while not (self._watcher.exited.is_set() or self._unwanted or self.stream.fileno() < 0):
                await set_within(self._watcher.exited, _LOOK_SECONDS)
            self._signal(signal.SIGTERM)
            await set_within(self._watcher.exited, _GRACE_SECONDS)
            # What it said last; a grandchild may hold stderr open for ever.
            await set_within(self._watcher.finished, _LOOK_SECONDS)
        finally:
            self._signal(signal.SIGKILL)
            await _killed((self._transport, self._watcher))

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if self._group:
                os.killpg(self._group, number)
            elif not self._watcher.exited.is_set():
                self._transport.send_signal(number)


async def _killed(running: tuple[asyncio.SubprocessTransport, _Watcher]) -> None:
    transport, watcher = running
    transport.close()
    await watcher.finished.wait()
