"""The bytes of one forwarded port, pumped between a socketpair and a websocket by one thread.

Knows backpressure, signs of life and the ends of both sides. Refuses to know how the websocket came
to be. One thread, because TLS and the websocket are one state that both directions change.
"""

from __future__ import annotations

import select
import ssl
import threading
import time
from typing import TYPE_CHECKING, Final

from erlconnect.api import buffered_pair
from erlconnect_backends.kubernetes_cluster.forward_channels import (
    ForwardChannels,
    ForwardProtocolError,
)
from erlconnect_backends.kubernetes_cluster.signs_of_life import SignsOfLife, SilentError
from erlconnect_backends.kubernetes_cluster.websocket import WebSocketFailedError
from erlconnect_backends.sockets import drain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from erlconnect_backends.kubernetes_cluster.websocket import Opened, Piece

_PIECE_BYTES: Final = 128 * 1024
_WIRE_BYTES: Final = 256 * 1024
# As many as the kernel takes at once.
_MAX_PIECES: Final = 1024
# How long the rest is tried for when one side is gone and the other takes nothing.
_LINGER_SECONDS: Final = 5.0


class ForwardPump(threading.Thread):
    """Pumps between ``stream``, which the caller gets, and ``opened``, once started.

    It owns both. It ends when either side has, and closes the other one as soon as that has
    taken what came before; this protocol has no half-closed streams. At most some hundred kilobytes
    wait in it. ``changed`` is called in this thread whenever one of these changes: ``opened``, the
    port is announced; ``answered``, the first sign of life asked for after that came back;
    ``heard``, the port said something; ``ended``. ``failure`` says what ended it, if it was no
    orderly end.
    """

    def __init__(
        self,
        opened: Opened,
        port: int,
        *,
        name: str,
        changed: Callable[[], None],
        life: SignsOfLife | None = None,
    ) -> None:
        super().__init__(name=f"erlconnect {name}", daemon=True)
        self.failure: Exception | None = None
        self.heard = False
        self.ended = threading.Event()
        self.channels: Final = ForwardChannels(port)
        self._wire = opened.wire
        self._websocket = opened.websocket
        self._early = opened.early
        self._changed = changed
        self._life = life or SignsOfLife()
        self.stream, self._plain = buffered_pair()
        self._poller = select.poll()
        self._watched: dict[int, int] = {}
        self._received = memoryview(bytearray(_WIRE_BYTES))
        # Its first byte stays 0, which is the channel of data.
        self._message = memoryview(bytearray(1 + _PIECE_BYTES))
        self._outward = memoryview(b"")
        self._inward: list[memoryview] = []
        self._caller_ended = self._caller_gone = False
        self._outward_over = self._inward_over = False
        self._linger_until = 0.0

    def run(self) -> None:
        """Pump until the end."""
        try:
            self._take(self._early)
            self._flush()
            while not self._inward_over or self._inward:
                self._turn()
        except (OSError, SilentError) as error:
            self.failure = self.failure or error
        finally:
            self._wire.close()
            drain(self._plain)
            self._plain.close()
            self.ended.set()
            self._changed()

    @property
    def opened(self) -> bool:
        """Whether the other side has begun to forward."""
        return self.channels.opened

    @property
    def farewell(self) -> str:
        """Why the API server closed the stream, where that was not in order."""
        return self._websocket.farewell

    @property
    def answered(self) -> bool:
        """Whether it has answered since."""
        return self._websocket.answered

    def _turn(self) -> None:
        self._watch(self._plain.fileno(), self._wanted_of_plain(), always=not self._caller_gone)
        self._watch(self._wire.fileno(), self._wanted_of_wire(), always=False)
        happened = dict(self._poller.poll(self._seconds_to_wait() * 1000))
        plain = happened.get(self._plain.fileno(), 0)
        if plain & (select.POLLHUP | select.POLLERR):
            self._lose_caller()
        if plain and not self._outward and not self._caller_ended:
            self._read_plain()
        if self._wire.fileno() in happened and not self._inward and not self._inward_over:
            self._read_wire()
        self._flush()

    def _wanted_of_plain(self) -> int:
        reads = not self._outward and not self._caller_ended
        return (select.POLLIN if reads else 0) | (select.POLLOUT if self._inward else 0)

    def _wanted_of_wire(self) -> int:
        reads = not self._inward and not self._inward_over
        return (select.POLLIN if reads else 0) | (select.POLLOUT if self._outward else 0)

    def _watch(self, number: int, wanted: int, *, always: bool) -> None:
        """Have ``wanted`` told; an end is always told, and would be told without a pause."""
        if wanted or always:
            if self._watched.get(number) != wanted:
                self._poller.register(number, wanted)
                self._watched[number] = wanted
        elif self._watched.pop(number, None) is not None:
            self._poller.unregister(number)

    def _seconds_to_wait(self) -> float:
        """Give how long nothing may happen; ask for a sign of life when it is time for that."""
        if self._caller_ended:
            left = self._linger_until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the other side took nothing more")
            return left
        if self._inward:
            # Who does not read cannot tell whether the other side is silent.
            self._life.seen()
        elif self._life.ask() and not self._outward:
            self._websocket.ping()
            self._flush_outward()
        return self._life.seconds_left()

    def _lose_caller(self) -> None:
        """Drop what waits for the caller, who reads no more; what it wrote still goes out."""
        self._caller_gone = True
        self._inward = []

    def _read_plain(self) -> None:
        try:
            size = self._plain.recv_into(self._message[1:])
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if size:
            self._websocket.send(self._message[: 1 + size])
        else:
            self._caller_ended = True
            self._linger_until = time.monotonic() + _LINGER_SECONDS
            self._websocket.close()

    def _read_wire(self) -> None:
        try:
            size = self._wire.recv_into(self._received)
        except BlockingIOError:
            return
        except OSError as error:
            self._end_inward(error)
            return
        self._life.seen()
        self._take(self._websocket.receive(self._received[:size]))

    def _take(self, pieces: Iterable[Piece]) -> None:
        before = self.opened, self.answered, self.heard
        try:
            for piece in pieces:
                if content := self.channels.receive(piece.payload, begins=piece.begins):
                    self.heard = True
                    if not self._caller_gone:
                        self._inward.append(content)
        except (ssl.SSLError, WebSocketFailedError, ForwardProtocolError) as error:
            self._end_inward(error)
        if self._websocket.over or self.channels.error:
            self._end_inward(None)
        if self.opened and not before[0] and self._websocket.open:
            self._websocket.ping()
        if before != (self.opened, self.answered, self.heard):
            self._changed()

    def _end_inward(self, failure: Exception | None) -> None:
        self._inward_over = True
        self.failure = self.failure or failure

    def _flush(self) -> None:
        self._flush_outward()
        if self._inward:
            try:
                sent = self._plain.sendmsg(self._inward[:_MAX_PIECES])
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._lose_caller()
            else:
                self._inward = _without(self._inward, sent)
                self._linger_until = time.monotonic() + _LINGER_SECONDS

    def _flush_outward(self) -> None:
        try:
            while not self._outward_over and (self._outward or self._refilled()):
                self._outward = self._outward[self._wire.send(self._outward) :]
                self._linger_until = time.monotonic() + _LINGER_SECONDS
        except BlockingIOError:
            pass
        except OSError as error:
            # What the other side said before may still come in.
            self._outward_over = True
            self._outward = memoryview(b"")
            self.failure = self.failure or error

    def _refilled(self) -> bool:
        self._outward = memoryview(self._websocket.outgoing())
        return bool(self._outward)


def _without(pieces: list[memoryview], size: int) -> list[memoryview]:
    """Give what is left of ``pieces`` when the first ``size`` bytes are gone."""
    for number, piece in enumerate(pieces):
        if size < len(piece):
            return [piece[size:], *pieces[number + 1 :]]
        size -= len(piece)
    return []
