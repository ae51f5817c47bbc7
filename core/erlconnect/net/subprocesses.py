"""Child processes: how one is started, watched and ended, and what is kept of its output.

``ChildProcess`` is the one class for all of them. The rest are its uses: ``child_output`` runs a
program to its end, ``guarded_child`` keeps one running that must not outlive this process,
``StdioChild`` is a program whose standard input and output are a stream. No shell takes part unless
the caller names one.

``asyncio.subprocess.Process`` is not used: it waits for the end of the pipes, which a grandchild
can hold open for ever, while the transport of ``loop.subprocess_exec`` can be closed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from erlconnect.net.sockets import set_within
from erlconnect.redaction import redact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence

MAX_OUTPUT_BYTES: Final = 65_536  # of each stream; the rest is read and dropped
GRACE_SECONDS: Final = 2.0  # between asking a child to end and killing it
DRAIN_SECONDS: Final = 1.0  # for output that a grandchild still holds back
_STDOUT: Final = 1
_STDERR: Final = 2
_LAST_OUTPUT_SECONDS: Final = 0.3  # for what a child writes while it ends
_STREAM_CHECK_SECONDS: Final = 0.3
_GUARDED_OUTPUT_BYTES: Final = 4000
_SHOWN_LINES: Final = 3
_STDIO_STDERR_BYTES: Final = 2000
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
Started = TypeVar("Started")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildConfig:
    """How a child is started, what is kept of its output, and how it is ended.

    The streams are as for ``subprocess.Popen``; ``None`` is this process's own. Of each pipe the
    first ``kept_bytes`` are kept, or the last ones with ``keeps_last``. ``own_session`` takes the
    child from our terminal, and ends with it what it has started. A child that writes ``ready``
    sets the event ``ready_or_exited``.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] | None = None
    stdin: int | None = DEVNULL
    stdout: int | None = PIPE
    stderr: int | None = PIPE
    own_session: bool = False
    kept_bytes: int = MAX_OUTPUT_BYTES
    keeps_last: bool = False
    ready: bytes = b""
    grace_seconds: float = GRACE_SECONDS


class ChildProcess(asyncio.SubprocessProtocol):
    """A child process, from its start until it is reaped."""

    def __init__(self, config: ChildConfig) -> None:
        """Use :meth:`start` or :func:`child_process`."""
        self.exited = asyncio.Event()
        self.finished = asyncio.Event()
        """The child has exited and nobody holds its pipes any more."""
        self.ready_or_exited = asyncio.Event()
        self._config = config
        self._written: dict[int, bytes] = {}
        self._transport: asyncio.SubprocessTransport

    @classmethod
    async def start(cls, config: ChildConfig) -> ChildProcess:
        """Start the program. Raises ``OSError``; cancelled, it leaves no child.

        The caller has to call ``end``, whether the child has exited or not.
        """
        starting = asyncio.get_running_loop().subprocess_exec(
            lambda: cls(config),
            *config.arguments,
            stdin=config.stdin,
            stdout=config.stdout,
            stderr=config.stderr,
            env=config.environment,
            start_new_session=config.own_session,
        )
        _, child = await started_whole(starting, lambda started: started[1].end())
        return child

    @property
    def status(self) -> int:
        """The exit status once it has exited; negative is the number of a signal."""
        return self._transport.get_returncode() or 0

    def output(self, stream: int = _STDOUT) -> bytes:
        """Return what was kept of stdout (1) or stderr (2)."""
        return self._written.get(stream, b"")

    async def exited_within(self, seconds: float) -> bool:
        """Wait for the exit, at most so long; return whether it has exited."""
        return await set_within(self.exited, seconds)

    def send_signal(self, number: int) -> None:
        """Send a signal to the child, and to all that it started where it has its own session."""
        # On macOS a group of which only zombies are left is not allowed to be signalled.
        with suppress(ProcessLookupError, PermissionError):
            if self._config.own_session:
                os.killpg(self._transport.get_pid(), number)
            elif not self.exited.is_set():
                # Not by the transport: before 3.13 it may reap the child first, and the exit
                # status would be lost.
                os.kill(self._transport.get_pid(), number)

    async def end(self) -> None:
        """Ask the child to end, kill it where it does not in time, and reap it.

        Cancelled, it kills the child at once.
        """
        try:
            self._ask_to_end()
            await set_within(self.exited, self._config.grace_seconds)
            await set_within(self.finished, _LAST_OUTPUT_SECONDS)
        finally:
            self.send_signal(signal.SIGKILL)
            await self._reap()

    def _ask_to_end(self) -> None:
        """Close the pipe of its standard input, where there is one; otherwise send SIGTERM."""
        if pipe := self._transport.get_pipe_transport(0):
            pipe.close()
        else:
            self.send_signal(signal.SIGTERM)

    async def _reap(self) -> None:
        try:
            # Before the transport is closed, which would take the status away (see send_signal).
            await self.exited.wait()
        finally:
            # A grandchild may hold the pipes; they are closed on this side.
            self._transport.close()
        await self.finished.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (called by asyncio)."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep the beginning or the end of the output (called by asyncio)."""
        size = self._config.kept_bytes
        written = self._written.get(fd, b"")
        if self._config.keeps_last:
            self._written[fd] = (written + data)[-size:]
        else:
            self._written[fd] = written + data[: size - len(written)]
        if self._config.ready and self._config.ready in self._written[fd]:
            self.ready_or_exited.set()

    def process_exited(self) -> None:
        """Set the events of the exit (called by asyncio)."""
        self.exited.set()
        self.ready_or_exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Set ``finished`` (called by asyncio when the pipes are closed, too)."""
        del exc
        self.finished.set()


@asynccontextmanager
async def child_process(config: ChildConfig) -> AsyncIterator[ChildProcess]:
    """Run a program; leaving the context ends it. Raises ``OSError``."""
    child = await ChildProcess.start(config)
    try:
        yield child
    finally:
        await child.end()


async def started_whole(
    starting: Coroutine[Any, Any, Started], end: Callable[[Started], Coroutine[Any, Any, None]]
) -> Started:
    """Return what ``starting`` starts.

    Where this is cancelled before, it is started all the same and ``end`` ends it. Raises what
    ``starting`` raises, such as ``OSError`` for a program that is not there.
    """
    # Before 3.11.4 Python never came back from the start of a process that was cancelled in the
    # middle; and a child that nobody waits for outlives its session.
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with suppress(OSError):
            # In a task of its own: before 3.11.4 a timeout in one that is being cancelled does not
            # work.
            await asyncio.ensure_future(end(await task))
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildOutput:
    """What a child wrote and the status it ended with; negative is the number of a signal."""

    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    status: int


async def child_output(
    arguments: Sequence[str],
    *,
    deadline: float,
    environment: Mapping[str, str] | None = None,
    own_session: bool = False,
    merged: bool = False,
) -> ChildOutput:
    """Run ``arguments`` with no input until it ends, ``deadline`` seconds at most.

    With ``own_session`` all that it has started ends with it; ``merged`` puts stderr into stdout.
    Raises ``OSError`` where it cannot be started and ``TimeoutError`` at the deadline. Then, and
    when cancelled, the child is asked to end, killed if it does not, and reaped.
    """
    config = ChildConfig(
        arguments=arguments,
        environment=environment,
        stderr=STDOUT if merged else PIPE,
        own_session=own_session,
        grace_seconds=GRACE_SECONDS,
    )
    async with asyncio.timeout(deadline), child_process(config) as child:
        await child.exited.wait()
        if own_session:
            # What is left of the session could hold the pipes open.
            child.send_signal(signal.SIGKILL)
        await set_within(child.finished, DRAIN_SECONDS)
    return ChildOutput(
        stdout=child.output(_STDOUT), stderr=child.output(_STDERR), status=child.status
    )


class GuardedChild:
    """A child that ends with this process, whatever ends it; use :func:`guarded_child`."""

    def __init__(self, child: ChildProcess) -> None:
        self.exited = child.exited
        self._child = child

    @property
    def last_output(self) -> str:
        """What it wrote last, on one line and without secrets; empty where it wrote nothing."""
        lines = redact(self._child.output().decode(errors="replace")).strip().splitlines()
        return " / ".join(line.strip() for line in lines[-_SHOWN_LINES:])

    async def ready_or_exited(self, seconds: float) -> None:
        """Wait until the child is ready or has exited, at most so long."""
        await set_within(self._child.ready_or_exited, seconds)

    async def exited_within(self, seconds: float) -> bool:
        """Wait for the exit, at most so long; return whether it has exited."""
        return await self._child.exited_within(seconds)


@asynccontextmanager
async def guarded_child(
    arguments: Sequence[str], environment: Mapping[str, str], *, ready: bytes
) -> AsyncIterator[GuardedChild]:
    """Run a program until the context is left; ``ready`` is what it writes when it is.

    Raises ``OSError``. A shell stands between: it ends the child when our end of a pipe closes,
    which it does even where this process is killed.
    """
    config = ChildConfig(
        arguments=["/bin/sh", "-c", _GUARD, "erlconnect-guard", *arguments],
        environment=environment,
        stdin=PIPE,
        stderr=STDOUT,
        # Ctrl-C is for the session, which ends its links before it ends this.
        own_session=True,
        kept_bytes=_GUARDED_OUTPUT_BYTES,
        keeps_last=True,
        ready=ready,
    )
    async with child_process(config) as child:
        yield GuardedChild(child)


class StdioChild:
    """A program whose standard input and output are one end of a socketpair.

    No byte of it passes through this process. ``stream`` is our end, which the caller owns.
    """

    def __init__(self, child: ChildProcess, program: str, stream: socket.socket) -> None:
        """Use :meth:`start`."""
        self.stream = stream
        self._child = child
        self._program = program

    @classmethod
    async def start(
        cls, arguments: Sequence[str], tasks: asyncio.TaskGroup, *, own_session: bool
    ) -> StdioChild:
        """Start the program; a task in ``tasks`` ends it when ``stream`` is closed.

        With ``own_session``, what the program starts is ended with it, at the price that none of it
        can ask for a password at the terminal. Raises ``OSError``; cancelled, it leaves nothing.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                config = ChildConfig(
                    arguments=arguments,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    own_session=own_session,
                    kept_bytes=_STDIO_STDERR_BYTES,
                    keeps_last=True,
                )
                child = await ChildProcess.start(config)
        except BaseException:
            ours.close()
            raise
        ours.setblocking(False)
        stdio = cls(child, arguments[0], ours)
        tasks.create_task(stdio._end_with_stream())
        return stdio

    @property
    def closed(self) -> bool:
        """Whether the program has ended and its stream is closed."""
        return self._child.finished.is_set() and self.stream.fileno() < 0

    @property
    def end_text(self) -> str:
        """How it ended and what it said on stderr, without secrets."""
        status = self._child.status
        how = f"signal {-status}" if status < 0 else f"exit code {status}"
        said = redact(self._child.output(_STDERR).decode(errors="replace").strip())
        return f"{self._program} ended with {how}" + (f": {said}" if said else "")

    async def finished_within(self, seconds: float) -> bool:
        """Wait for its end, at most so long; return whether it has ended."""
        return await set_within(self._child.finished, seconds)

    def close(self) -> None:
        """Close the stream; the program is ended in the background."""
        # The relay's threads wait in calls that a close alone would not end.
        with suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)
        self.stream.close()

    async def _end_with_stream(self) -> None:
        """Wait until the program exits, or until its stream is closed, and leave nothing of it."""
        try:
            # The owner of the stream closes it, and there is no event for that.
            while not (self._child.exited.is_set() or self.stream.fileno() < 0):
                await self._child.exited_within(_STREAM_CHECK_SECONDS)
        finally:
            await self._child.end()
