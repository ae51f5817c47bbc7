"""Writing to readers that may be gone or asleep: a session does not end nor wait for them."""

from __future__ import annotations

import os
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE_MILLISECONDS: Final = 1000


def open_missing_streams() -> None:
    """Open to nowhere what was closed at the start (``>&-``), before a socket takes its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - until the end


@contextmanager
def ignore_broken_pipe(stream: TextIO) -> Iterator[None]:
    """Let what is written to ``stream`` go nowhere from the moment its reader is gone.

    A session serves nodes; it does not end because nobody reads what it says of them.
    """
    try:
        yield
    except OSError:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), stream.fileno())


class Lines:
    """Writes lines to a stream whose reader may be asleep.

    A program that only waited for ``ready`` leaves its pipe to fill up; whoever waited for it then
    would serve no node and heed no signal. After a second, lines are left out until it reads again;
    ``note`` gives the line that then tells how many.
    """

    def __init__(self, stream: TextIO, note: Callable[[int], str]) -> None:
        self._stream = stream
        self._note = note
        self._left_out = 0

    def write(self, line: str) -> None:
        """Write ``line``, or leave it out. Raises ``UnicodeEncodeError`` and nothing else."""
        if not self._has_room(0 if self._left_out else _PATIENCE_MILLISECONDS):
            self._left_out += 1
            return
        lines = [self._note(self._left_out), line] if self._left_out else [line]
        with ignore_broken_pipe(self._stream):
            print(*lines, sep="\n", file=self._stream, flush=True)
        self._left_out = 0

    def _has_room(self, milliseconds: int) -> bool:
        """Wait for room for a line or two: a pipe that takes any takes 4096 bytes at least."""
        poll = select.poll()
        poll.register(self._stream.fileno(), select.POLLOUT)
        return bool(poll.poll(milliseconds))
