"""The start of a child process, which no cancellation may cut in two.

Before 3.11.4 Python never came back from a start that was cancelled in the middle; and a child
that nobody waits for outlives its session.

A child process that does not outlive this one, whatever ends it.

A shell stands between: it ends the child when our end of a pipe closes, which it does even where
this process is killed. Refuses to know what the child is for.

Runs a program to its end and keeps what it wrote, within bounds.

Knows how a child is started without a shell, ended and reaped. Refuses to know what its output
means. Built on ``loop.subprocess_exec``, whose transport can be closed while a grandchild still
holds the pipes; ``asyncio.subprocess.Process`` cannot.

One program whose standard input and output are a stream, from its start to its reaping.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from erlconnect.net.sockets import set_within
from erlconnect.redaction import redact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence

Started = TypeVar("Started")


async def started_whole(
    starting: Coroutine[Any, Any, Started], end: Callable[[Started], Coroutine[Any, Any, None]]
) -> Started:
    """Return what ``starting`` starts.

    Where this is cancelled before, it is started all the same and ``end`` ends it. Raises what
    ``starting`` raises, such as ``OSError`` for a program that is not there.
    """
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with suppress(OSError):
            # In a task of its own: a timeout in one that is being cancelled does not work there.
            await asyncio.ensure_future(end(await task))
        raise


_GRACE_SECONDS: Final = 2.0
_KEPT_BYTES: Final = 4000
_SHOWN_LINES: Final = 3
# $@ is the program. Its standard input is not the pipe, which a job in the background reads.
_GUARD: Final = """
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
{ read -r _ <&3; kill "$child"; } 2>/dev/null &
guard=$!
exec 3<&-
wait "$child"
code=$?
kill "$guard" 2>/dev/null
exit "$code"
"""


class GuardedChild(asyncio.SubprocessProtocol):
    """Keeps the end of what the child says, and notices its exit."""

    def __init__(self, ready: bytes) -> None:
        """Use :func:`guarded_child`; ``ready`` is what the child says when it is."""
        self.exited = asyncio.Event()
        self._ready = ready
        self._ready_or_over = asyncio.Event()
        self._finished = asyncio.Event()
        self._said = b""

    @property
    def last_words(self) -> str:
        """What it said last, on one line and without secrets; empty where it said nothing."""
        lines = redact(self._said.decode(errors="replace")).strip().splitlines()
        return " / ".join(line.strip() for line in lines[-_SHOWN_LINES:])

    async def ready_or_over(self, seconds: float) -> None:
        """Wait until the child is ready or has exited, at most so long."""
        await set_within(self._ready_or_over, seconds)

    async def exited_within(self, seconds: float) -> bool:
        """Wait for the exit, at most so long."""
        return await set_within(self.exited, seconds)

    async def end(self, transport: asyncio.SubprocessTransport) -> None:
        """Close the pipe, kill what does not go then, and reap it."""
        if pipe := transport.get_pipe_transport(0):
            pipe.close()
        try:
            await set_within(self.exited, _GRACE_SECONDS)
        finally:
            if not self.exited.is_set():
                with suppress(ProcessLookupError):
                    os.killpg(transport.get_pid(), signal.SIGKILL)
            transport.close()
        await self._finished.wait()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep what came last, of standard output and error alike."""
        del fd
        self._said = (self._said + data)[-_KEPT_BYTES:]
        if self._ready in self._said:
            self._ready_or_over.set()

    def process_exited(self) -> None:
        """Notice it."""
        self.exited.set()
        self._ready_or_over.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Notice that nothing more will come."""
        del exc
        self._finished.set()


@asynccontextmanager
async def guarded_child(
    arguments: Sequence[str], environment: Mapping[str, str], *, ready: bytes
) -> AsyncIterator[GuardedChild]:
    """Run a program until the context is left."""
    starting = _start(arguments, environment, ready)
    transport, child = await started_whole(starting, lambda pair: pair[1].end(pair[0]))
    try:
        yield child
    finally:
        await child.end(transport)


async def _start(
    arguments: Sequence[str], environment: Mapping[str, str], ready: bytes
) -> tuple[asyncio.SubprocessTransport, GuardedChild]:
    return await asyncio.get_running_loop().subprocess_exec(
        lambda: GuardedChild(ready),
        *("/bin/sh", "-c", _GUARD, "erlconnect-guard", *arguments),
        env=environment,
        # Ctrl-C is for the session, which ends its links before it ends this.
        start_new_session=True,
    )


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


_LOOK_SECONDS: Final = 0.3
_KEPT_STDERR_BYTES: Final = 2000


class _StdioProtocol(asyncio.SubprocessProtocol):
    """Keeps the end of what the program says on stderr, and notices when it exits."""

    def __init__(self) -> None:
        self.said = b""
        self.exited = asyncio.Event()
        self.finished = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        del fd  # stderr is the only pipe
        self.said = (self.said + data)[-_KEPT_STDERR_BYTES:]

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
        watcher: _StdioProtocol,
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
                    _StdioProtocol,
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


async def _killed(running: tuple[asyncio.SubprocessTransport, _StdioProtocol]) -> None:
    transport, watcher = running
    transport.close()
    await watcher.finished.wait()
