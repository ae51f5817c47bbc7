"""A stream that is not its own socket: one thread pumps it through a socketpair.

The relay wants a plain socket; TLS, websockets and SPDY have none. So the caller gets one end of a
socketpair, and a ``StreamPump`` carries bytes between its other end and the wire. It does the
waiting, the backpressure and the ends of both sides. A ``StreamCodec`` says what the bytes on the
wire mean.

There is one thread for both directions, because both change what a codec keeps: two threads would
need a lock, and each would at times wait for what only the other can do.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from erlconnect.net.sockets import buffered_pair, drain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
# IOV_MAX of Linux and macOS: as many buffers as one sendmsg takes.
_MAX_PIECES: Final = 1024
# For how long the rest is offered to one side, which takes nothing, when the other is gone.
_LINGER_SECONDS: Final = 5.0


class StreamCodec(Protocol):
    """Translates between the bytes on the wire and those of the caller; no method blocks.

    ``half_closes`` says whether one direction can end without the other. ``over`` is true when
    nothing more can come from the other side; ``failure`` says then what ended it, if it was no
    orderly end.
    """

    half_closes: bool
    over: bool
    failure: Exception | None

    def early(self) -> Sequence[memoryview]:
        """Return what came for the caller before the pump began."""

    def decode(self, data: memoryview) -> Sequence[memoryview]:
        """Take bytes of the wire, none for its end, and return what is in them for the caller.

        The result is valid until the next call. It raises nothing: see ``failure``.
        """

    def encode(self, data: memoryview) -> None:
        """Take bytes of the caller."""

    def say_farewell(self) -> None:
        """Note that the caller has closed its side; nothing more will be encoded."""

    def outgoing(self) -> bytes:
        """Return bytes for the wire; none where there are no more for now."""

    def seconds_left(self, *, listening: bool) -> float | None:
        """Return how long nothing may happen on the wire; ``None`` for ever.

        Without ``listening`` the caller takes nothing, and so nothing is read from the wire. Raises
        ``TimeoutError`` where nothing has happened for too long.
        """


class StreamPump(threading.Thread):
    """Pumps between ``stream``, which the caller gets, and ``wire``, which it owns, once started.

    It ends when both directions have, or either one where the codec closes no halves. A closed half
    of either side closes that half of the other; what the caller wrote before it closed ``stream``
    still goes out. Less than a megabyte waits in it. ``ended`` is set when nothing more comes from
    the other side; ``failure`` says then what ended it, if it was no orderly end, and ``heard``
    whether anything ever came for the caller. ``at_end`` is called last, in this thread.
    """

    piece_bytes: Final = 256 * 1024
    """The most that is read at once, of either side."""

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
        self._poller = _Poller()
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
        # Without halves the end of one direction is the end of both.
        return self._outward_over or not self._codec.half_closes

    @property
    def _reads_plain(self) -> bool:
        # Nothing is read while something still waits: so the memory in use stays bounded.
        return not (self._outward or self._caller_ended or self._outward_over)

    @property
    def _reads_wire(self) -> bool:
        return not (self._inward or self._codec.over)

    def _turn(self) -> None:
        seconds = self._seconds_to_wait()
        plain, wire, poller = self._plain, self._wire, self._poller
        inward, outward, here = bool(self._inward), bool(self._outward), not self._caller_gone
        poller.want(plain, read=self._reads_plain, write=inward, end=here)
        poller.want(wire, read=self._reads_wire, write=outward)
        poller.wait(seconds)
        if poller.has_ended(plain):
            self._lose_caller()
        if poller.happened(plain) and self._reads_plain:
            self._read_plain()
        if poller.happened(wire) and self._reads_wire:
            self._read_wire()
        self._flush()

    def _seconds_to_wait(self) -> float | None:
        if self._caller_gone or (self._caller_ended and not self._codec.half_closes):
            left = self._linger_until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the other side took nothing more")
            return left
        seconds = self._codec.seconds_left(listening=not self._inward)
        # The codec may have produced a ping.
        self._flush_outward()
        return seconds

    def _linger(self) -> None:
        self._linger_until = time.monotonic() + _LINGER_SECONDS

    def _lose_caller(self) -> None:
        """Drop what waits for the caller, which reads no more; what it wrote still goes out."""
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
            # What the codec sends for the end goes out before the half closes.
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
                # Only after the last byte went in, or the caller would lose what waits for it.
                self._plain.shutdown(socket.SHUT_WR)

    def _flush_inward(self) -> None:
        try:
            sent = self._plain.sendmsg(self._inward[:_MAX_PIECES])
        except BlockingIOError:
            return
        except BrokenPipeError:
            # The caller has closed its end; poll() did not say so yet.
            self._lose_caller()
        else:
            self._inward = _without_sent(self._inward, sent)
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
        """Send nothing any more; what the other side sent before may still come in."""
        self._outward_over = True
        self._outward = memoryview(b"")
        self.failure = self.failure or error
        with suppress(OSError):
            self._plain.shutdown(socket.SHUT_RD)


class _Poller:
    """``select.poll`` that calls the kernel only where something else is wanted of a socket."""

    def __init__(self) -> None:
        self._poller = select.poll()
        self._watched: dict[int, int] = {}
        self._happened: dict[int, int] = {}

    def want(self, sock: socket.socket, *, read: bool, write: bool, end: bool = False) -> None:
        """Set what to wait for of ``sock``; ``end`` is whether its end alone is waited for, too."""
        number = sock.fileno()
        wanted = (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)
        if wanted or end:
            if self._watched.get(number) != wanted:
                self._poller.register(number, wanted)
                self._watched[number] = wanted
        elif self._watched.pop(number, None) is not None:
            # poll() reports POLLHUP whether it is asked for or not: a socket that has ended would
            # end every wait at once.
            self._poller.unregister(number)

    def wait(self, seconds: float | None) -> None:
        """Wait until something happens, at most ``seconds``; ``None`` is no limit."""
        self._happened = dict(self._poller.poll(None if seconds is None else seconds * 1000))

    def happened(self, sock: socket.socket) -> bool:
        """Return whether the last wait reported anything of ``sock``."""
        return sock.fileno() in self._happened

    def has_ended(self, sock: socket.socket) -> bool:
        """Return whether its other end is gone altogether."""
        return bool(self._happened.get(sock.fileno(), 0) & (select.POLLHUP | select.POLLERR))


def _without_sent(pieces: list[memoryview], size: int) -> list[memoryview]:
    """Return what is left of ``pieces`` when the first ``size`` bytes are gone."""
    for number, piece in enumerate(pieces):
        if size < len(piece):
            return [piece[size:], *pieces[number + 1 :]]
        size -= len(piece)
    return []
