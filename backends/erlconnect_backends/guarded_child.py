"""A child process that does not outlive this one, whatever ends it.

A shell stands between: it ends the child when our end of a pipe closes, which it does even where
this process is killed. Refuses to know what the child is for.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from erlconnect.api import redact, set_within, started_whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

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
