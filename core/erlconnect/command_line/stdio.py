"""Standard streams whose readers are gone or asleep: they neither end nor block a session."""

from __future__ import annotations

import os
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WAIT_MILLISECONDS: Final = 1000


def open_missing_streams() -> None:
    """Open ``os.devnull`` for streams that were closed at the start (``>&-``).

    A socket would get their descriptor otherwise, and prints would go into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - until the end


@contextmanager
def ignore_broken_pipe(stream: TextIO) -> Iterator[None]:
    """Redirect ``stream`` to ``os.devnull`` from the moment its reader is gone.

    A session serves nodes; it does not end because nobody reads its output.
    """
    try:
        yield
    except OSError:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
            # The descriptor is replaced, not the object: Python flushes the stream at exit, and
            # would fail there once more.
            os.dup2(nowhere.fileno(), stream.fileno())


class Lines:
    """Writes lines to a stream whose reader may have stopped reading.

    A program that only waited for ``ready`` lets its pipe fill up. A blocking write would then stop
    the event loop, and with it nodes and signals. After a second, lines are left out until the
    program reads again; ``note`` returns the line that then says how many.
    """

    def __init__(self, stream: TextIO, note: Callable[[int], str]) -> None:
        self._stream = stream
        self._note = note
        self._left_out = 0

    def write(self, line: str) -> None:
        """Write ``line``, or leave it out. Raises ``UnicodeEncodeError`` and nothing else."""
        if not self._has_room(0 if self._left_out else _WAIT_MILLISECONDS):
            self._left_out += 1
            return
        lines = [self._note(self._left_out), line] if self._left_out else [line]
        with ignore_broken_pipe(self._stream):
            print(*lines, sep="\n", file=self._stream, flush=True)
        self._left_out = 0

    def _has_room(self, milliseconds: int) -> bool:
        """Wait for room for a line or two.

        A pipe polls as writable only if it takes PIPE_BUF bytes, 4096 on Linux (pipe(7)).
        """
        poll = select.poll()
        poll.register(self._stream.fileno(), select.POLLOUT)
        return bool(poll.poll(milliseconds))
