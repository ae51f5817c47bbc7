"""One connection as a hidden node: signals to the node, and what comes back to our processes.

Our processes are identifiers and no more: a message to one goes to its handler. All handlers run
in the task that reads, so a handler must not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from erlconnect.distribution.control_messages import (
    Assembler,
    LinkExit,
    MessageTo,
    MonitorRequest,
    SpawnReply,
    UnlinkRequest,
    frame_body,
    monitor_exit,
    parse_control,
    unlink_acknowledgement,
)
from erlconnect.distribution.errors import MessageTooLongError, RemoteProtocolError
from erlconnect.distribution.etf import Pid, Reference
from erlconnect.distribution.flags import CLIENT_FLAGS, DistributionFlag
from erlconnect.distribution.rpc import CREATION, TICK
from erlconnect.errors import (
    AnswerTooLargeError,
    ErlconnectError,
    NotDistributionError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from erlconnect.distribution.control_messages import Signal
    from erlconnect.distribution.etf import Term
    from erlconnect.proxy.node_client import NodeClient

LONGEST_MESSAGE: Final = 64 * 1024 * 1024
"""Bytes of the longest message that is taken: an answer, or one piece of output."""
MAX_FRAME: Final = LONGEST_MESSAGE + 1024 * 1024
CLAIMED_FLAGS: Final = CLIENT_FLAGS
# Erlang ticks four times in net_ticktime, which is 60 s unless somebody set it; the shortest that
# is in use is 4 s. Each tick of the node is answered by one besides.
_TICK_SECONDS: Final = 1.0


class NodeConnection:
    """Use :func:`node_connection`; ``node`` is the name of the node as it said it."""

    def __init__(self, own: NodeClient, node: str) -> None:
        self._own = own
        self.node = node
        self._header = bool(own.flags & DistributionFlag.FRAGMENTS)
        self._assembler = Assembler(LONGEST_MESSAGE)
        self._numbers = 0
        self._handlers: dict[Pid, Callable[[Term], None]] = {}
        self._awaited: dict[Reference | Pid, asyncio.Future[Term]] = {}
        self._sending = asyncio.Lock()
        self._lost: ErlconnectError | None = None

    @property
    def where(self) -> str:
        """Name the node in messages."""
        return self._own.where

    @property
    def spawns(self) -> bool:
        """Whether the node understands spawn requests, as OTP does from release 23 on."""
        return bool(self._own.flags & DistributionFlag.SPAWN)

    def new_pid(self, handler: Callable[[Term], None] | None = None) -> Pid:
        """Return the identifier of a new process of ours; ``handler`` gets its messages.

        Without one, its first message is its ``outcome``.
        """
        self._numbers += 1
        pid = Pid(node=self._own.caller_name, id=self._numbers, serial=0, creation=CREATION)
        if handler is None:
            self._future(pid)
        self._handlers[pid] = handler or (lambda message: self._fulfil(pid, message))
        return pid

    def forget(self, pid: Pid) -> None:
        """End a process of ours: what comes for it is dropped."""
        self._handlers.pop(pid, None)

    def new_reference(self) -> Reference:
        """Return a reference that this connection has not used."""
        self._numbers += 1
        # NEW_REFERENCE_EXT, External Term Format: only 18 bits of the first word are significant.
        words = (self._numbers & 0x3FFFF, self._numbers >> 18, 0)
        return Reference(node=self._own.caller_name, creation=CREATION, words=words)

    async def send(self, control: Term, payload: Term | None = None) -> None:
        """Send one control message. Raises the error that the connection ended with."""
        if self._lost:
            raise self._lost
        body = frame_body(control, payload, header=self._header)
        try:
            # Frames of several tasks must not mix: a send may wait in the middle of one.
            async with self._sending:
                await self._own.send(body)
        except OSError as error:
            raise self._ended(error) from error

    async def outcome(self, of: Reference | Pid) -> Term:
        """Wait for a spawn request, for the end of a linked process, or for a message to ours.

        Returns the pid that was spawned, or the atom that says why there is none; the exit reason;
        the message. Raises the error that the
        connection ended with. What came before this was called is not lost.
        """
        try:
            return await self._future(of)
        finally:
            self._awaited.pop(of, None)

    def _future(self, of: Reference | Pid) -> asyncio.Future[Term]:
        if of not in self._awaited:
            self._awaited[of] = asyncio.get_running_loop().create_future()
            if self._lost:
                self._awaited[of].set_exception(self._lost)
        return self._awaited[of]

    async def read(self) -> None:
        """Read until the connection ends; every waiting ``outcome`` raises that error then."""
        try:
            while True:
                body = await self._own.receive()
                if not body:
                    await self._tick()
                elif (signal := self._signal(body)) is not None:
                    await self._take(signal)
        except (OSError, EOFError, RemoteProtocolError) as error:
            self._lose(self._ended(error))
        except ErlconnectError as error:
            self._lose(error)

    async def tick(self) -> None:
        """Send a tick every second until the connection ends or this is cancelled."""
        with contextlib.suppress(ErlconnectError):
            while not self._lost:
                await asyncio.sleep(_TICK_SECONDS)
                await self._tick()

    async def _tick(self) -> None:
        try:
            async with self._sending:
                await self._own.send(TICK)
        except OSError as error:
            raise self._ended(error) from error

    def _signal(self, body: bytes) -> Signal | None:
        message = self._assembler.add(body)
        return None if message is None else parse_control(*message)

    async def _take(self, signal: Signal) -> None:
        match signal:
            case MessageTo(receiver=Pid() as receiver, message=message):
                if handler := self._handlers.get(receiver):
                    handler(message)
            case SpawnReply(request=Reference() as request, result=result):
                if isinstance(result, Pid):
                    # Its exit may be the next signal, before anybody has asked for it.
                    self._future(result)
                self._fulfil(request, result)
            case LinkExit(process=Pid() as process, reason=reason):
                self._fulfil(process, reason)
            # OTP answers a monitor of a process that does not exist with ``noproc``.
            case MonitorRequest(monitored=monitored) if monitored not in self._handlers:
                control = monitor_exit(monitored, signal.process, signal.reference, "noproc")
                await self.send(control)
            # A node keeps its side of the link until UNLINK_ID_ACK arrives ("Link Protocol").
            case UnlinkRequest():
                await self.send(unlink_acknowledgement(signal))

    def _fulfil(self, of: Reference | Pid, result: Term) -> None:
        future = self._awaited.get(of)
        if future and not future.done():
            future.set_result(result)

    def _lose(self, error: ErlconnectError) -> None:
        self._lost = error
        for future in self._awaited.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # perhaps nobody waits for this one

    def _ended(self, error: Exception) -> ErlconnectError:
        if self._lost:
            return self._lost
        if isinstance(error, MessageTooLongError):
            return AnswerTooLargeError(
                f"{self.where} answers with more than {LONGEST_MESSAGE // 1024 // 1024} MB, which "
                "were not taken",
                remedy="Ask for less at a time.",
            )
        if isinstance(error, RemoteProtocolError):
            return NotDistributionError(
                f"{self.where} sent what cannot be read: {error}",
                remedy="Please report this with what was called.",
            )
        return UnreachableError(
            f"{self.where} closed the connection before it answered: {error or 'it is gone'}",
            remedy="See whether the node still runs.",
        )


@asynccontextmanager
async def node_connection(own: NodeClient, node: str) -> AsyncIterator[NodeConnection]:
    """Use ``own``, whose handshake is done with ``CLAIMED_FLAGS``, until the block is left."""
    connection = NodeConnection(own, node)
    async with background(connection.read(), connection.tick()):
        yield connection


@asynccontextmanager
async def background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run ``works`` as tasks while the block runs, then cancel them; their errors are dropped."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
