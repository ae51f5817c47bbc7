"""The bytes of one TLS stream, pumped behind a socketpair by one thread.

Knows backpressure, half-close and the ends of both sides. Refuses to know who is at the other end
and how the handshake went. One thread, because two on one TLS object would need a lock, and each
would at times wait for what only the other can do.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from erlconnect.tls.sockets import buffered_pair

if TYPE_CHECKING:
    from erlconnect.tls.handshake import Tls

_PIECE_BYTES: Final = 256 * 1024
# What was received may complete one record of which a part had come before.
_PLAIN_BYTES: Final = _PIECE_BYTES + 2 * 16 * 1024
# How long the rest is tried for when the caller is gone and the other side takes nothing.
_LINGER_SECONDS: Final = 5.0


class TlsPump(threading.Thread):
    """Pumps between ``stream``, which the caller gets, and TLS over ``wire``, once started.

    It ends when both directions have, or when the caller has closed ``stream``, and owns ``wire``.
    A closed half of either side closes that half of the other. At most three quarters of a
    megabyte wait in it. ``ended`` is set when nothing more comes from the other side; ``failure``
    says then what ended it, if that was not in order, and ``heard`` whether it ever said anything.
    """

    def __init__(self, wire: socket.socket, tls: Tls, *, name: str) -> None:
        super().__init__(name=f"erlconnect {name}", daemon=True)
        self.failure: Exception | None = None
        self.heard = False
        self.ended = threading.Event()
        self._wire = wire
        self._tls = tls
        self.stream, self._plain = buffered_pair()
        self._poller = select.poll()
        self._watched: dict[int, int] = {}
        self._received = memoryview(bytearray(_PIECE_BYTES))
        self._decrypted = memoryview(bytearray(_PLAIN_BYTES))
        self._outward, self._inward = memoryview(tls.outgoing.read()), memoryview(b"")
        self._caller_ended = self._caller_gone = False
        self._outward_over = self._inward_over = False

    def run(self) -> None:
        """Pump until the end."""
        try:
            self._decrypted[: len(self._tls.early)] = self._tls.early
            self._decrypt(len(self._tls.early))
            self._flush()
            while not (self._outward_over and self._inward_over and not self._inward):
                self._turn()
        except (OSError, ValueError) as error:
            self.failure = self.failure or error
        finally:
            self._wire.close()
            self._plain.close()
            self.ended.set()

    def _turn(self) -> None:
        self._watch(self._plain.fileno(), self._wanted_of_plain(), always=not self._caller_gone)
        self._watch(self._wire.fileno(), self._wanted_of_wire(), always=False)
        happened = dict(self._poller.poll(_LINGER_SECONDS * 1000 if self._caller_gone else None))
        if not happened:
            raise TimeoutError("the other side took nothing more")
        plain = happened.get(self._plain.fileno(), 0)
        if plain & (select.POLLHUP | select.POLLERR):
            self._lose_caller()
        if plain and not self._outward and not self._outward_over:
            self._read_plain()
        if self._wire.fileno() in happened and not self._inward and not self._inward_over:
            self._read_wire()
        self._flush()

    def _wanted_of_plain(self) -> int:
        reads = not self._outward and not self._caller_ended and not self._outward_over
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

    def _lose_caller(self) -> None:
        """Drop what waits for the caller, who reads no more; what it wrote still goes out."""
        self._caller_gone = self._inward_over = True
        self._inward = memoryview(b"")

    def _read_plain(self) -> None:
        try:
            size = self._plain.recv_into(self._received)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if size:
            self._tls.object.write(self._received[:size])
        elif not self._caller_ended:
            self._caller_ended = True
            # It waits for the other side's farewell, which comes by the usual way.
            with suppress(ssl.SSLError):
                self._tls.object.unwrap()

    def _read_wire(self) -> None:
        try:
            size = self._wire.recv_into(self._received)
        except BlockingIOError:
            return
        except OSError as error:
            self._end_inward(error)
            return
        if size:
            self._tls.incoming.write(self._received[:size])
        else:
            self._tls.incoming.write_eof()
        self._decrypt()

    def _decrypt(self, filled: int = 0) -> None:
        """Decrypt all that came; the TLS object is left with less than a record."""
        try:
            while size := self._read_record(self._decrypted[filled:]):
                filled += size
                if not (self._tls.incoming.pending or self._tls.incoming.eof):
                    break
            else:
                self._end_inward(None)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            # So the end is called when it is the second of both.
            self._end_inward(None)
        except ssl.SSLError as error:
            self._end_inward(error)
        self._inward = self._decrypted[:filled]
        self.heard = self.heard or filled > 0

    def _read_record(self, room: memoryview) -> int:
        return cast("int", self._tls.object.read(len(room), room))

    def _end_inward(self, failure: Exception | None) -> None:
        self._inward_over = True
        self.failure = self.failure or failure
        self.ended.set()

    def _flush(self) -> None:
        self._flush_outward()
        if self._inward:
            with suppress(BlockingIOError):
                self._inward = self._sent_to_caller()
        if self._inward_over and not self._inward:
            with suppress(OSError):
                self._plain.shutdown(socket.SHUT_WR)

    def _sent_to_caller(self) -> memoryview:
        try:
            return self._inward[self._plain.send(self._inward) :]
        except BrokenPipeError:
            self._lose_caller()
            return self._inward

    def _flush_outward(self) -> None:
        if self._outward_over:
            return
        try:
            while self._outward or self._tls.outgoing.pending:
                self._outward = self._outward or memoryview(self._tls.outgoing.read())
                self._outward = self._outward[self._wire.send(self._outward) :]
            if self._caller_ended:
                self._outward_over = True
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
