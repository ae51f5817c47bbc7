"""Moving the bytes of a link: one blocking thread a direction.

Blocking calls make backpressure free (a sink that does not read stops its source and nothing
else) and beat an event loop in latency. The two directions share no lock.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.errors import RemoteProtocolError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from erlconnect.distribution.rewriter import Rewriter, Segment

# An idle link holds the small buffer, a busy one the usual; a larger frame needs a larger one.
_SMALL: Final = 16 * 1024
_USUAL: Final = 512 * 1024
_GROWTH: Final = 4


class _SinkEndedError(Exception):
    """The side that is written to takes nothing more."""


class Pump(threading.Thread):
    """One direction: reads ``source``, rewrites, writes ``sink``, until either ends.

    ``on_end`` is called in this thread, with the reason. It has to shut the sockets down: nothing
    else ends the blocking calls of the other direction's thread. They are not closed here.
    """

    def __init__(
        self,
        name: str,
        *,
        source: socket.socket,
        sink: socket.socket,
        rewriter: Rewriter,
        on_end: Callable[[str], None],
    ) -> None:
        super().__init__(name=f"erlconnect {name}", daemon=True)
        self._from = name
        self._source = source
        self._sink = sink
        self._on_end = on_end
        self.rewriter = rewriter
        self.bytes_read = 0
        self.answer: Callable[[bytes], None] = _nobody
        """Called with a frame for the node that this direction reads from."""
        # Held for a whole write: `insert` comes from the other direction's thread, and a frame
        # that began inside another one would break the stream for good.
        self._writing = threading.Lock()
        self._inside_frame = False
        self._waiting: list[bytes] = []

    def run(self) -> None:
        """Pump until the end."""
        try:
            reason = self._pump()
        except _SinkEndedError as error:
            reason = str(error)
        except RemoteProtocolError as error:
            reason = f"protocol error of the {self._from} node: {error}"
        except OSError as error:
            reason = _broken(self._from, error)
        except MemoryError:
            reason = f"{self._from} node: no memory for a frame"
        except Exception as error:  # noqa: BLE001 - a thread that died in silence would hang the link
            reason = f"a bug of erlconnect: {type(error).__name__}: {error}"
        self._on_end(reason)

    def _pump(self) -> str:
        rewriter = self.rewriter
        passes, process, pins = rewriter.passes, rewriter.process, rewriter.pins_buffer
        buffer = bytearray(_SMALL)
        view = memoryview(buffer)
        start = end = 0
        while received := self._source.recv_into(view[end:] if end else buffer):
            # A plain integer that only this thread changes: readers elsewhere need no lock.
            self.bytes_read += received
            if not end and passes(buffer, received):
                self._send(view[:received])
                continue
            end += received
            start, segments = process(buffer, start, end)
            if segments:
                self._send(segments[0] if len(segments) == 1 else b"".join(segments))
            if rewriter.answers:
                self._answer()
            # All was taken and nothing is pinned: the next read may overwrite the buffer.
            if start == end < len(buffer) <= _USUAL and not pins(buffer):
                start = end = 0
            else:
                # Segments may be views: they would hold the old buffer until the next read returns.
                del segments
                buffer, start, end = self._make_room(buffer, start, end)
                view = memoryview(buffer)
        return f"the {self._from} node closed the connection"

    def _make_room(self, buffer: bytearray, start: int, end: int) -> tuple[bytearray, int, int]:
        """Return a buffer with room behind ``end``: the same one where that is enough.

        What is pinned must not change, so it stays only where there is much room behind it.
        """
        rest, size = end - start, _wanted_size(buffer, start, end)
        if size != len(buffer):
            other = bytearray(size)
        elif not self.rewriter.pins_buffer(buffer):
            other = buffer
        elif end <= size // 2:
            return buffer, start, end
        else:
            other = self.rewriter.swap_buffer(buffer)
        memoryview(other)[:rest] = memoryview(buffer)[start:end]
        return other, 0, rest

    def insert(self, frame: bytes) -> None:
        """Send a frame of our own between two whole ones; called in the other direction's thread.

        Where the last frame is not sent completely, this one waits for its rest. Errors of the
        sink are ignored here: the direction that it belongs to meets and reports them.
        """
        with self._writing:
            if self._inside_frame:
                self._waiting.append(frame)
                return
            with contextlib.suppress(OSError):
                self._sink.sendall(frame)

    def detach(self) -> None:
        """Drop the reference to the other direction, after the end.

        Both would keep each other, with their buffers, until the garbage collector looks.
        """
        self.answer = _nobody

    def _answer(self) -> None:
        answers = self.rewriter.answers
        for frame in answers:
            self.answer(frame)
        answers.clear()

    def _send(self, data: Segment) -> None:
        try:
            with self._writing:
                self._sink.sendall(data)
                self._inside_frame = self.rewriter.inside_frame
                if self._waiting and not self._inside_frame:
                    self._sink.sendall(b"".join(self._waiting))
                    self._waiting.clear()
        except OSError as error:
            peer = "local" if self._from == "remote" else "remote"
            raise _SinkEndedError(_broken(peer, error)) from error


def _nobody(_: bytes) -> None:
    """Drop a frame: there is no other direction."""


def _broken(peer: str, error: OSError) -> str:
    return f"{peer} node: {error.strerror or error}"


def _wanted_size(buffer: bytearray, start: int, end: int) -> int:
    """Return the size that a buffer has to have from now on.

    It grows with the bytes that have arrived, so that a wrong length alone costs no memory.
    """
    rest = end - start
    size = _USUAL if end == len(buffer) or len(buffer) > _SMALL else _SMALL
    needed = 4 + int.from_bytes(buffer[start : start + 4], "big") if rest >= 4 else rest  # noqa: PLR2004
    if needed > size:
        return max(size, len(buffer) if rest < len(buffer) else min(needed, rest * _GROWTH))
    return size
