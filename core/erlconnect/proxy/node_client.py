"""A connection of our own to a remote node, as a hidden node, with no local node behind it.

It makes the whole handshake, and sends the few requests of ``distribution/rpc.py``. It starts no
process at the node that outlives its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final, TypeVar

from erlconnect.distribution.errors import MessageTooLongError, RemoteProtocolError
from erlconnect.distribution.flags import PROBE_FLAGS
from erlconnect.distribution.frames import framed
from erlconnect.distribution.handshake import Initiator
from erlconnect.distribution.handshake_messages import StatusKind
from erlconnect.distribution.rpc import (
    TICK,
    auth_request,
    evaluation,
    evaluation_result,
    is_auth_answer,
    message_of,
)
from erlconnect.errors import NotDistributionError, TimedOutError
from erlconnect.net.sockets import receive_exactly
from erlconnect.proxy.errors import no_answer, peer_error, status_refused
from erlconnect.proxy.frame_stream import LENGTH_SIZE, FrameStream, PeerError
from erlconnect.proxy.handshake import authenticate
from erlconnect.proxy.probe import challenge_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from erlconnect.contract import Cookie
    from erlconnect.distribution.etf import Term
    from erlconnect.proxy.timing import Timer

_HANDSHAKE_SECONDS: Final = 6.0
_ANSWER_SECONDS: Final = 5.0
_GOODBYE_SECONDS: Final = 1.0
MAX_FRAME: Final = 1024 * 1024  # the answers that are asked for have some hundred bytes
Answer = TypeVar("Answer")


class NodeClient:
    """A client on a connected socket. Call ``shake_hands`` first; ``close`` closes the socket."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        caller_name: str,
        where: str,
        stopwatch: Timer,
        length_size: int = LENGTH_SIZE,
        flags: int = PROBE_FLAGS,
        max_frame: int = MAX_FRAME,
    ) -> None:
        self._flags = flags
        self._max_frame = max_frame
        self.flags = 0
        """The flags that both sides have; 0 before ``shake_hands``."""
        self._socket = sock
        self._length_size = length_size
        self.caller_name = caller_name
        self.where = where
        self._stopwatch = stopwatch

    async def shake_hands(
        self, cookie: Cookie, transport_words: Callable[[], Awaitable[str]]
    ) -> None:
        """Go through the whole handshake; both sides have proved the cookie afterwards.

        Raises what ``probe`` raises, and ``RemoteCookieError``.
        """
        stream = FrameStream(self._socket, "remote", self._stopwatch, length_size=self._length_size)
        try:
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                await self._shake_hands(stream, cookie)
        except PeerError as error:
            raise peer_error(error, self.where, await transport_words()) from error
        except TimeoutError as error:
            raise no_answer(self.where, stream.waiting_for, _HANDSHAKE_SECONDS) from error

    async def _shake_hands(self, stream: FrameStream, cookie: Cookie) -> None:
        initiator = Initiator()
        challenge = await challenge_of(
            stream, initiator, self.caller_name, self.where, flags=self._flags
        )
        if challenge is None:
            # The name is in use: the connection that has it is another session's, and goes on.
            raise status_refused(StatusKind.ALIVE, self.caller_name, self.where)
        await authenticate(stream, initiator, challenge, cookie=cookie, where=self.where)
        # A flag that only one side claims must not be used ("Distribution Flags").
        self.flags = self._flags & challenge.flags

    async def ping(self) -> None:
        """Send a tick and, behind it, what ``net_adm:ping`` asks; return with the answer."""

        def answer(message: Term) -> bool | None:
            return is_auth_answer(message, self.caller_name) or None

        # A node answers no tick. The request behind it proves that the tick was read.
        question = auth_request(self.caller_name)
        with self._stopwatch.phase("tick"):
            await self._ask("net_kernel", [TICK, question], answer)

    async def evaluate(self, *expressions: Term) -> tuple[Term, ...]:
        """Let the node evaluate abstract forms; return the value of each."""
        question = evaluation(self.caller_name, *expressions)

        def answer(message: Term) -> tuple[Term, ...] | None:
            values = evaluation_result(message)
            return values if values and len(values) == len(expressions) else None

        with self._stopwatch.phase("rex"):
            return await self._ask("rex", [question], answer)

    async def close(self) -> None:
        """Shut down the sending side, wait up to 1 s for the node to close, close the socket."""
        try:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    # Bytes that are not read when a socket is closed turn its end into a reset, so
                    # they are read until the node has closed its side.
                    self._socket.shutdown(socket.SHUT_WR)
                    while await asyncio.get_running_loop().sock_recv(self._socket, 4096):
                        pass
        finally:
            self._socket.close()

    async def _ask(
        self, process: str, bodies: Sequence[bytes], answer: Callable[[Term], Answer | None]
    ) -> Answer:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self.send(*bodies)
                # Ticks and messages of others may come before the answer.
                while True:
                    message = message_of(await self.receive())
                    if message is not None and (found := answer(message)) is not None:
                        return found
        except TimeoutError as error:
            raise TimedOutError(
                f"{self.where} let us in, but its process {process} did not answer within "
                f"{_ANSWER_SECONDS:g} s",
                remedy="Try again; if it stays so, the node is overloaded, or is no Erlang/OTP "
                "node and has no such process.",
            ) from error
        except (OSError, EOFError, RemoteProtocolError) as error:
            seen = "it closed the connection" if isinstance(error, EOFError) else str(error)
            raise NotDistributionError(
                f"{self.where} let us in, but did not answer as {process} does: {seen}",
                remedy="Look into the remote node's log; nodes that are no Erlang/OTP have no "
                "such process.",
            ) from error

    async def send(self, *bodies: bytes) -> None:
        """Send frames, after the handshake. Raises ``OSError``."""
        frames = b"".join(map(framed, bodies))
        await asyncio.get_running_loop().sock_sendall(self._socket, frames)

    async def receive(self) -> bytes:
        """Return the body of the next frame. Raises ``OSError``, ``EOFError`` and protocol errors.

        Cancelled, it may have taken a part of a frame: nothing more can be received then.
        """
        # After the handshake a length has 32 bits ("Protocol between Connected Nodes").
        length = int.from_bytes(await receive_exactly(self._socket, 4), "big")
        if length > self._max_frame:
            raise MessageTooLongError(f"a frame of {length} bytes")
        return await receive_exactly(self._socket, length)
