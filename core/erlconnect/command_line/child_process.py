"""Whom a signal is for: the session while it opens, then the child, then nobody.

Leaving the terminal as it was found: a shell that is killed leaves it without echo.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from erlconnect.net.subprocesses import ChildProcess

_FORWARDED: Final = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
# What a terminal sends by its keys, it sends to the child as well.
_OF_KEYS: Final = (signal.SIGINT, signal.SIGQUIT)


class SignalForwarder:
    """Takes the signals of this process, for as long as it lives.

    A handler, unlike ``SIG_IGN``, is not inherited: the child has all signals as it expects them.
    """

    def __init__(self, *, while_opening: Callable[[], object]) -> None:
        """Call ``while_opening`` at the first signal that comes before there is a child."""
        self.received: int | None = None
        self._loop = asyncio.get_running_loop()
        self._while_opening: Callable[[], object] | None = while_opening
        self._process: ChildProcess | None = None
        self._kept: list[int] = []
        for number in _FORWARDED:
            signal.signal(number, self._take)

    def are_for_a_child(self) -> None:
        """Keep signals from now on, for a child that is just being started."""
        self._while_opening = None

    def are_for(self, process: ChildProcess | None) -> None:
        """Forward to ``process`` from now on, and what was kept; to nobody for ``None``."""
        self._process = process
        while process and self._kept:
            self._forward(self._kept.pop(0))

    def _take(self, number: int, _frame: object) -> None:
        if self._while_opening is not None:
            self.received = number
            self._loop.call_soon_threadsafe(self._while_opening)
            self._while_opening = None
        elif number not in _OF_KEYS or not _at_our_terminal():
            self._forward(number)

    def _forward(self, number: int) -> None:
        if self._process is None:
            self._kept.append(number)
            return
        self._process.send_signal(number)


def _at_our_terminal() -> bool:
    """Return whether keys pressed at the terminal are for us, and so for the child in our group."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    return False


@contextlib.contextmanager
def restore_terminal() -> Iterator[None]:
    """Return the terminal on stdin, if there is one, its present modes back at the end."""
    try:
        terminal = sys.stdin.fileno()
        modes = termios.tcgetattr(terminal)
    except (termios.error, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        # One that was closed needs nothing, and in the background it is another's.
        with contextlib.suppress(termios.error, OSError):
            if os.tcgetpgrp(terminal) == os.getpgrp():
                termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
