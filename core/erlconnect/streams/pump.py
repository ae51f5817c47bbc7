"""The bytes of one stream, pumped behind a socketpair by one thread.

Knows backpressure and the ends of both sides; a codec knows what the bytes on the wire mean. One
thread, because what a codec keeps is changed by both directions: two would need a lock, and each
would at times wait for what only the other can do.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from erlconnect.streams.pieces import without
from erlconnect.streams.sockets import buffered_pair, drain
from erlconnect.streams.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from erlconnect.streams.codec import StreamCodec

# As many as the kernel takes at once.
_MAX_PIECES: Final = 1024
# How long the rest is tried for when one side is gone and the other takes nothing.
_LINGER_SECONDS: Final = 5.0


class StreamPump(threading.Thread):
    """Pumps between ``stream``, which the caller gets, and ``wire``, which it owns, once started.

    It ends when both directions have, or either one where the codec closes no halves. A closed half
    of either side closes that half of the other; what the caller wrote before it closed ``stream``
    still goes out. Less than a megabyte waits in it. ``ended`` is set when nothing more comes from
    the other side; ``failure`` says then what ended it, if it was no orderly end, and ``heard``
    whether it ever said anything. ``at_end`` is called last, in this thread.
    """

    piece_bytes: Final = 256 * 1024
    """As much is read at once, of either side."""

    def __init__(
        self,
        wire: socket.socket,
        codec: StreamCodec,
        *,
        name: str,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name=f"erlconnect {name}", daemon=True)
        self.failure: Exception | None = None
        self.heard = False
        self.ended = threading.Event()
        self._wire = wire
        self._codec = codec
        self._at_end = at_end
        self.stream, self._plain = buffered_pair()
        self._watcher = Watcher()
        self._received = memoryview(bytearray(self.piece_bytes))
        # What waits for the other side and for the caller.
        self._outward = memoryview(b"")
        self._inward: list[memoryview] = []
        self._caller_ended = self._caller_gone = False
        self._outward_over = False
        self._linger_until = 0.0

    def run(self) -> None:
        """Pump until the end."""
        try:
            self._keep(self._codec.early())
            self._flush()
            while not self._over:
                self._turn()
        except (OSError, ValueError) as error:
            self.failure = self.failure or error
        finally:
            self._wire.close()
            drain(self._plain)
            self._plain.close()
            self.ended.set()
            self._at_end()

    @property
    def _over(self) -> bool:
        if self._inward or not self._codec.over:
            return False
        return self._outward_over or not self._codec.half_closes

    @property
    def _reads_plain(self) -> bool:
        return not (self._outward or self._caller_ended or self._outward_over)

    @property
    def _reads_wire(self) -> bool:
        return not (self._inward or self._codec.over)

    def _turn(self) -> None:
        seconds = self._seconds_to_wait()
        plain, wire, watcher = self._plain, self._wire, self._watcher
        inward, outward, here = bool(self._inward), bool(self._outward), not self._caller_gone
        watcher.want(plain, read=self._reads_plain, write=inward, end=here)
        watcher.want(wire, read=self._reads_wire, write=outward)
        watcher.wait(seconds)
        if watcher.has_ended(plain):
            self._lose_caller()
        if watcher.happened(plain) and self._reads_plain:
            self._read_plain()
        if watcher.happened(wire) and self._reads_wire:
            self._read_wire()
        self._flush()

    def _seconds_to_wait(self) -> float | None:
        if self._caller_gone or (self._caller_ended and not self._codec.half_closes):
            left = self._linger_until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the other side took nothing more")
            return left
        seconds = self._codec.seconds_left(listening=not self._inward)
        # It may have asked for a sign of life.
        self._flush_outward()
        return seconds

    def _linger(self) -> None:
        self._linger_until = time.monotonic() + _LINGER_SECONDS

    def _lose_caller(self) -> None:
        """Drop what waits for the caller, who reads no more; what it wrote still goes out."""
        if not self._caller_gone:
            self._caller_gone = True
            self._linger()
        self._inward = []

    def _read_plain(self) -> None:
        try:
            size = self._plain.recv_into(self._received)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if size:
            self._codec.encode(self._received[:size])
        else:
            self._caller_ended = True
            self._linger()
            self._codec.say_farewell()

    def _read_wire(self) -> None:
        try:
            size = self._wire.recv_into(self._received)
        except BlockingIOError:
            return
        except OSError as error:
            self.failure = self.failure or error
            size = 0
        self._keep(self._codec.decode(self._received[:size]))

    def _keep(self, pieces: Sequence[memoryview]) -> None:
        self.heard = self.heard or bool(pieces)
        self._inward += [] if self._caller_gone else pieces
        if self._codec.over:
            self.failure = self.failure or self._codec.failure
            self.ended.set()

    def _flush(self) -> None:
        self._flush_outward()
        if self._inward:
            self._flush_inward()
        if self._codec.over and not self._inward:
            with suppress(OSError):
                self._plain.shutdown(socket.SHUT_WR)

    def _flush_inward(self) -> None:
        try:
            sent = self._plain.sendmsg(self._inward[:_MAX_PIECES])
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._lose_caller()
        else:
            self._inward = without(self._inward, sent)
            self._linger()

    def _flush_outward(self) -> None:
        try:
            while not self._outward_over:
                self._outward = self._outward or memoryview(self._codec.outgoing())
                if not self._outward:
                    break
                self._outward = self._outward[self._wire.send(self._outward) :]
                self._linger()
            if self._caller_ended and not self._outward_over:
                self._outward_over = True
                if self._codec.half_closes:
                    self._wire.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError as error:
            self._lose_other_side(error)

    def _lose_other_side(self, error: OSError) -> None:
        """Nothing goes out any more; what the other side said before may still come in."""
        self._outward_over = True
        self._outward = memoryview(b"")
        self.failure = self.failure or error
        with suppress(OSError):
            self._plain.shutdown(socket.SHUT_RD)
