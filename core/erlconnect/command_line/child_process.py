"""Signals and the terminal while a child process runs in the foreground.

Signals are forwarded to the child. The terminal gets its modes back at the end: a shell that is
killed leaves it without echo.
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
# The kernel sends these to the whole foreground process group when keys are pressed, so the child
# has them already.
_FROM_KEYS: Final = (signal.SIGINT, signal.SIGQUIT)


class SignalForwarder:
    """Handles the signals of this process from its creation to the end of the process.

    While the session opens, the first signal stops it; then signals go to the child; after its end
    they are dropped. A handler, unlike ``SIG_IGN``, is not inherited: the child has all signals as
    it expects them.
    """

    def __init__(self, *, while_opening: Callable[[], object]) -> None:
        """Call ``while_opening`` in the event loop at the first signal before there is a child."""
        self.received: int | None = None
        self._loop = asyncio.get_running_loop()
        self._while_opening: Callable[[], object] | None = while_opening
        self._process: ChildProcess | None = None
        self._kept: list[int] = []
        for number in _FORWARDED:
            signal.signal(number, self._handle)

    def are_for_a_child(self) -> None:
        """Keep signals from now on, for a child that is just being started."""
        self._while_opening = None

    def are_for(self, process: ChildProcess | None) -> None:
        """Forward to ``process`` from now on, and what was kept; to nobody for ``None``."""
        self._process = process
        while process and self._kept:
            self._forward(self._kept.pop(0))

    def _handle(self, number: int, _frame: object) -> None:
        if self._while_opening is not None:
            self.received = number
            # The loop may sleep in select(); other calls from a signal handler would not wake it.
            self._loop.call_soon_threadsafe(self._while_opening)
            self._while_opening = None
        elif number not in _FROM_KEYS or not _in_foreground():
            self._forward(number)

    def _forward(self, number: int) -> None:
        if self._process is None:
            self._kept.append(number)
            return
        self._process.send_signal(number)


def _in_foreground() -> bool:
    """Return whether we are the foreground process group of a terminal; the child is in it, too."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    return False


@contextlib.contextmanager
def restore_terminal() -> Iterator[None]:
    """Restore the present modes of the terminal on stdin at the end, if there is one."""
    try:
        terminal = sys.stdin.fileno()
        modes = termios.tcgetattr(terminal)
    except (termios.error, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        # In the background the terminal belongs to another process group, and setting its modes
        # would stop us with SIGTTOU.
        with contextlib.suppress(termios.error, OSError):
            if os.tcgetpgrp(terminal) == os.getpgrp():
                termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
